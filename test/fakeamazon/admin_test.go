package fakeamazon_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"pricemanager/internal/price"
	"pricemanager/test/fakeamazon"
)

// admin calls an admin route and decodes the answer into to, unless nil.
func (w *world) admin(method, path, body string, to any) int {
	w.t.Helper()
	got := w.do(httptest.NewRequest(method, "/_fake/"+path, strings.NewReader(body)))
	if to != nil {
		if err := json.Unmarshal(got.Body.Bytes(), to); err != nil {
			w.t.Fatalf("%s %s: %d %s", method, path, got.Code, got.Body)
		}
	}
	return got.Code
}

func TestAdminRoutesDriveEverythingFromOutside(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if got := w.admin("GET", "ready", "", nil); got != 200 {
		t.Errorf("ready: %d", got)
	}
	if got := w.admin("POST", "sellers", `{"sellers":[{"id":"A2BOB","region":"EU","marketplaces":["`+string(de)+`"],"listings":[{"marketplace":"`+string(de)+`","sku":"B/1","price":"5.00"}]}]}`, nil); got != 204 {
		t.Errorf("sellers: %d", got)
	}
	var counted struct{ Listings, Released, Revoked int }
	w.admin("POST", "listings?region=EU&seller=A2BOB", `[{"marketplace":"`+string(de)+`","sku":"B 2","price":"6.00"}]`, &counted)
	if counted.Listings != 1 {
		t.Error("listings:", counted)
	}
	w.admin("POST", "report?region=EU&seller=A2BOB&marketplace="+string(de)+"&fill=true", "seller-sku\tprice\nB3\t7.00\n", &counted)
	var l fakeamazon.Listing
	w.admin("GET", "listing?region=EU&seller=A2BOB&marketplace="+string(de)+"&sku=B3", "", &l)
	if l.Price != "7.00" || l.Max != "10.50" {
		t.Errorf("listing: %+v", l)
	}
	var fault struct{ ID string }
	w.admin("POST", "faults", `{"kind":"drop","sku":"S1"}`, &fault)
	w.accepted("S1", de, ourPrice("24.90"))
	var faults []fakeamazon.Fault
	w.admin("GET", "faults", "", &faults)
	if len(faults) != 1 || faults[0].Hits != 1 || faults[0].ID != fault.ID {
		t.Errorf("faults: %+v", faults)
	}
	if got := w.admin("DELETE", "faults/"+fault.ID, "", nil); got != 204 {
		t.Errorf("delete: %d", got)
	}
	w.accepted("S1", de, ourPrice("25"))
	var effects []fakeamazon.Effect
	w.admin("GET", "effects", "", &effects)
	if len(effects) != 1 || effects[0].Count != 1 || effects[0].SKU != "S1" {
		t.Errorf("effects: %+v", effects)
	}
	var lines []fakeamazon.Request
	w.admin("GET", "requests?op=patchListingsItem&sku=S1&limit=1", "", &lines)
	if len(lines) != 1 || lines[0].Fault != fault.ID || lines[0].Status != 200 || lines[0].Verdict != "ACCEPTED" {
		t.Errorf("requests: %+v", lines)
	}
	w.admin("GET", fmt.Sprintf("requests?op=patchListingsItem&after=%d", lines[0].Seq), "", &lines)
	if len(lines) != 1 || !lines[0].Effect {
		t.Errorf("requests after: %+v", lines)
	}
	var redirect struct{ Redirect string }
	w.admin("POST", "consent?"+url.Values{"seller": {"A2BOB"}, "url": {"http://fake" + consentURL()}}.Encode(), "", &redirect)
	if !strings.Contains(redirect.Redirect, "spapi_oauth_code=") {
		t.Errorf("consent: %+v", redirect)
	}
	var violations []fakeamazon.Violation
	w.admin("GET", "violations", "", &violations)
	if violations == nil || len(violations) != 0 {
		t.Errorf("violations: %+v", violations)
	}
	w.admin("POST", "revoke?region=EU&seller="+alice, "", &counted)
	if counted.Revoked != 1 {
		t.Errorf("revoke: %+v", counted)
	}
	if got := w.call("GET", itemPath("S1")+"?marketplaceIds="+string(de), ""); got.Code != 403 {
		t.Errorf("after revoking: %d", got.Code)
	}
	for _, bad := range [][3]string{
		{"POST", "sellers", `{"sellers":[{"id":"x","region":"EU","marketplaces":["ATVPDKIKX0DER"]}]}`}, {"POST", "sellers", `{"seller":[]}`},
		{"POST", "faults", `{"kind":"typo"}`}, {"POST", "faults", `{"kind":"drop","skus":"x"}`}, {"DELETE", "faults/none", ""},
		{"GET", "listing?sku=none", ""}, {"GET", "requests?after=x", ""}, {"POST", "secret", ""}, {"POST", "listings?region=EU&seller=none", "[]"},
	} {
		if got := w.admin(bad[0], bad[1], bad[2], nil); got != 400 {
			t.Errorf("%v: %d, want 400", bad, got)
		}
	}
}

func TestLogRemembersTheLastRequestsAndAllEffects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *fakeamazon.Config) { c.LogLimit = 10 })
	for i := range 35 {
		w.patch("S1", de, ourPrice(fmt.Sprintf("20.%02d", i)))
	}
	got := w.fake.Requests(fakeamazon.Query{})
	if len(got) != 10 || got[9].Seq != 36 || got[0].Seq != 27 { // the first was the token
		t.Errorf("%d lines from %d to %d", len(got), got[0].Seq, got[len(got)-1].Seq)
	}
	if e := w.fake.Effects(); e[0].Count != 35 {
		t.Errorf("%v", e)
	}
}

// Many clients at once: run with -race. Every admitted patch has exactly one
// effect, and the budget holds.
func TestManyClientsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var list []fakeamazon.Listing
	for i := range 40 {
		list = append(list, fakeamazon.Listing{Marketplace: de, SKU: price.SKU(fmt.Sprintf("C%02d", i)), Price: "1"})
	}
	w.must(w.fake.AddListings(price.EU, alice, list))
	var mu sync.Mutex
	admitted := map[int]int{}
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			code := w.call("PATCH", itemPath(fmt.Sprintf("C%02d", i))+"?marketplaceIds="+string(de), ourPrice("2")).Code
			mu.Lock()
			admitted[code]++
			mu.Unlock()
			w.fake.Requests(fakeamazon.Query{})
			w.fake.Violations()
		})
	}
	all.Wait()
	if admitted[200] != 5 || admitted[429] != 35 {
		t.Errorf("%v, want 5 admitted and 35 refused", admitted)
	}
	w.clock.Advance(time.Minute)
	if n := len(w.fake.Effects()); n != 5 {
		t.Errorf("%d effects", n)
	}
}

func TestConfigurationThatCannotWorkIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, change := range map[string]func(*fakeamazon.Config){
		"no clock":    func(c *fakeamazon.Config) { c.Clock = nil },
		"no redirect": func(c *fakeamazon.Config) { c.Application.RedirectURIs = nil },
		"speed":       func(c *fakeamazon.Config) { c.Speed = -1 },
	} {
		cfg := config(w.clock)
		change(&cfg)
		if _, err := fakeamazon.New(cfg); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
