package spapi

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
)

var now = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

var account = amazon.Account{Tenant: "t_alpha1", Connection: "conn_a", Region: price.EU, Seller: "A2SELLER"}

type token string

func (t token) Access(context.Context, amazon.Account) (secret.Value, error) {
	return secret.New(string(t)), nil
}

type noToken struct{ err error }

func (n noToken) Access(context.Context, amazon.Account) (secret.Value, error) {
	return secret.Value{}, n.err
}

// serve starts a server and returns a client for it.
func serve(t *testing.T, h http.HandlerFunc) (*Client, *httptest.Server) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return client(t, s.URL, token("Atza|hidden")), s
}

func client(t *testing.T, address string, tokens Tokens) *Client {
	t.Helper()
	c, err := New(Options{
		Endpoints: map[price.Region]string{price.EU: address}, Tokens: tokens,
		Clock: clock.NewManual(now), UserAgent: "PriceManager/test (Language=Go/1.26)", AllowInsecure: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.api.CloseIdleConnections()
		c.documents.CloseIdleConnections()
	})
	return c
}

func patchOf(sku price.SKU) amazon.Patch {
	return amazon.Patch{Marketplace: germany, SKU: sku, Edit: price.Edit{Set: price.Prices{Our: eur(1990)}}}
}

func asError(t *testing.T, err error) *amazon.Error {
	t.Helper()
	var e *amazon.Error
	if !errors.As(err, &e) {
		t.Fatalf("not an *amazon.Error: %v", err)
	}
	return e
}

func TestAPatchIsSentAsAmazonWantsIt(t *testing.T) {
	t.Parallel()
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPatch || r.RequestURI != "/listings/2021-08-01/items/A2SELLER/a%2Fb%23c%2B%2C%20%E2%82%AC?marketplaceIds=A1PA6795UKMFR9&includedData=issues&issueLocale=en_US" {
			t.Errorf("%s %s", r.Method, r.RequestURI)
		}
		for name, want := range map[string]string{
			"X-Amz-Access-Token": "Atza|hidden", "X-Amz-Date": "20261122T090000Z",
			"User-Agent": "PriceManager/test (Language=Go/1.26)", "Content-Type": "application/json", "Authorization": "",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		w.Header().Set("x-amzn-RequestId", "req-1")
		w.Header().Set("x-amzn-RateLimit-Limit", "5.0")
		_, _ = io.WriteString(w, `{"sku":"a/b#c+, €","status":"INVALID","submissionId":"s1","issues":[{"code":"18155","message":"too low","severity":"ERROR","categories":["INVALID_PRICE"]}]}`)
	})
	s, err := c.Patch(t.Context(), account, patchOf("a/b#c+, €"))
	if err != nil {
		t.Fatal(err)
	}
	if s.Status != amazon.Invalid || s.ID != "s1" || len(s.Issues) != 1 || s.Issues[0].Code != "18155" ||
		s.Call != (amazon.Call{RequestID: "req-1", RateLimit: 5}) {
		t.Errorf("submission %+v", s)
	}
}

// TestAPreviewThatWasTakenForAWriteIsNoAnswer: nobody may believe that nothing
// happened.
func TestAPreviewThatWasTakenForAWriteIsNoAnswer(t *testing.T) {
	t.Parallel()
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("mode") != "VALIDATION_PREVIEW" {
			t.Errorf("asked for %s", r.RequestURI)
		}
		_, _ = io.WriteString(w, `{"sku":"S","status":"ACCEPTED","submissionId":"1"}`)
	})
	_, err := c.Preview(t.Context(), account, patchOf("S"))
	if e := asError(t, err); e.Status != 200 || !e.Reached || amazon.Classify(err) != amazon.Unknown {
		t.Errorf("%+v", e)
	}
}

// Any bytes may be a SKU, and each arrives as one path segment.
func TestAnySKUArrivesUnchanged(t *testing.T) {
	t.Parallel()
	var got string
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		path, _, _ := strings.Cut(r.RequestURI, "?")
		segments := strings.Split(path, "/")
		got, _ = url.PathUnescape(segments[len(segments)-1])
		if len(segments) != 6 || strings.Trim(segments[5], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%") != "" {
			t.Errorf("path %q", path)
		}
		http.Error(w, "{}", http.StatusNotFound)
	})
	rapid.Check(t, func(t *rapid.T) {
		sku := rapid.OneOf(rapid.StringN(1, 20, 60), rapid.StringMatching(`[/#%+,?& ;:@=.]{1,8}`)).Draw(t, "sku")
		_, _, err := c.Get(context.Background(), account, germany, price.SKU(sku))
		var e *amazon.Error
		if !errors.As(err, &e) || e.Status != http.StatusNotFound || got != sku {
			t.Fatalf("sent %q, arrived %q, %v", sku, got, err)
		}
	})
}

