package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/guard"
	"pricemanager/internal/identity"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/runtime"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/test/replay"
)

// correct asks for a correction of an offer of the connection in Germany.
func (w *world) correct(key, idempotency string, sku price.SKU, seen, change string) (int, string) {
	w.t.Helper()
	name, err := json.Marshal(sku)
	if err != nil {
		w.t.Fatal(err)
	}
	body := fmt.Sprintf(`{"connection":%q,"marketplace":%q,"sku":%s,"seen":%s,%s}`, conn, de, name, seen, change)
	return w.ask(key, http.MethodPost, "/corrections", "", idempotency, body)
}

func (w *world) batchOf(body string) lane.Batch {
	w.t.Helper()
	var d batchDoc
	if err := json.Unmarshal([]byte(body), &d); err != nil || d.ID == "" {
		w.t.Fatalf("no batch in %s", body)
	}
	b, err := lane.NewBatches(w.db, w.blobs).Get(w.t.Context(), seller, d.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *world) find(sku price.SKU) lane.Current {
	w.t.Helper()
	c, err := lane.NewOffers(w.db).Find(w.t.Context(), seller, price.OfferKey{Connection: conn, Marketplace: de, SKU: sku})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// limited is a doorman whose keys have one scope only.
type limited struct{ scope identity.Scope }

func (l limited) Authenticate(ctx context.Context, key secret.Value) (identity.Principal, error) {
	p, err := doorman{}.Authenticate(ctx, key)
	p.Scopes = []identity.Scope{l.scope}
	return p, err
}

func (w *world) limit(s identity.Scope) {
	w.serve = replay.Handler(runtime.JSON(w.router.Lambda(limited{s})))
}

const (
	sawTwenty = `{"prices":{"price":{"amount":"20.00","currency":"EUR"}}}`
	toTwenty1 = `"set":{"price":{"amount":"21.00","currency":"EUR"}}`
)

func TestACorrectionIsCommittedWhenItIsAnswered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	status, body := w.correct(mine, "k1", "SKU-1", sawTwenty, toTwenty1)
	if status != http.StatusAccepted {
		t.Fatalf("%d %s", status, body)
	}
	b := w.batchOf(body)
	if b.State != lane.Sending || b.Priority != lane.PriorityEdit || b.Counts[lane.Desired] != 1 {
		t.Errorf("batch %s of priority %d with %v; want it committed and first", b.State, b.Priority, b.Counts)
	}
	if c := w.find("SKU-1"); *c.Pending.Our != price.FromMinor(2100, "EUR") {
		t.Errorf("pending %v, want 21.00", c.Pending.Our)
	}
	// Its lane is rung at once, and the net under its activation later.
	kinds := ""
	for _, m := range w.queue.Receive(10, time.Minute) {
		d, err := lane.ParseDoorbell(m.Body)
		if err != nil {
			t.Fatal(err)
		}
		kinds += string(d.Kind) + " "
	}
	if kinds != "lane " {
		t.Errorf("rang %q at once, want the lane", kinds)
	}
}

func TestARepeatedCorrectionIsOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, first := w.correct(mine, "k1", "SKU-1", sawTwenty, toTwenty1)
	status, again := w.correct(mine, "k1", "SKU-1", sawTwenty, toTwenty1)
	if status != http.StatusAccepted || again != first {
		t.Errorf("the same key gave %d %s, want the first answer %s", status, again, first)
	}
	status, body := w.correct(mine, "k1", "SKU-2", sawTwenty, toTwenty1)
	if status != http.StatusConflict || !strings.Contains(body, "idempotency-key-reused") {
		t.Errorf("the same key for another offer gave %d %s", status, body)
	}
	list, _, err := lane.NewBatches(w.db, w.blobs).List(t.Context(), seller, "", 10)
	if err != nil || len(list) != 1 {
		t.Errorf("%d batches, %v; want one", len(list), err)
	}
}

