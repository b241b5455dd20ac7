package fakeamazon_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/test/fakeamazon"
)

func (w *world) fault(ft fakeamazon.Fault) string {
	w.t.Helper()
	id, err := w.fake.AddFault(ft)
	w.must(err)
	return id
}

func TestDroppedSKUIsAcceptedAndNeverShows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.fault(fakeamazon.Fault{Kind: fakeamazon.DropPrice, SKU: "S1", Marketplace: de})
	w.accepted("S1", de, ourPrice("24.90"))
	w.accepted("S1", fr, body("merge", offer(fr, "EUR", "ALL", sub("our_price", "22"))))
	if l := w.listing(de, "S1"); l.Price != "19.99" {
		t.Errorf("the dropped price shows: %s", l.Price)
	}
	if l := w.listing(fr, "S1"); l.Price != "22" {
		t.Errorf("another marketplace was dropped as well: %s", l.Price)
	}
	r := w.fake.Requests(fakeamazon.Query{Op: "patchListingsItem"})
	if r[0].Effect || r[0].Fault != id || !r[1].Effect || r[1].Fault != "" {
		t.Errorf("%+v", r)
	}
	if e := w.fake.Effects(); len(e) != 1 || e[0].Marketplace != fr || e[0].Count != 1 {
		t.Errorf("effects: %v", e)
	}
	if !w.fake.RemoveFault(id) || w.fake.RemoveFault(id) {
		t.Error("the fault is removed not once")
	}
	w.accepted("S1", de, ourPrice("24.90"))
	if l := w.listing(de, "S1"); l.Price != "24.90" {
		t.Errorf("after the fault: %s", l.Price)
	}
	w.clean() // the first one had no effect: nothing happened twice
}

func TestScriptedAnswersComeAsOftenAsAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fault(fakeamazon.Fault{Kind: fakeamazon.Answer, Op: "patchListingsItem", Status: 503, Skip: 1, Times: 2})
	var got []int
	for range 5 {
		r := w.patch("S1", de, ourPrice("24.90"))
		got = append(got, r.Code)
		if r.Code == 503 && (r.Header().Get("x-amzn-RateLimit-Limit") != "" || !strings.Contains(r.Body.String(), "ServiceUnavailable")) {
			t.Errorf("%v %s", r.Header(), r.Body)
		}
	}
	if want := []int{200, 503, 503, 200, 200}; !equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for status, code := range map[int]string{429: "QuotaExceeded", 500: "InternalFailure", 502: "InternalFailure"} {
		w := newWorld(t)
		w.fault(fakeamazon.Fault{Kind: fakeamazon.Answer, Status: status})
		if r := w.patch("S1", de, ourPrice("24.90")); r.Code != status || !strings.Contains(r.Body.String(), code) {
			t.Errorf("%d: %d %s", status, r.Code, r.Body)
		}
		w.clean() // a scripted 429 is not the client's fault
	}
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestAnswerAfterHidesAnEffectThatHappened(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fault(fakeamazon.Fault{Kind: fakeamazon.AnswerAfter, SKU: "S1", Status: 500, Times: 1})
	if got := w.patch("S1", de, ourPrice("24.90")); got.Code != 500 {
		t.Errorf("%d", got.Code)
	}
	w.clock.Advance(time.Minute)
	if l := w.listing(de, "S1"); l.Price != "24.90" {
		t.Errorf("no effect: %s", l.Price)
	}
	w.accepted("S1", de, ourPrice("24.90")) // a client that resends blindly is caught
	w.clean("double-effect")
	if e := w.fake.Effects(); e[0].Count != 2 || e[0].Doubles != 1 {
		t.Errorf("%v", e)
	}
}

func TestGoingBackToAnOldPriceIsNoDoubleEffect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, p := range []string{"24.90", "25", "24.90"} {
		w.accepted("S1", de, ourPrice(p))
	}
	w.must(w.fake.AddListings("EU", alice, []fakeamazon.Listing{{Marketplace: de, SKU: "S1", Price: "1"}}))
	w.accepted("S1", de, ourPrice("24.90"))
	w.clean()
}