func TestRefusalsAndBreakagesAreToldApart(t *testing.T) {
	t.Parallel()
	const list = `{"errors":[{"code":"SomeCode","message":"words","details":"more"}]}`
	for name, tc := range map[string]struct {
		status  int
		body    string
		header  [2]string
		reached bool
		outcome amazon.Outcome
	}{
		"400":                          {400, list, [2]string{}, false, amazon.Permanent},
		"403":                          {403, list, [2]string{}, false, amazon.Reauthorise},
		"404":                          {404, list, [2]string{}, false, amazon.Permanent},
		"413":                          {413, list, [2]string{}, false, amazon.Permanent},
		"429 with wait":                {429, list, [2]string{"Retry-After", "7"}, false, amazon.RetryAfter},
		"redirect":                     {302, ``, [2]string{"Location", "/elsewhere"}, false, amazon.Retry},
		"408":                          {408, list, [2]string{}, true, amazon.Unknown},
		"500":                          {500, list, [2]string{}, true, amazon.Unknown},
		"502":                          {502, `<html>`, [2]string{}, true, amazon.Unknown},
		"503 by the API":               {503, list, [2]string{}, false, amazon.Retry},
		"503 with wait":                {503, ``, [2]string{"Retry-After", "Sun, 22 Nov 2026 09:00:07 GMT"}, false, amazon.Retry},
		"503 by something in between":  {503, `<html>upstream reset</html>`, [2]string{}, true, amazon.Unknown},
		"504":                          {504, list, [2]string{}, true, amazon.Unknown},
		"200 that is no JSON":          {200, `<html>`, [2]string{}, true, amazon.Unknown},
		"200 about another SKU":        {200, `{"sku":"T","status":"ACCEPTED","submissionId":"1"}`, [2]string{}, true, amazon.Unknown},
		"200 with a verdict of no use": {200, `{"sku":"S","status":"VALID","submissionId":"1"}`, [2]string{}, true, amazon.Unknown},
		"200 larger than allowed":      {200, `{"sku":"` + strings.Repeat("S", maxAnswer) + `"}`, [2]string{}, true, amazon.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("x-amzn-RequestId", "req-1")
				if tc.header[0] != "" {
					w.Header().Set(tc.header[0], tc.header[1])
				}
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			})
			_, err := c.Patch(t.Context(), account, patchOf("S"))
			e := asError(t, err)
			if e.Status != tc.status || e.Reached != tc.reached || e.RequestID != "req-1" || amazon.Classify(err) != tc.outcome {
				t.Errorf("status %d, reached %v, %s, %v", e.Status, e.Reached, amazon.Classify(err), err)
			}
			if tc.body == list && (e.Code != "SomeCode" || e.Message != "words (more)") {
				t.Errorf("code %q, message %q", e.Code, e.Message)
			}
			if tc.header[0] == "Retry-After" && e.RetryAfter != 7*time.Second {
				t.Errorf("retry after %s", e.RetryAfter)
			}
			if strings.Contains(err.Error(), "hidden") {
				t.Errorf("token in error: %v", err)
			}
		})
	}
}

func TestARequestThatDidNotLeaveHasNotReachedAmazon(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + l.Addr().String()
	_ = l.Close() // nobody listens there now
	_, err = client(t, address, token("x")).Patch(t.Context(), account, patchOf("S"))
	if e := asError(t, err); e.Reached || amazon.Classify(err) != amazon.Retry {
		t.Errorf("refused connection: %v", err)
	}
	_, err = client(t, address, noToken{&amazon.Error{Op: "lwa.refresh", Code: "invalid_grant", Reached: true}}).Patch(t.Context(), account, patchOf("S"))
	if e := asError(t, err); e.Reached || amazon.Classify(err) != amazon.Reauthorise {
		t.Errorf("revoked: %v", err)
	}
	_, err = client(t, address, noToken{&amazon.Error{Op: "lwa.refresh", Status: 500, Reached: true}}).Patch(t.Context(), account, patchOf("S"))
	if amazon.Classify(err) != amazon.Retry {
		t.Errorf("token endpoint down is %s: %v", amazon.Classify(err), err)
	}
}

func TestARequestCutOffAfterItLeftMayHaveReachedAmazon(t *testing.T) {
	t.Parallel()
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	})
	_, err := c.Patch(t.Context(), account, patchOf("S"))
	if e := asError(t, err); !e.Reached || amazon.Classify(err) != amazon.Unknown {
		t.Errorf("cut connection: %v", err)
	}
}

func TestADeadlineAfterTheRequestLeftMayHaveReachedAmazon(t *testing.T) {
	t.Parallel()
	arrived, over := make(chan struct{}), make(chan struct{})
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(arrived)
		<-over
	})
	defer close(over)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	_, err := c.Patch(ctx, account, patchOf("S"))
	if e := asError(t, err); !e.Reached || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestARequestOfWhichOnlyAPartLeftHasNotReachedAmazon(t *testing.T) {
	t.Parallel()
	// The peer resets the connection while the request is being written: the
	// transport's write fails, so no complete request was ever there to act on.
	c := client(t, "http://amazon.test", token("x"))
	c.api = newHTTP(&http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return &brokenPipe{closed: make(chan struct{})}, nil
		},
	}}, nil, nil, c.permitted)
	p := patchOf("S")
	p.ProductType = strings.Repeat("T", 1<<20) // larger than any buffer on the way
	_, err := c.Patch(t.Context(), account, p)
	if e := asError(t, err); e.Reached {
		t.Errorf("got %v", err)
	}
}