// A caller that dies after the request was kept finds the same batch later.
func TestACorrectionThatWasKeptAndNotAppliedIsTakenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fail := true
	w.db.Hook = func(op memory.Op) (bool, error) {
		if op.Kind == memory.Put && op.Writes[0].Put.PK == "batches" && fail {
			fail = false
			return false, store.ErrThrottled
		}
		return true, nil
	}
	if status, body := w.correct(mine, "k1", "SKU-1", sawTwenty, toTwenty1); status != http.StatusInternalServerError {
		t.Fatalf("%d %s, want the failure", status, body)
	}
	status, body := w.correct(mine, "k1", "SKU-1", sawTwenty, toTwenty1)
	if status != http.StatusAccepted || w.batchOf(body).State != lane.Sending {
		t.Errorf("repeated: %d %s", status, body)
	}
}

func TestACorrectionOfAnOfferThatMovedIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.find("SKU-1").Version
	for _, seen := range []string{`{"prices":{"price":{"amount":"19.99","currency":"EUR"}}}`, `{"prices":{}}`, fmt.Sprintf(`{"version":%d}`, v+1)} {
		status, body := w.correct(mine, "k", "SKU-1", seen, toTwenty1)
		if status != http.StatusConflict || !strings.Contains(body, "offer-moved") || !strings.Contains(body, `"amount":"20.00"`) {
			t.Errorf("seen %s: %d %s; want 409 with the prices as they are", seen, status, body)
		}
	}
	// It moves after it was compared, just before it is staged.
	w.db.Hook = func(op memory.Op) (bool, error) {
		if op.Kind == memory.Put && op.Writes[0].Put.PK == "batches" {
			w.clock.Advance(time.Second)
			now := price.FromMinor(2500, "EUR")
			read := lane.Read{Key: w.find("SKU-1").Key, Prices: price.Prices{Our: &now}, Begun: w.clock.Now()}
			if err := lane.NewOffers(w.db).Learn(t.Context(), seller, read); err != nil {
				t.Error(err)
			}
		}
		return true, nil
	}
	status, body := w.correct(mine, "k2", "SKU-1", fmt.Sprintf(`{"version":%d}`, v), toTwenty1)
	if status != http.StatusConflict || !strings.Contains(body, "offer-moved") {
		t.Errorf("moved before staging: %d %s", status, body)
	}
	if c := w.find("SKU-1"); *c.Pending.Our != price.FromMinor(2500, "EUR") {
		t.Errorf("pending %v, want nothing of the correction", c.Pending.Our)
	}
}

// newRecorded has a batch under way that sets SKU-1 to 18.50.
func TestACorrectionTakesThePlaceOfAWaitingChange(t *testing.T) {
	t.Parallel()
	for name, to := range map[string]string{"another price": "19.00", "what Amazon shows": "20.00", "the very same price, only sooner": "18.50"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newRecorded(t)
			status, body := w.correct(mine, "k9", "SKU-1", sawTwenty, `"set":{"price":{"amount":"`+to+`","currency":"EUR"}}`)
			if status != http.StatusAccepted {
				t.Fatalf("%d %s", status, body)
			}
			if c := w.find("SKU-1"); c.Change.Batch != w.batchOf(body).ID || c.Pending.Our.Decimal() != to {
				t.Errorf("wanted by %s: %v; want the correction's %s", c.Change.Batch, c.Pending.Our, to)
			}
		})
	}
}