// A held request is neither lost nor answered until it is released, and shows in
// the log meanwhile, with its effect if it was held after it.
func TestHeldRequests(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind    fakeamazon.FaultKind
		drop    bool
		effect  bool // while held
		price   string
		aborted bool
	}{
		"before, released": {fakeamazon.HoldBefore, false, false, "24.90", false},
		"before, dropped":  {fakeamazon.HoldBefore, true, false, "19.99", true},
		"after, released":  {fakeamazon.HoldAfter, false, true, "24.90", false},
		"after, dropped":   {fakeamazon.HoldAfter, true, true, "24.90", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				id := w.fault(fakeamazon.Fault{Kind: c.kind, SKU: "S1", Op: "patchListingsItem"})
				done := make(chan any, 1)
				go func() {
					defer func() { done <- recover() }()
					w.patch("S1", de, ourPrice("24.90"))
				}()
				synctest.Wait()
				r := w.fake.Requests(fakeamazon.Query{Op: "patchListingsItem"})[0]
				if r.Status != 0 || r.Effect != c.effect || r.Fault != id || w.fake.Faults()[0].Held != 1 {
					t.Errorf("while held: %+v %+v", r, w.fake.Faults())
				}
				if n := w.fake.Release(id, c.drop); n != 1 {
					t.Errorf("%d released", n)
				}
				if aborted := errors.Is(asError(<-done), http.ErrAbortHandler); aborted != c.aborted {
					t.Errorf("connection cut: %v, want %v", aborted, c.aborted)
				}
				w.clock.Advance(time.Minute)
				if l := w.listing(de, "S1"); l.Price != c.price {
					t.Errorf("afterwards %s, want %s", l.Price, c.price)
				}
				w.clean()
			})
		})
	}
}

func TestCloseLetsGoOfHeldRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fault(fakeamazon.Fault{Kind: fakeamazon.HoldBefore})
		done := make(chan any, 1)
		go func() {
			defer func() { done <- recover() }()
			w.patch("S1", de, ourPrice("24.90"))
		}()
		synctest.Wait()
		w.must(w.fake.Close())
		if got := asError(<-done); !errors.Is(got, http.ErrAbortHandler) {
			t.Errorf("%v", got)
		}
	})
}

func TestCutConnections(t *testing.T) {
	t.Parallel()
	for kind, want := range map[fakeamazon.FaultKind]string{fakeamazon.CutBefore: "19.99", fakeamazon.CutAfter: "24.90"} {
		w := newWorld(t)
		w.fault(fakeamazon.Fault{Kind: kind, SKU: "S1", Times: 1})
		server := httptest.NewServer(w.fake)
		defer server.Close()
		r := w.request("PATCH", itemPath("S1")+"?marketplaceIds="+string(de), ourPrice("24.90"))
		out, err := http.NewRequest("PATCH", server.URL+r.URL.String(), strings.NewReader(ourPrice("24.90")))
		w.must(err)
		out.Header = r.Header
		if resp, err := server.Client().Do(out); err == nil {
			resp.Body.Close()
			t.Errorf("%s: answered %d", kind, resp.StatusCode)
		}
		w.clock.Advance(time.Minute)
		if l := w.listing(de, "S1"); l.Price != want {
			t.Errorf("%s: %s, want %s", kind, l.Price, want)
		}
	}
}

func TestSlowRequestsTakeTheirTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fault(fakeamazon.Fault{Kind: fakeamazon.Slow, Op: "getListingsItem", Latency: 3 * time.Second})
		done := make(chan int, 1)
		go func() { done <- w.call("GET", itemPath("S1")+"?marketplaceIds="+string(de), "").Code }()
		synctest.Wait()
		select {
		case code := <-done:
			t.Fatalf("answered %d at once", code)
		default:
		}
		w.clock.Advance(3 * time.Second)
		if code := <-done; code != 200 {
			t.Error(code)
		}
	})
}

func TestTokenEndpointFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fault(fakeamazon.Fault{Kind: fakeamazon.Answer, Op: "token", Status: 503, Times: 1})
	if status, got := w.grant("grant_type", "client_credentials", "scope", "sellingpartnerapi::notifications"); status != 503 || got["error"] != "server_error" {
		t.Errorf("%d %v", status, got)
	}
	if status, _ := w.grant("grant_type", "client_credentials", "scope", "sellingpartnerapi::notifications"); status != 200 {
		t.Errorf("the second time: %d", status)
	}
}

func TestFaultsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, ft := range []fakeamazon.Fault{{}, {Kind: "typo"}, {Kind: fakeamazon.Answer}, {Kind: fakeamazon.Answer, Status: 200}, {Kind: fakeamazon.DropPrice, Status: 500}} {
		if _, err := w.fake.AddFault(ft); err == nil {
			t.Errorf("%+v was taken", ft)
		}
	}
}

// asError is what a handler panicked with, as far as it is an error.
func asError(v any) error {
	err, _ := v.(error)
	return err
}
