package broker_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/secret"
	"pricemanager/internal/spapi/broker"
	"pricemanager/internal/spapi/broker/wire"
)

var start = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// function answers invocations as the Lambda service does.
type function struct {
	t       *testing.T
	answer  wire.Response
	payload []byte // instead of answer
	failed  string
	err     error

	requests []wire.Request
	attempts int // RetryMaxAttempts of the last invocation
}

func (f *function) Invoke(_ context.Context, in *lambda.InvokeInput, opts ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	var o lambda.Options
	for _, opt := range opts {
		opt(&o)
	}
	f.attempts = o.RetryMaxAttempts
	var r wire.Request
	if err := json.Unmarshal(in.Payload, &r); err != nil || aws.ToString(in.FunctionName) != "token-broker" {
		f.t.Errorf("invoked %s with %s", aws.ToString(in.FunctionName), in.Payload)
	}
	f.requests = append(f.requests, r)
	if f.err != nil {
		return nil, f.err
	}
	out := &lambda.InvokeOutput{Payload: f.payload}
	if f.payload == nil {
		out.Payload, _ = json.Marshal(f.answer)
	}
	if f.failed != "" {
		out.FunctionError = &f.failed
	}
	return out, nil
}

var account = amazon.Account{Tenant: "t_alpha1", Connection: "conn_a", Grant: 3, Seller: "A2SELLER"}

func client(f *function) (*broker.Client, *clock.Manual) {
	c := clock.NewManual(start)
	return broker.NewClient(f, "token-broker", c, rand.Reader), c
}

func TestAnAccessTokenIsAskedForOnceAnHourAndPerAuthorisation(t *testing.T) {
	t.Parallel()
	f := &function{t: t, answer: wire.Answer(amazon.Token{Access: secret.New("Atza|a"), Expires: start.Add(time.Hour)}, nil)}
	c, now := client(f)
	for range 3 {
		v, err := c.Access(t.Context(), account)
		if err != nil || v.Reveal() != "Atza|a" {
			t.Fatalf("got %q, %v", v.Reveal(), err)
		}
	}
	if len(f.requests) != 1 || f.requests[0] != (wire.Request{Op: wire.Access, Tenant: "t_alpha1", Connection: "conn_a", Grant: 3}) {
		t.Errorf("asked %+v", f.requests)
	}
	again := account
	again.Grant = 4
	if _, err := c.Access(t.Context(), again); err != nil || len(f.requests) != 2 {
		t.Errorf("a new authorisation got an old token: %v", err)
	}
	now.Advance(59 * time.Minute)
	if _, err := c.Access(t.Context(), again); err != nil || len(f.requests) != 3 {
		t.Errorf("a token was used in its last minute: %v", err)
	}
}

func TestAnErrorOfAmazonKeepsItsMeaningOnTheWay(t *testing.T) {
	t.Parallel()
	for _, want := range []*amazon.Error{
		{Op: "lwa.refresh", Status: 400, Code: "invalid_grant", Message: "gone", RequestID: "r"},
		{Op: "lwa.refresh", Status: 401, Code: "invalid_client"},
		{Op: "lwa.refresh", Status: 429, RetryAfter: 7 * time.Second},
		{Op: "lwa.exchange", Reached: true},
	} {
		c, _ := client(&function{t: t, answer: wire.Answer(amazon.Token{}, fmt.Errorf("wrapped: %w", want))})
		_, err := c.Access(t.Context(), account)
		var got *amazon.Error
		if !errors.As(err, &got) || *got != *want {
			t.Errorf("sent %+v, got %+v", want, err)
		}
	}
}

func TestABrokerThatCannotBeAskedIsAPassingFailureAndTellsNoSecret(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]*function{
		"not invoked":   {err: errors.New("throttled")},
		"crashed":       {failed: "Unhandled", payload: []byte(`{"errorMessage":"Atza|hidden"}`)},
		"no response":   {payload: []byte(`"Atza|hidden"`)},
		"empty":         {payload: []byte(`{}`)},
		"its own error": {answer: wire.Answer(amazon.Token{}, errors.New("vault says Atza|hidden"))},
	} {
		f.t = t
		c, _ := client(f)
		_, err := c.Access(t.Context(), account)
		if amazon.Classify(err) != amazon.Retry || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %s, %v", name, amazon.Classify(err), err)
		}
	}
}

func TestAGrantlessTokenIsOfItsScopeAndOfNoSeller(t *testing.T) {
	t.Parallel()
	f := &function{t: t, answer: wire.Answer(amazon.Token{Access: secret.New("Atza|app"), Expires: start.Add(time.Hour)}, nil)}
	c, _ := client(f)
	for i := range 2 { // not kept: another scope must not get this one's
		v, err := c.Grantless(t.Context(), amazon.ScopeNotifications)
		if err != nil || v.Reveal() != "Atza|app" || len(f.requests) != i+1 || f.requests[i] != (wire.Request{Op: wire.Grantless, Scope: amazon.ScopeNotifications}) {
			t.Errorf("got %q, %v, asked %+v", v.Reveal(), err, f.requests)
		}
	}
	c, _ = client(&function{t: t, answer: wire.Answer(amazon.Token{}, &amazon.Error{Op: "lwa.grantless", Status: 400, Code: "invalid_scope"})})
	if _, err := c.Grantless(t.Context(), amazon.ScopeRotation); amazon.Classify(err) != amazon.Operator {
		t.Errorf("a scope that the application lacks: %v", err)
	}
}

func TestACodeIsSentOnceAndNeverPrinted(t *testing.T) {
	t.Parallel()
	f := &function{t: t, answer: wire.Answer(amazon.Token{Access: secret.New("Atza|hidden"), Expires: start}, nil)}
	c, _ := client(f)
	got, err := c.Exchange(t.Context(), "t_alpha1", "conn_a", 1, secret.New("hidden-code"), "https://us.test/cb")
	if err != nil || got.Access.Reveal() != "Atza|hidden" || !got.Expires.Equal(start) {
		t.Fatalf("got %v, %v", got, err)
	}
	if f.attempts != 1 || f.requests[0].Code != "hidden-code" || f.requests[0].RedirectURI != "https://us.test/cb" {
		t.Errorf("%d attempts, %v", f.attempts, f.requests[0])
	}
	if err := c.Discard(t.Context(), "t_alpha1", "conn_a", 1); err != nil || f.requests[1].Op != wire.Discard {
		t.Errorf("discard: %v", err)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(format+format, f.requests[0], f.answer); strings.Contains(s, "hidden") {
			t.Errorf("%s shows %s", format, s)
		}
	}
}

func TestADisconnectedConnectionIsRefusedWithoutAskingAnybody(t *testing.T) {
	t.Parallel()
	f := &function{t: t}
	c, _ := client(f)
	gone := account
	gone.Grant = 0
	if _, err := c.Access(t.Context(), gone); amazon.Classify(err) != amazon.Reauthorise || len(f.requests) != 0 {
		t.Errorf("%v, %d requests", err, len(f.requests))
	}
}
