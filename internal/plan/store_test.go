package plan_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/guard"
	"pricemanager/internal/ledger"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

type world struct {
	*plan.Store
	db    *memory.DB
	blobs *memory.Blobs
	clock *clock.Manual
	// breaker is the tenant's in jobs.
	breaker guard.Breaker
}

func newWorld() *world {
	c := clock.NewManual(now)
	w := &world{db: memory.New(c), blobs: memory.NewBlobs(c), clock: c}
	w.Store = &plan.Store{DB: w.db, Blobs: w.blobs, Clock: c,
		GuardsHash: func(context.Context, tenant.ID) (string, error) { return price.DefaultGuards().Hash(), nil }}
	return w
}

// small has one planned row, one refused and one unchanged.
func (w *world) small(t *testing.T, change ...func(*plan.Input)) plan.Stored {
	t.Helper()
	in := input("sku;preis\nA;9,00\nB;1,00\nC;10,00\n")
	for _, c := range change {
		c(&in)
	}
	k := shop(offerIn(germany, "A", price.Prices{Our: eur(1000)}), offerIn(germany, "C", price.Prices{Our: eur(1000)}))
	p, err := w.Create(t.Context(), in, k)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func wantFault(t *testing.T, err error, kind fault.Kind, typ string) {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Kind != kind || f.Type != typ {
		t.Errorf("got %v, want %s %s", err, kind, typ)
	}
}

func TestAStoredPlanIsThePlanThatWasBuilt(t *testing.T) {
	t.Parallel()
	w := newWorld()
	const n = 5_300
	k := shop()
	var file strings.Builder
	file.WriteString("sku;preis\n")
	for i := range n {
		o := offerIn(germany, price.SKU(fmt.Sprintf("S%05d", i)), price.Prices{Our: eur(1000)})
		k.offers[o.Key] = o
		fmt.Fprintf(&file, "%s;%s\n", o.Key.SKU, map[bool]string{true: "1,00", false: "9,00"}[i%5_299 == 0])
	}
	in := input(file.String())
	built := build(t, in, k)
	if _, err := w.Create(t.Context(), in, k); err != nil {
		t.Fatal(err)
	}
	stored, err := w.Load(t.Context(), acme, planID)
	if err != nil {
		t.Fatal(err)
	}
	if stored.Token != built.Token || stored.State != plan.Ready || stored.Summary.Refused != 2 {
		t.Errorf("stored %+v", stored)
	}
	var want []string
	for r := range built.Rows() {
		want = append(want, brief(r))
	}
	for _, limit := range []int{1_000, 777, 10_000} {
		var got []string
		for after, first := "", true; first || after != ""; first = false {
			page, err := w.Rows(t.Context(), acme, planID, after, limit, "")
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Rows {
				got = append(got, brief(r))
			}
			after = page.Next
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("limit %d: %s", limit, diff)
		}
	}
	page, err := w.Rows(t.Context(), acme, planID, "", 10, price.Refused)
	if err != nil || len(page.Rows) != 2 || page.Rows[1].Line != n+1 || page.Next != "" {
		t.Errorf("refused rows: %d, next %q, %v", len(page.Rows), page.Next, err)
	}
	if _, err := w.Rows(t.Context(), acme, planID, "x", 10, ""); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a made-up cursor: %v", err)
	}

	var lanes int64
	for from := int64(0); ; {
		rows, err := w.LaneRows(t.Context(), acme, planID, "conn_eu", from, 700)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range rows {
			// The first row of the file is refused, so places and numbers differ by one.
			if r.N != from+int64(i)+2 || r.Version != 4 || r.Edit.Set.Our.Minor() != 900 || r.Old.Our.Minor() != 1000 || r.Marketplace != germany {
				t.Fatalf("lane row %d is %+v", from+int64(i), r)
			}
		}
		from += int64(len(rows))
		lanes = from
		if len(rows) < 700 {
			break
		}
	}
	if lanes != n-2 {
		t.Errorf("%d lane rows, want %d", lanes, n-2)
	}
}

func TestALanesRowReadsAsDocumented(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.small(t)
	names, err := w.blobs.List(t.Context(), acme, store.Files, "plans/"+planID+"/lane-")
	if err != nil || len(names) != 1 || names[0] != "plans/"+planID+"/lane-conn_eu-000000.jsonl" {
		t.Fatal(names, err)
	}
	body, err := w.blobs.Get(t.Context(), acme, store.Files, names[0])
	if err != nil {
		t.Fatal(err)
	}
	want := `{"n":1,"line":2,"m":"A1PA6795UKMFR9","sku":"A","v":4,"edit":{"set":{"price":{"amount":"9.00","currency":"EUR"}}},"old":{"price":{"amount":"10.00","currency":"EUR"}}}` + "\n"
	if string(body) != want {
		t.Errorf("got %s", body)
	}
}

