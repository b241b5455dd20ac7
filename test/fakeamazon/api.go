package fakeamazon

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"pricemanager/internal/price"
	"pricemanager/test/contract"
)

// maxBody is the largest request body; Amazon answers larger ones with 413.
const maxBody = 1 << 20

// call is one authenticated, admitted and well-formed request.
type call struct {
	op     *contract.Operation
	key    sellerKey
	seller *seller
	params map[string]string
	query  url.Values
	body   []byte
	base   string // scheme and host that the client used, for links
	drop   bool   // a fault lets the patch vanish
	apart  bool   // a fault judges each price of the patch by itself
	after  func() // to do without the lock once the effect is there; may be nil

	trouble *armedFault // a fault of the feed
	entry   *Request
}

// answer is what an operation gives back. The body is marshalled; nil is none.
type answer struct {
	status  int
	body    any
	verdict string
}

// errorList is the model's ErrorList.
type errorList struct {
	Errors []apiError `json:"errors"`
}

type apiError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Details string `json:"details,omitempty"`
}

// Amazon's error codes by status.
var errorCodes = map[int]string{
	400: "InvalidInput", 401: "Unauthorized", 403: "Unauthorized", 404: "NotFound", 409: "Conflict",
	413: "RequestTooLarge", 415: "UnsupportedMediaType", 429: "QuotaExceeded",
	500: "InternalFailure", 503: "ServiceUnavailable",
}

func refuse(status int, message, details string) answer {
	code := errorCodes[status]
	if code == "" {
		code = "InternalFailure"
	}
	return answer{status, errorList{[]apiError{{code, message, details}}}, code}
}

const denied = "Access to requested resource is denied."

// serveAPI is the Selling Partner API of one region.
//
// The order is Amazon's as far as it shows: who asks comes before how often,
// and how often before what. Faults come after admission, so that a scripted
// 429 does not hide that the client was over its budget.
func (f *Fake) serveAPI(w http.ResponseWriter, r *http.Request, region price.Region) {
	r = below(r)
	op, params := f.spec.Match(r.Method, r.URL.EscapedPath())
	c := &call{op: op, params: params, base: origin(r)}
	line := Request{Time: f.cfg.Clock.Now(), Op: "unknown", Region: region}
	if op != nil {
		line.Op, line.SKU = op.ID, price.SKU(params["sku"])
	}
	f.mu.Lock()
	c.entry = f.log.open(line)
	f.mu.Unlock()

	var err error
	if c.body, err = io.ReadAll(io.LimitReader(r.Body, maxBody+1)); err != nil {
		panic(http.ErrAbortHandler) // the client went away before it had finished
	}
	out, ok := f.admit(c, r, region)
	if !ok {
		f.write(w, c, out)
		return
	}
	f.mu.Lock()
	met := f.faults.meet(c.entry)
	f.mu.Unlock()
	c.drop, c.apart, c.trouble = met.drop != nil, met.apart != nil, met.feed
	f.before(met)
	if d := met.disturbance; d != nil && d.Kind == Answer {
		f.write(w, c, scripted(d))
		return
	}
	out = f.handle(c)
	if c.after != nil {
		c.after()
	}
	f.after(met)
	if d := met.disturbance; d != nil && d.Kind == AnswerAfter {
		out = scripted(d)
	}
	f.write(w, c, out)
}

// below returns the request without the region in its path.
func below(r *http.Request) *http.Request {
	u := *r.URL
	u.Path = u.Path[len("/na"):]
	if u.RawPath != "" {
		u.RawPath = u.RawPath[len("/na"):]
	}
	out := r.WithContext(r.Context())
	out.URL = &u
	return out
}

