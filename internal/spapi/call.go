package spapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
)

// maxAnswer bounds an answer: twenty listings with all their attributes are
// about 2 MB.
const maxAnswer = 8 << 20

// call is one request to make.
type call struct {
	op     operation
	region price.Region
	params []string // of the path
	query  []param
	body   any // sent as JSON unless nil
}

// do makes the call with the account's access token and decodes the answer into
// out; nil wants no body.
func (c *Client) do(ctx context.Context, a amazon.Account, in call, out any) (amazon.Call, error) {
	if c.tokens == nil {
		return amazon.Call{}, &amazon.Error{Op: in.op.name, Err: fmt.Errorf("%w: no token source", ErrConfig)}
	}
	token, err := c.tokens.Access(ctx, a)
	if err != nil {
		return amazon.Call{}, tokenError(in.op.name, err)
	}
	in.region = a.Region
	return c.doWith(ctx, token, in, out)
}

// tokenError says that a call did not happen for want of a token. Whatever
// happened to the token request, this call certainly did not leave.
func tokenError(op string, err error) error {
	var e *amazon.Error
	if !errors.As(err, &e) {
		return &amazon.Error{Op: op, Err: fmt.Errorf("no access token: %w", err)}
	}
	unsent := *e
	unsent.Reached = false
	return &unsent
}

// doWith makes the call with the given token.
func (c *Client) doWith(ctx context.Context, token secret.Value, in call, out any) (amazon.Call, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	req, err := c.request(ctx, token, in)
	if err != nil {
		return amazon.Call{}, err
	}
	resp, sent, err := send(c.api, req)
	if err != nil {
		return amazon.Call{}, &amazon.Error{Op: in.op.name, Reached: sent, Err: plain(err)}
	}
	defer resp.Body.Close()
	told := amazon.Call{RequestID: resp.Header.Get("X-Amzn-Requestid"), RateLimit: rateLimit(resp.Header)}
	body, err := readAll(resp.Body, maxAnswer)
	if err != nil {
		return told, &amazon.Error{Op: in.op.name, Status: resp.StatusCode, RequestID: told.RequestID, Reached: true, Err: plain(err)}
	}
	if resp.StatusCode/100 != 2 {
		return told, answered(in.op.name, resp, body, c.clock.Now())
	}
	if out == nil { // an operation whose answer has no body
		return told, nil
	}
	if err := decode(body, out); err != nil {
		return told, &amazon.Error{Op: in.op.name, Status: resp.StatusCode, RequestID: told.RequestID, Reached: true,
			Err: fmt.Errorf("answer is not what the operation promises: %w", err)}
	}
	return told, nil
}

// notSent is the error of a call that can never work and is not made.
func notSent(op, format string, args ...any) *amazon.Error {
	return &amazon.Error{Op: op, Code: amazon.CodeNotSent, Message: fmt.Sprintf(format, args...)}
}

func (c *Client) request(ctx context.Context, token secret.Value, in call) (*http.Request, error) {
	base, ok := c.endpoints[in.region]
	if !ok {
		return nil, &amazon.Error{Op: in.op.name, Err: fmt.Errorf("%w: no endpoint for region %q", ErrConfig, in.region)}
	}
	u, err := in.op.address(base, in.params...)
	if err != nil {
		return nil, notSent(in.op.name, "%v", err)
	}
	u.RawQuery = query(in.query)
	var body io.Reader
	if in.body != nil {
		encoded, err := json.Marshal(in.body)
		if err != nil {
			return nil, notSent(in.op.name, "%v", err)
		}
		body = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, in.op.method, u.String(), body)
	if err != nil {
		return nil, notSent(in.op.name, "%v", plain(err))
	}
	req.URL = u // as built: parsing u again must not change a byte of the path
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set("X-Amz-Access-Token", token.Reveal())
	req.Header.Set("X-Amz-Date", c.clock.Now().Format("20060102T150405Z"))
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// send makes the request and reports whether all of it was handed to the
// network: if not, the peer never had a complete request to act on.
func send(h *http.Client, req *http.Request) (resp *http.Response, sent bool, err error) {
	var wrote atomic.Bool
	trace := &httptrace.ClientTrace{
		// The transport starts over on another connection only when nothing was
		// written or the request is harmless, so the last attempt counts.
		GetConn: func(string) { wrote.Store(false) },
		WroteRequest: func(i httptrace.WroteRequestInfo) {
			if i.Err == nil {
				wrote.Store(true)
			}
		},
	}
	resp, err = h.Do(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	return resp, wrote.Load(), err
}

func withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, callTimeout)
}

// plain takes the address off a transport error: it may name a SKU or carry a
// signature.
func plain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

var errTooLarge = errors.New("spapi: answer is larger than allowed")

func readAll(r io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(body)) > limit {
		return nil, errTooLarge
	}
	return body, err
}

// decode reads one JSON value with numbers kept as written.
func decode(body []byte, out any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(out); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more than one JSON value")
	}
	return nil
}

// rateLimit reads x-amzn-RateLimit-Limit, requests per second; 0 when it is
// absent or senseless.
func rateLimit(h http.Header) float64 {
	v, err := strconv.ParseFloat(h.Get("X-Amzn-Ratelimit-Limit"), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || v <= 0 {
		return 0
	}
	return v
}

// answered makes the error of an answer that is not 2xx.
func answered(op string, resp *http.Response, body []byte, now time.Time) *amazon.Error {
	e := &amazon.Error{
		Op: op, Status: resp.StatusCode, RequestID: resp.Header.Get("X-Amzn-Requestid"),
		RetryAfter: retryAfter(resp.Header, now),
	}
	var list struct {
		Errors []struct{ Code, Message, Details string }
	}
	fromAPI := decode(body, &list) == nil && len(list.Errors) > 0
	if fromAPI {
		first := list.Errors[0]
		e.Code, e.Message = first.Code, first.Message
		if first.Details != "" {
			e.Message += " (" + first.Details + ")"
		}
	}
	switch s := resp.StatusCode; {
	case s == http.StatusRequestTimeout, s >= 500 && s != http.StatusServiceUnavailable:
		// 500, 502, 504: something broke while or after the request was handled.
		e.Reached = true
	case s == http.StatusServiceUnavailable:
		// Overload or maintenance. When the API says so itself, with its own
		// error list or a Retry-After, it has refused the request. A bare 503
		// can also be a proxy whose connection to the API broke after passing
		// the request on, so that one may have taken effect.
		e.Reached = !fromAPI && e.RetryAfter == 0
	}
	return e
}

// retryAfter reads the Retry-After header: seconds or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if n, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil && t.After(now) {
		return t.Sub(now)
	}
	return 0
}