func TestAnotherTenantsPlanIsNotFound(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p := w.small(t)
	ctx := t.Context()
	for name, call := range map[string]func(id string) error{
		"load":  func(id string) error { _, err := w.Load(ctx, other, id); return err },
		"rows":  func(id string) error { _, err := w.Rows(ctx, other, id, "", 10, ""); return err },
		"lane":  func(id string) error { _, err := w.LaneRows(ctx, other, id, "conn_eu", 0, 10); return err },
		"claim": func(id string) error { _, err := w.Claim(ctx, other, id, p.Token, "k", "bat_1"); return err },
	} {
		foreign, missing := call(planID), call("plan_bbbbbbbbbbbbbbbbbbbbbbbbbb")
		wantFault(t, foreign, fault.NotFound, "plan-not-found")
		if foreign == nil || missing == nil || foreign.Error() != missing.Error() {
			t.Errorf("%s: a foreign plan (%v) can be told from a missing one (%v)", name, foreign, missing)
		}
		wantFault(t, call("../x"), fault.NotFound, "plan-not-found")
	}
	if p, err := w.Load(ctx, acme, planID); err != nil || p.State != plan.Ready {
		t.Errorf("the owner's plan is %s, %v", p.State, err)
	}
}

func TestAPlanIsClaimedOnceAndTheSameKeyReplays(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p := w.small(t)
	ctx := t.Context()

	_, err := w.Claim(ctx, acme, planID, p.Token+"x", "key-1", "bat_1")
	wantFault(t, err, fault.Conflict, "plan-token-mismatch")
	_, err = w.Claim(ctx, acme, planID, p.Token, "", "bat_1")
	wantFault(t, err, fault.Invalid, "idempotency-key")

	got, err := w.Claim(ctx, acme, planID, p.Token, "key-1", "bat_1")
	if err != nil || got.Batch != "bat_1" || got.State != plan.Applied {
		t.Fatalf("got %+v, %v", got, err)
	}
	w.clock.Advance(2 * plan.Lifetime) // a replay is a replay also after the plan's time
	got, err = w.Claim(ctx, acme, planID, p.Token, "key-1", "bat_2")
	if err != nil || got.Batch != "bat_1" {
		t.Errorf("replay: %+v, %v", got, err)
	}
	_, err = w.Claim(ctx, acme, planID, p.Token, "key-2", "bat_2")
	wantFault(t, err, fault.Conflict, "plan-already-applied")
	var f *fault.Fault
	if errors.As(err, &f) && f.Extra["batch"] != "bat_1" {
		t.Errorf("the conflict names batch %v", f.Extra["batch"])
	}
	_, err = w.Claim(ctx, acme, planID, "p1_guess", "key-1", "bat_1")
	wantFault(t, err, fault.Conflict, "plan-token-mismatch")
}

func TestAnExpiredPlanCannotBeClaimed(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p := w.small(t)
	w.clock.Advance(plan.Lifetime)
	_, err := w.Claim(t.Context(), acme, planID, p.Token, "key-1", "bat_1")
	wantFault(t, err, fault.Gone, "plan-expired")
	if p, err := w.Load(t.Context(), acme, planID); err != nil || p.State != plan.Expired {
		t.Errorf("state %s, %v", p.State, err)
	}
}

func TestABlockedPlanCannotBeClaimed(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p := w.small(t, func(in *plan.Input) { in.Policy = plan.AllOrNothing })
	_, err := w.Claim(t.Context(), acme, planID, p.Token, "key-1", "bat_1")
	wantFault(t, err, fault.Conflict, "plan-not-applicable")
	if p.State != plan.Blocked {
		t.Errorf("state %s", p.State)
	}
}

func TestOfManyWhoClaimAtOnceOneWins(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p := w.small(t)
	var won, lost sync.Map
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			batch := fmt.Sprint("bat_", i)
			got, err := w.Claim(context.Background(), acme, planID, p.Token, "key-"+batch, batch)
			if err == nil {
				won.Store(got.Batch, true)
				return
			}
			lost.Store(batch, err)
		})
	}
	wg.Wait()
	n := 0
	won.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d batches were made of one plan", n)
	}
	lost.Range(func(_, err any) bool { wantFault(t, err.(error), fault.Conflict, "plan-already-applied"); return true })
}