func origin(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// admit checks everything that does not depend on the operation. Mistakes that
// a correct client never makes are violations; a token that ended is none.
func (f *Fake) admit(c *call, r *http.Request, region price.Region) (answer, bool) {
	violation := f.spec.CheckRequest(r, c.body)
	headers := checkHeaders(r.Header)
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.cfg.Clock.Now()
	bad := func(kind string, err error) { f.log.violate(c.entry, now, kind, "%v", err) }

	if c.op == nil || contract.CheckPath(r.URL.EscapedPath()) != nil {
		bad("contract", violation)
		return refuse(http.StatusForbidden, denied, ""), false
	}
	if headers != nil {
		bad("protocol", headers)
		return refuse(http.StatusBadRequest, "Request has an invalid header.", headers.Error()), false
	}
	if reason, misuse := f.identify(c, r.Header.Get("x-amz-access-token"), region, now); reason != "" || misuse != nil {
		if misuse != nil {
			bad("protocol", misuse)
		}
		return refuse(http.StatusForbidden, denied, reason), false
	}
	c.query, _ = url.ParseQuery(r.URL.RawQuery) // checked above
	c.entry.Preview = c.query.Get("mode") == "VALIDATION_PREVIEW"
	for _, m := range csv(c.query, "marketplaceIds") {
		c.entry.Marketplaces = append(c.entry.Marketplaces, price.MarketplaceID(m))
	}
	level := f.budgets.take(now, region, c.key.id, c.op.ID, c.entry.Preview)
	c.entry.SellerTokens, c.entry.AppTokens = level.seller, level.app
	if level.refused != "" {
		bad("over-budget", fmt.Errorf("%s: more requests than allowed for %s", c.op.ID, level.refused))
		return refuse(http.StatusTooManyRequests, "You exceeded your quota for the requested resource.",
			"More requests than allowed for "+level.refused+"."), false
	}
	if len(c.body) > maxBody && c.op.Declares(http.StatusRequestEntityTooLarge) {
		return refuse(http.StatusRequestEntityTooLarge, "The request is too large.", ""), false
	}
	if violation != nil {
		bad("contract", violation)
		return refuse(http.StatusBadRequest, "Request has missing or invalid parameters and cannot be parsed.", violation.Error()), false
	}
	return answer{}, true
}

// identify finds out for whom a request speaks. It returns Amazon's reason for a
// token that does not work, and an error for one that was used where a correct
// client never uses it.
func (f *Fake) identify(c *call, token string, region price.Region, now time.Time) (reason string, misuse error) {
	if scope, ok := grantless[c.op.ID]; ok {
		c.key = sellerKey{region, applicationAccount}
		if _, sellers := f.auth.seller(token, now); sellers == "" {
			return "", fmt.Errorf("a seller's token was used for %s", c.op.ID)
		}
		return f.auth.application(token, scope, now), nil
	}
	key, reason := f.auth.seller(token, now)
	if reason != "" {
		return reason, nil
	}
	c.key, c.entry.Seller = key, key.id
	c.seller = f.sellers[key]
	if own, ok := c.params["sellerId"]; c.seller == nil || key.region != region || (ok && own != key.id) {
		return "", fmt.Errorf("the token of %s in %s was used for seller %q in %s", key.id, key.region, own, region)
	}
	return "", nil
}

// userAgent is the form that Amazon's page "Include a User-Agent Header" asks
// for: Application/Version (Language=...; key=value ...).
var userAgent = regexp.MustCompile(`^` + agentWord + `/` + agentWord + ` \(` + agentPair + `(?:; *` + agentPair + `)*\)`)

const (
	agentWord = `(?:[^\\/();=]|\\.)+` // separators are escaped by a backslash
	agentPair = `(?:[^\\();=]|\\.)+=(?:[^\\();=]|\\.)+`
)

func checkHeaders(h http.Header) error {
	agent := h.Get("User-Agent")
	switch {
	case len(agent) > 500 || !userAgent.MatchString(agent) || !strings.Contains(agent, "Language="):
		return fmt.Errorf("user-agent %q does not have the form Application/Version (Language=...; key=value)", agent)
	case len(h.Values("x-amz-access-token")) > 1:
		return fmt.Errorf("x-amz-access-token is given %d times", len(h.Values("x-amz-access-token")))
	}
	if _, err := time.Parse("20060102T150405Z", h.Get("x-amz-date")); err != nil {
		return fmt.Errorf("x-amz-date %q does not have the form 20060102T150405Z", h.Get("x-amz-date"))
	}
	return nil
}

// handle runs the operation under the lock.
func (f *Fake) handle(c *call) answer {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.cfg.Clock.Now()
	f.advance(now)
	switch c.op.ID {
	case opGet:
		return f.getListing(c, now)
	case opSearch:
		return f.searchListings(c, now)
	case opPatch:
		return f.patchListing(c, now)
	case "createReport":
		return f.createReport(c, now)
	case "getReport":
		return f.getReport(c, now)
	case "cancelReport":
		return f.cancelReport(c, now)
	case "getReportDocument":
		return f.getReportDocument(c, now)
	case "createFeedDocument":
		return f.createFeedDocument(c, now)
	case "createFeed":
		return f.createFeed(c, now)
	case "getFeeds":
		return f.getFeeds(c, now)
	case "getFeed":
		return f.getFeed(c, now)
	case "cancelFeed":
		return f.cancelFeed(c, now)
	case "getFeedDocument":
		return f.getFeedDocument(c, now)
	case "createDestination":
		return f.createDestination(c)
	case "getDestinations":
		return f.getDestinations(c)
	case "createSubscription":
		return f.createSubscription(c)
	case "getSubscription":
		return f.getSubscription(c)
	case "rotateApplicationClientSecret":
		return f.rotateClientSecret(c, now)
	case "getMarketplaceParticipations":
		return f.participations(c)
	}
	f.log.violate(c.entry, now, "fake", "%s is not built into the fake", c.op.ID)
	return refuse(http.StatusInternalServerError, "The fake has no "+c.op.ID+".", "")
}

// before does what faults do ahead of the effect.
func (f *Fake) before(met encounter) {
	if met.slow != nil {
		_ = f.cfg.Clock.Sleep(f.life, met.slow.Latency) // ends early with the fake
	}
	if d := met.disturbance; d != nil {
		if d.Kind == CutBefore || (d.Kind == HoldBefore && f.hold(d)) {
			panic(http.ErrAbortHandler) // net/http closes the connection without an answer
		}
	}
}

// after does what faults do between the effect and the answer.
func (f *Fake) after(met encounter) {
	if d := met.disturbance; d != nil {
		if d.Kind == CutAfter || (d.Kind == HoldAfter && f.hold(d)) {
			panic(http.ErrAbortHandler)
		}
	}
}

func scripted(a *armedFault) answer {
	out := refuse(a.Status, "scripted fault "+a.ID, "")
	if a.Code != "" {
		out.verdict = a.Code
		out.body = errorList{[]apiError{{a.Code, "scripted fault " + a.ID, ""}}}
	}
	return out
}

// write sends an answer after holding it against the contract. A wrong answer
// is the fake's fault: it becomes a 500 that says so, and a violation.
func (f *Fake) write(w http.ResponseWriter, c *call, out answer) {
	header := w.Header()
	header.Set("x-amzn-RequestId", c.entry.RequestID)
	var body []byte
	if out.body != nil {
		var err error
		if body, err = json.Marshal(out.body); err != nil {
			panic(err) // the fake's own types
		}
		header.Set("Content-Type", "application/json")
	}
	if c.op != nil && c.op.DeclaresHeader(out.status, "x-amzn-RateLimit-Limit") && c.entry.SellerTokens >= 0 {
		header.Set("x-amzn-RateLimit-Limit", f.budgets.header(c.op.ID))
	}
	// A status that the models do not have comes from a scripted fault, as it
	// would from something in front of Amazon.
	if c.op != nil && (c.op.Declares(out.status) || out.status < 400) {
		if err := f.spec.CheckResponse(c.op, out.status, header, body); err != nil {
			f.mu.Lock()
			f.log.violate(c.entry, f.cfg.Clock.Now(), "fake", "%v", err)
			f.mu.Unlock()
			out = refuse(http.StatusInternalServerError, "The fake's answer breaks the contract.", err.Error())
			body, _ = json.Marshal(out.body)
			header.Set("Content-Type", "application/json")
			header.Del("x-amzn-RateLimit-Limit")
		}
	}
	body = f.unasked(body)
	if out.status >= 400 {
		header.Set("x-amzn-ErrorType", out.verdict)
	}
	f.mu.Lock()
	f.log.close(c.entry, out.status, out.verdict)
	f.mu.Unlock()
	w.WriteHeader(out.status)
	_, _ = w.Write(body)
}

// csv returns the elements of a comma-separated query parameter. As at Amazon,
// an escaped comma is a comma.
func csv(q url.Values, name string) []string {
	if q.Get(name) == "" {
		return nil
	}
	return strings.Split(q.Get(name), ",")
}