// brokenPipe takes the first byte and then no more.
type brokenPipe struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

func (b *brokenPipe) Write([]byte) (int, error)      { return 1, errors.New("broken pipe") }
func (b *brokenPipe) Read([]byte) (int, error)       { <-b.closed; return 0, net.ErrClosed }
func (b *brokenPipe) Close() error                   { b.once.Do(func() { close(b.closed) }); return nil }
func (*brokenPipe) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*brokenPipe) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*brokenPipe) SetDeadline(time.Time) error      { return nil }
func (*brokenPipe) SetReadDeadline(time.Time) error  { return nil }
func (*brokenPipe) SetWriteDeadline(time.Time) error { return nil }

func TestNothingButTheListedOperationsLeavesTheClient(t *testing.T) {
	t.Parallel()
	c, s := serve(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("arrived: %s %s", r.Method, r.URL) })
	for _, r := range []struct{ method, address string }{
		{"GET", s.URL + "/orders/v0/orders"},
		{"DELETE", s.URL + "/listings/2021-08-01/items/A2SELLER/S"},
		{"PUT", s.URL + "/listings/2021-08-01/items/A2SELLER/S"},
		{"GET", s.URL + "/listings/2021-08-01/items/A2SELLER/"},
		{"GET", s.URL + "/reports/2021-06-30/reports"},
		{"GET", "http://elsewhere.test/listings/2021-08-01/items/A2SELLER/S"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), r.method, r.address, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.api.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		if !errors.Is(err, errForbidden) {
			t.Errorf("%s %s: %v", r.method, r.address, err)
		}
	}
}

func TestATokenNeverFollowsARedirect(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Error("the redirect was followed") }))
	defer other.Close()
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
	})
	_, _, err := c.Get(t.Context(), account, germany, "S")
	if e := asError(t, err); e.Status != http.StatusTemporaryRedirect {
		t.Errorf("got %v", err)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("answered over TLS 1.1") }))
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	_, err := client(t, s.URL, token("x")).Patch(t.Context(), account, patchOf("S"))
	if e := asError(t, err); e.Reached || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("got %v", err)
	}
}

func TestOnlyAmazonOverTLSIsAnEndpoint(t *testing.T) {
	t.Parallel()
	for address, good := range map[string]bool{
		"https://sellingpartnerapi-eu.amazon.com":           true,
		"https://sandbox.sellingpartnerapi-eu.amazon.com":   true,
		"http://sellingpartnerapi-eu.amazon.com":            false,
		"https://sellingpartnerapi-eu.amazon.com.evil.test": false,
		"https://sellingpartnerapi-eu.amazon.com:8443":      false,
		"https://user@sellingpartnerapi-eu.amazon.com":      false,
		"https://localhost":                                 false,
	} {
		_, err := New(Options{Endpoints: map[price.Region]string{price.EU: address}, Clock: clock.Real{}, UserAgent: "x"})
		if (err == nil) != good || (err != nil && !errors.Is(err, ErrConfig)) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestASearchKeepsWhatItCanReadAndRefusesWhatItCannotAsk(t *testing.T) {
	t.Parallel()
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		want := "/listings/2021-08-01/items/A2SELLER?marketplaceIds=A1PA6795UKMFR9&identifiersType=SKU&identifiers=a%20b,odd,none,broken&includedData=attributes,offers,issues,summaries,productTypes&issueLocale=en_US&pageSize=20"
		if r.RequestURI != want {
			t.Errorf("asked %s", r.RequestURI)
		}
		offer := func(v string) string {
			return `"attributes":{"purchasable_offer":[{"marketplace_id":"A1PA6795UKMFR9","currency":"EUR","our_price":[{"schedule":[{"value_with_tax":` + v + `}]}]}]}`
		}
		_, _ = io.WriteString(w, `{"numberOfResults":4,"items":[{"sku":"a b",`+offer("1.50")+`},{"sku":"odd",`+offer("1.505")+`},{"sku":"A B",`+offer("9.00")+`},{"sku":"broken","attributes":[]}]}`)
	})
	got, _, err := c.Search(t.Context(), account, germany, []price.SKU{"a b", "odd", "none", "broken"})
	if err != nil || len(got) != 1 || got[0].SKU != "a b" || *got[0].Prices.Our != *eur(150) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, skus := range [][]price.SKU{nil, make([]price.SKU, 21), {"a,b"}, {""}} {
		if _, _, err := c.Search(t.Context(), account, germany, skus); amazon.Classify(err) != amazon.Permanent {
			t.Errorf("%q: %v", skus, err)
		}
	}
}

func TestASecondPageIsAnErrorAndNotMissingSKUs(t *testing.T) {
	t.Parallel()
	c, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"numberOfResults":21,"items":[],"pagination":{"nextToken":"n"}}`)
	})
	if _, _, err := c.Search(t.Context(), account, germany, []price.SKU{"a"}); err == nil {
		t.Error("no error")
	}
}