func TestAlteredPlansAreNotRead(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p := w.small(t)
	ctx := t.Context()
	for _, name := range []string{"rows-000000.jsonl", "lane-conn_eu-000000.jsonl"} {
		name = "plans/" + planID + "/" + name
		body, err := w.blobs.Get(ctx, acme, store.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.blobs.Put(ctx, acme, store.Files, name, "", bytes.Replace(body, []byte("9.00"), []byte("1.00"), 1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Rows(ctx, acme, planID, "", 10, ""); err == nil {
		t.Error("altered rows are shown")
	}
	if _, err := w.LaneRows(ctx, acme, planID, "conn_eu", 0, 10); err == nil {
		t.Error("altered rows are sent")
	}
	key := store.Key{PK: "plans", SK: planID}
	it, err := w.db.Get(ctx, acme, store.Offers, key)
	if err != nil {
		t.Fatal(err)
	}
	header := bytes.Replace(it.Bytes("header"), []byte(`"guardsHash":"`), []byte(`"guardsHash":"0`), 1)
	if _, err := w.db.Update(ctx, acme, store.Offers, key, store.Update{Set: map[string]any{"header": header}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Claim(ctx, acme, planID, p.Token, "key-1", "bat_1"); err == nil {
		t.Error("a plan with an altered header is applied")
	}
}

// failing refuses the n-th write of a blob.
type failing struct {
	store.Blobs
	left atomic.Int64
}

func (f *failing) Put(ctx context.Context, t tenant.ID, b store.Bucket, name, typ string, body []byte) error {
	if f.left.Add(-1) < 0 {
		return errors.New("bucket broke")
	}
	return f.Blobs.Put(ctx, t, b, name, typ, body)
}

func TestAPlanThatWasNotWhollyWrittenDoesNotExist(t *testing.T) {
	t.Parallel()
	for writes := range 2 {
		w := newWorld()
		broken := &failing{Blobs: w.blobs}
		broken.left.Store(int64(writes))
		w.Blobs = broken
		k := shop(offerIn(germany, "A", price.Prices{Our: eur(1000)}))
		if _, err := w.Create(t.Context(), input("sku;preis\nA;9,00\n"), k); err == nil {
			t.Fatalf("created with %d of 2 files", writes)
		}
		_, err := w.Load(t.Context(), acme, planID)
		wantFault(t, err, fault.NotFound, "plan-not-found")
	}
}

func TestAPlanIsOneLedgerEvent(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p := w.small(t)
	if _, err := w.Claim(t.Context(), acme, planID, p.Token, "key-1", "bat_1"); err != nil {
		t.Fatal(err)
	}
	if err := w.db.Delete(t.Context(), acme, store.Offers, store.Key{PK: "plans", SK: planID}); err != nil {
		t.Fatal(err)
	}
	var events []ledger.Event
	for _, r := range w.db.Records(store.Offers, "") {
		events = append(events, plan.Events(r)...)
	}
	if len(events) != 1 {
		t.Fatalf("got %d events", len(events))
	}
	e := events[0]
	var after struct{ Token, File string }
	if err := json.Unmarshal(e.After, &after); err != nil {
		t.Fatal(err)
	}
	if e.Type != ledger.PlanCreated || !e.At.Equal(now) || e.Actor != "key:k1" || e.Target != "plan:"+planID || after.Token != p.Token || after.File != "prices.csv" {
		t.Errorf("got %+v %s", e, e.After)
	}
	if got := plan.Events(store.Record{Table: store.Offers, Key: store.Key{PK: "batch#x", SK: "batch"}, New: &store.Item{}, At: time.Now()}); got != nil {
		t.Errorf("another room's item is %v", got)
	}
}

func TestATenantsPlansAreListedPageByPage(t *testing.T) {
	t.Parallel()
	w := newWorld()
	ids := []string{"plan_" + strings.Repeat("a", 26), "plan_" + strings.Repeat("b", 26), "plan_" + strings.Repeat("c", 26)}
	for _, id := range ids {
		w.small(t, func(in *plan.Input) { in.ID = id })
	}
	if _, err := w.Create(t.Context(), plan.Input{ID: "plan_" + strings.Repeat("d", 26), Tenant: other, Actor: "key:k2", File: "theirs.csv",
		Content: []byte("sku;price\nA;1.00\n"), Policy: plan.SkipBadRows, Guards: price.DefaultGuards(), Now: now}, shop()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for after, first := "", true; first || after != ""; first = false {
		page, next, err := w.List(t.Context(), acme, after, 2)
		if err != nil || len(page) > 2 {
			t.Fatalf("%d plans, %v", len(page), err)
		}
		for _, p := range page {
			if p.Summary.Rows != 3 || p.State != plan.Ready {
				t.Errorf("%s is %s with %d rows", p.ID, p.State, p.Summary.Rows)
			}
			got = append(got, p.ID)
		}
		after = next
	}
	if diff := cmp.Diff(ids, got); diff != "" {
		t.Error(diff)
	}
}
