package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/identity"
	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/web"
)

func TestAnExportOfOneKeyHasWhatItIsAndDidAndNothingElse(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.trade(t, tenantA, "A1ALPHA", 2000) // by key:A1ALPHA
	keys, _, err := w.keys.List(ctx, tenantA, "", 10)
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	self := "key:" + keys[0].ID
	w.newKey(t, tenantA, identity.ExportsRead) // somebody else's
	for i, actor := range []string{self, "key:other", self + "x"} {
		e := ledger.Event{Type: ledger.GuardsChanged, At: w.app.Clock.Now(), Actor: actor, Target: "guards"}
		if err := w.log.AppendDirect(ctx, tenantA, string(rune('a'+i)), e); err != nil {
			t.Fatal(err)
		}
	}
	_, body := w.call(t, w.key[tenantA], http.MethodPost, "/exports?member="+self)
	if body["member"] != self {
		t.Fatalf("%v", body)
	}
	if n := w.work(t); n != 0 {
		t.Fatalf("%d messages failed", n)
	}
	_, body = w.call(t, w.key[tenantA], http.MethodGet, "/exports/"+body["id"].(string))
	_, archive, err := w.blobs.Follow(body["url"].(string))
	if err != nil {
		t.Fatal(err)
	}
	files := unzip(t, archive, body["password"].(string))
	for _, absent := range []string{"ledger.jsonl", "offers.csv", "connections.csv", "company.json", "prices.csv", "guards.json", "history.csv"} {
		if _, ok := files[absent]; ok {
			t.Errorf("%s is no personal data of theirs", absent)
		}
	}
	for name, rows := range map[string]int{"apikeys.csv": 1, "plans.csv": 0, "batches.csv": 0, "members.csv": 0, "exports.csv": 1} {
		if got := strings.Count(files[name], "\n") - 1; got != rows {
			t.Errorf("%s has %d rows, want %d: %s", name, got, rows, files[name])
		}
	}
	if events := files["events.jsonl"]; strings.Count(events, "\n") != 1 || !strings.Contains(events, `"actor":"`+self+`"`) {
		t.Errorf("events: %s", events)
	}
	for name, content := range files {
		if strings.Contains(content, "A1ALPHA") || strings.Contains(content, "key:other") || strings.Contains(content, self+"x") {
			t.Errorf("%s shows what others did", name)
		}
	}
}

func TestAnExportOfAMemberThatTheCompanyHasNotIsNotFound(t *testing.T) {
	t.Parallel()
	w := setup(t)
	keys, _, err := w.keys.List(ctx, tenantB, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, member := range []string{"key:" + keys[0].ID, "key:none", "member:none", "member:", "none", "system:x"} {
		if status, body := w.call(t, w.key[tenantA], http.MethodPost, "/exports?member="+member); status != http.StatusNotFound {
			t.Errorf("%s: %d %v", member, status, body)
		}
	}
	if w.queue.Len() != 0 {
		t.Error("one was begun")
	}
}

// TestAPersonNeedsARecentCodeForAnArchive: to ask for one, and to be handed it.
func TestAPersonNeedsARecentCodeForAnArchive(t *testing.T) {
	t.Parallel()
	w := setup(t)
	as := func(codeAgo time.Duration) *web.Request {
		return &web.Request{ID: "req-1", Tenant: tenantA, Principal: identity.Principal{Tenant: tenantA, Actor: "member:m1", Member: "m1",
			Role: identity.Owner, Enrolled: true, MFAAt: w.app.Clock.Now().Add(-codeAgo)}}
	}
	if _, err := w.request(ctx, as(identity.RecentMFA)); err == nil || !strings.Contains(err.Error(), "authenticator") {
		t.Errorf("with an old code: %v", err)
	}
	resp, err := w.request(ctx, as(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if n := w.work(t); n != 0 {
		t.Fatalf("%d messages failed", n)
	}
	for ago, want := range map[time.Duration]bool{time.Minute: true, identity.RecentMFA: false} {
		r := as(ago)
		r.Params = map[string]string{"id": strings.TrimPrefix(resp.Header.Get("Location"), "/exports/")}
		got, err := w.export(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(got.Body), `"url":`) != want || strings.Contains(string(got.Body), `"password":`) != want {
			t.Errorf("%s after the code: %s", ago, got.Body)
		}
	}
}

func TestThePricesOfAnExportAreAPriceFile(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.trade(t, tenantA, "A1ALPHA", 2000)
	f, err := pricefile.Open(strings.NewReader(w.exported(t, tenantA)["prices.csv"]), pricefile.Options{Name: "prices.csv"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	got := map[price.SKU]string{}
	for row, bad := range f.Rows() {
		if len(bad) > 0 || row.Marketplace != de {
			t.Fatal(row, bad)
		}
		p := row.Edit.Apply(price.Prices{})
		got[row.SKU] = p.Our.Decimal()
	}
	if len(got) != 2 || got["SKU-1"] != "20.00" || got["SKU-2"] != "20.01" {
		t.Errorf("read back: %v", got)
	}
}