func TestAGuardThatHoldsACorrectionSaysWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct{ change, typ, code, field, value string }{
		"a large move":           {`"set":{"price":{"amount":"13.00","currency":"EUR"}}`, "correction-held", "large-move", "price", "13.00 EUR"},
		"a drop by mistake":      {`"set":{"price":{"amount":"1.99","currency":"EUR"}}`, "correction-refused", "large-drop", "price", "1.99 EUR"},
		"below its own minimum":  {`"set":{"price":{"amount":"19.00","currency":"EUR"},"minimum_price":{"amount":"19.50","currency":"EUR"}}`, "correction-refused", "below-minimum", "price", "19.00 EUR"},
		"another currency":       {`"set":{"price":{"amount":"19.00","currency":"USD"}}`, "correction-refused", "currency-mismatch", "price", "19.00 USD"},
		"removing the price":     {`"clear":["price"]`, "correction-refused", "price-required", "price", "none"},
		"nothing would change":   {`"set":{"price":{"amount":"20.00","currency":"EUR"}}`, "correction-unchanged", "", "", ""},
		"clearing what is unset": {`"clear":["sale_price"]`, "correction-unchanged", "", "", ""},
	} {
		status, body := w.correct(mine, name, "SKU-1", `{"version":1}`, c.change)
		var p struct {
			Type string
			Rows []struct {
				Row      int
				SKU      price.SKU
				Findings []plan.Finding
			}
		}
		if err := json.Unmarshal([]byte(body), &p); err != nil || status != http.StatusConflict || p.Type != "/problems/"+c.typ {
			t.Errorf("%s: %d %s, want %s", name, status, body, c.typ)
			continue
		}
		if c.code == "" {
			continue
		}
		if len(p.Rows) != 1 || p.Rows[0].Row != 1 || p.Rows[0].SKU != "SKU-1" || len(p.Rows[0].Findings) == 0 {
			t.Errorf("%s: rows %+v", name, p.Rows)
			continue
		}
		f := p.Rows[0].Findings[0]
		if f.Code != c.code || f.Column != c.field || f.Value != c.value || f.Reason == "" || f.Fix == "" {
			t.Errorf("%s: %+v; want code %q, field %q, value %q", name, f, c.code, c.field, c.value)
		}
	}
	if n := w.queue.Len(); n != 0 {
		t.Errorf("%d doorbells were rung for corrections that are not sent", n)
	}
}

func TestACorrectionMaySetAndClearEveryFieldOfAnySKU(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	was := price.FromMinor(2000, "EUR")
	low, high, b2b := price.FromMinor(1500, "EUR"), price.FromMinor(2500, "EUR"), price.FromMinor(1900, "EUR")
	for i, sku := range []price.SKU{"A/B#1", "100% cotton", "a+b", "größe 漢字", `quote"back\slash`, "with,comma", "../up"} {
		key := price.OfferKey{Connection: conn, Marketplace: de, SKU: sku}
		known := price.Prices{Our: &was, Min: &low, Max: &high, B2B: &b2b}
		if err := lane.NewOffers(w.db).Learn(t.Context(), seller, lane.Read{Key: key, Prices: known, Begun: w.clock.Now()}); err != nil {
			t.Fatal(err)
		}
		status, body := w.correct(mine, fmt.Sprint("k", i), sku, `{"version":1}`, `"set":{
			"price":{"amount":"21.00","currency":"EUR"}, "minimum_price":{"amount":"12.00","currency":"EUR"},
			"sale_price":{"price":{"amount":"18.00","currency":"EUR"},"start":"2026-11-23T00:00:00Z","end":"2026-12-01T00:00:00Z"},
			"b2b_price":{"amount":"18.50","currency":"EUR"}, "b2b_tiers":[{"quantity":5,"price":{"amount":"18.00","currency":"EUR"}}]},
			"clear":["maximum_price"]`)
		if status != http.StatusAccepted {
			t.Errorf("%q: %d %s", sku, status, body)
			continue
		}
		c := w.find(sku)
		got := c.Pending.Summary(price.Fields())
		want := "price 21.00 EUR, sale_price 18.00 EUR from 2026-11-23 to 2026-12-01, minimum_price 12.00 EUR, maximum_price none, b2b_price 18.50 EUR, b2b_tiers 18.00 EUR from 5"
		if got != want {
			t.Errorf("%q: pending %s, want %s", sku, got, want)
		}
	}
}

func TestACorrectionThatIsNotWellFormedIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct{ seen, change, says string }{
		"seen by nothing":    {`{}`, toTwenty1, "what you saw"},
		"seen is null":       {`null`, toTwenty1, "null"},
		"seen by both":       {`{"version":1,"prices":{}}`, toTwenty1, "what you saw"},
		"no change":          {sawTwenty, `"set":{}`, "set or to clear"},
		"set and cleared":    {sawTwenty, toTwenty1 + `,"clear":["price"]`, "both set and cleared"},
		"an unknown field":   {sawTwenty, `"clear":["cost"]`, "cost"},
		"an amount in float": {sawTwenty, `"set":{"price":{"amount":21.5,"currency":"EUR"}}`, "wrong type"},
		"parts of a second":  {sawTwenty, `"set":{"sale_price":{"price":{"amount":"19.00","currency":"EUR"},"start":"2026-11-23T00:00:00.5Z","end":"2026-12-01T00:00:00Z"}}`, "whole second"},
		"no amount":          {sawTwenty, `"set":{"price":{"amount":"1.2.3","currency":"EUR"}}`, "decimal"},
	} {
		if status, body := w.correct(mine, "k", "SKU-1", c.seen, c.change); status != http.StatusBadRequest || !strings.Contains(body, c.says) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if status, body := w.correct(mine, "", "SKU-1", sawTwenty, toTwenty1); status != http.StatusBadRequest || !strings.Contains(body, "Idempotency-Key") {
		t.Errorf("without a key: %d %s", status, body)
	}
	if status, body := w.correct(mine, "k", price.SKU(strings.Repeat("x", 300)), sawTwenty, toTwenty1); status != http.StatusBadRequest {
		t.Errorf("a SKU of 300 bytes: %d %s", status, body)
	}
}

func TestACorrectionNeedsBothScopesAndAnOfferOfOnesOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	status, foreign := w.correct(theirs, "k1", "SKU-1", sawTwenty, toTwenty1)
	if status != http.StatusNotFound {
		t.Errorf("a foreign offer: %d %s", status, foreign)
	}
	status, body := w.ask(theirs, http.MethodPost, "/corrections", "", "k2",
		`{"connection":"conn_bbbbbbbbbbbbbbbbbbbbbbbbbb","marketplace":"`+string(de)+`","sku":"SKU-1","seen":{"version":1},`+toTwenty1+`}`)
	if status != http.StatusNotFound || !strings.Contains(body, "offer-not-found") {
		t.Errorf("an offer that only another tenant has: %d %s", status, body)
	}
	w.limit(identity.BatchesWrite)
	if status, body := w.correct(mine, "k3", "SKU-1", sawTwenty, toTwenty1); status != http.StatusForbidden || !strings.Contains(body, "plans:write") {
		t.Errorf("without plans:write: %d %s", status, body)
	}
	w.limit(identity.PlansWrite)
	if status, body := w.correct(mine, "k3", "SKU-1", sawTwenty, toTwenty1); status != http.StatusForbidden || !strings.Contains(body, "batches:write") {
		t.Errorf("without batches:write: %d %s", status, body)
	}
}

func TestAnAppliedRollbackGoesBeforeBulkAndAFileDoesNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for origin, want := range map[plan.Origin]int{plan.OfFile: lane.PriorityBulk, plan.OfRollback: lane.PriorityReversal} {
		id, err := plan.NewID(strings.NewReader("sixteen " + fmt.Sprintf("%-8s", origin)))
		if err != nil {
			t.Fatal(err)
		}
		in := plan.Input{ID: id, Tenant: seller, Actor: "key:good", File: "f.csv", Content: []byte(oneRow), Policy: plan.SkipBadRows,
			Guards: guard.NewSet(guard.Default(), nil), Now: w.clock.Now(), Connections: map[price.MarketplaceID]price.ConnectionID{de: conn}}
		if origin == plan.OfRollback {
			to := price.FromMinor(2100, "EUR")
			in.Restore = []plan.Restore{{Line: 1, Marketplace: de, SKU: "SKU-2", Edit: price.Edit{Set: price.Prices{Our: &to}}, Version: w.find("SKU-2").Version}}
		}
		p, err := (&plan.Store{DB: w.db, Blobs: w.blobs, Clock: w.clock}).Create(t.Context(), in, lane.NewOffers(w.db))
		if err != nil {
			t.Fatal(err)
		}
		status, body := w.ask(mine, http.MethodPost, "/batches", "", "k"+string(origin), `{"plan":"`+p.ID+`","token":"`+p.Token+`"}`)
		if status != http.StatusAccepted {
			t.Fatalf("%d %s", status, body)
		}
		if b := w.batchOf(body); b.Priority != want {
			t.Errorf("plan of %q has priority %d, want %d", origin, b.Priority, want)
		}
	}
}
