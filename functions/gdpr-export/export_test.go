package main

import (
	"context"
	"crypto/rand"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

const (
	conn = price.ConnectionID("conn_aaaaaaaaaaaaaaaaaaaaaaaaaa")
	de   = price.MarketplaceID("A1PA6795UKMFR9")
)

// trade gives a tenant a connection, two offers, two plans and their batches:
// one committed, one refused because its offer moved. All ids, keys and SKUs
// are the same for every tenant; only its mark tells whose a thing is.
func (w *world) trade(t *testing.T, id tenant.ID, mark string, minor int64) {
	t.Helper()
	clk := w.app.Clock
	err := w.db.Put(ctx, id, store.Connections, store.Item{Key: store.Key{PK: "connections", SK: string(conn)}, Attrs: map[string]any{
		"region": "EU", "state": "active", "seller": mark, "authorised": store.Millis(clk.Now()), "markets": []byte(`["A1PA6795UKMFR9"]`),
	}})
	if err != nil {
		t.Fatal(err)
	}
	offers, batches := lane.NewOffers(w.db), lane.NewBatches(w.db, w.blobs)
	plans := &plan.Store{DB: w.db, Blobs: w.blobs, Clock: clk,
		GuardsHash: func(context.Context, tenant.ID) (string, error) { return price.DefaultGuards().Hash(), nil }}
	bell := lane.Bell{DB: w.db, Queue: memory.NewQueue(clk), Now: clk.Now}
	engine := &lane.Engine{DB: w.db, Blobs: w.blobs, Bell: bell, Clock: clk, Log: w.app.Log,
		Planned: func(ctx context.Context, t tenant.ID, id string, c price.ConnectionID, from int64, limit int) ([]lane.Row, error) {
			rows, err := plans.LaneRows(ctx, t, id, c, from, limit)
			out := make([]lane.Row, len(rows))
			for i, r := range rows {
				out[i] = lane.Row(r)
			}
			return out, err
		}}
	learn := func(sku price.SKU, minor int64, begun time.Time) {
		t.Helper()
		known := price.FromMinor(minor, "EUR")
		err := offers.Learn(ctx, id, lane.Read{Prices: price.Prices{Our: &known}, Begun: begun, Title: mark,
			Key: price.OfferKey{Connection: conn, Marketplace: de, SKU: sku}})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, sku := range []price.SKU{"SKU-1", "SKU-2"} {
		learn(sku, minor, clk.Now())
		letter := string(rune('a' + i))
		planID, batchID := "plan_"+strings.Repeat(letter, 26), "bat_"+strings.Repeat(letter, 26)
		wanted := price.FromMinor(minor-100, "EUR")
		p, err := plans.Create(ctx, plan.Input{ID: planID, Tenant: id, Actor: "key:" + mark, File: mark + ".csv", Policy: plan.AllOrNothing,
			Content: fmt.Appendf(nil, "sku;marketplace;price\n%s;DE;%s\n", sku, wanted.Decimal()), Guards: price.DefaultGuards(), Now: clk.Now(),
			Connections: map[price.MarketplaceID]price.ConnectionID{de: conn}}, offers)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := plans.Claim(ctx, id, planID, p.Token, "key-"+letter, batchID); err != nil {
			t.Fatal(err)
		}
		if sku == "SKU-2" {
			learn(sku, minor+1, clk.Now().Add(time.Second)) // a later read
		}
		err = batches.Create(ctx, id, lane.NewBatch{ID: batchID, Plan: planID, File: mark + ".csv", Actor: "key:" + mark, Strict: true,
			Rows: map[price.ConnectionID]int64{conn: 1}, RevertAt: clk.Now().Add(time.Hour), Reverts: "bat_x"}, bell)
		if err != nil {
			t.Fatal(err)
		}
		if err := engine.Apply(ctx, id, batchID); err != nil {
			t.Fatal(err)
		}
	}
}

// exported makes an export of the tenant through the function and returns its
// files.
func (w *world) exported(t *testing.T, id tenant.ID) map[string]string {
	t.Helper()
	_, body := w.call(t, w.key[id], http.MethodPost, "/exports")
	if n := w.work(t); n != 0 {
		t.Fatalf("%d messages failed", n)
	}
	_, body = w.call(t, w.key[id], http.MethodGet, "/exports/"+body["id"].(string))
	_, archive, err := w.blobs.Follow(body["url"].(string))
	if err != nil {
		t.Fatal(err)
	}
	return unzip(t, archive, body["password"].(string))
}

func TestTenantsThatShareEveryIDGetTheirOwnAndOnlyTheirOwn(t *testing.T) {
	t.Parallel()
	w := setup(t)
	marks := map[tenant.ID]string{tenantA: "A1ALPHA", tenantB: "A2BRAVO"}
	w.trade(t, tenantA, marks[tenantA], 2000)
	w.trade(t, tenantB, marks[tenantB], 7000)
	for id, other := range map[tenant.ID]tenant.ID{tenantA: tenantB, tenantB: tenantA} {
		files := w.exported(t, id)
		for name, content := range files {
			// tenantA's id begins tenantB's: only the marks tell them apart.
			if strings.Contains(content, marks[other]) {
				t.Errorf("export of %s: %s shows %s of %s", id, name, marks[other], other)
			}
		}
		amount := map[tenant.ID]string{tenantA: "20.00", tenantB: "70.00"}[id]
		if got := column(t, files["offers.csv"], "price"); !slices.Contains(got, amount) || len(got) != 2 {
			t.Errorf("export of %s: offers at %v, want one at %s", id, got, amount)
		}
		for _, name := range []string{"plans.csv", "batches.csv"} {
			if got, want := column(t, files[name], "actor"), []string{"key:" + marks[id], "key:" + marks[id]}; !slices.Equal(got, want) {
				t.Errorf("export of %s: %s has actors %v, want %v", id, name, got, want)
			}
		}
	}
}

func TestAnExportTellsWhatBecameOfEveryPlanAndBatch(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.trade(t, tenantA, "A1ALPHA", 2000)
	files := w.exported(t, tenantA)

	var batches []batchRow
	if err := json.Unmarshal([]byte(files["batches.json"]), &batches); err != nil {
		t.Fatal(err)
	}
	now := w.app.Clock.Now()
	sent := batchRow{
		ID: "bat_" + strings.Repeat("a", 26), State: lane.Sending, Plan: "plan_" + strings.Repeat("a", 26), File: "A1ALPHA.csv",
		Actor: "key:A1ALPHA", CreatedAt: now, Rows: map[price.ConnectionID]int64{conn: 1}, Counts: lane.Counts{lane.Desired: 1, lane.Held: 0},
		Revert: &revertRow{At: now.Add(time.Hour), By: "key:A1ALPHA", State: lane.RevertWaiting}, Reverts: "bat_x",
	}
	refused := batchRow{
		ID: "bat_" + strings.Repeat("b", 26), State: lane.Refused, Plan: "plan_" + strings.Repeat("b", 26), File: "A1ALPHA.csv",
		Actor: "key:A1ALPHA", CreatedAt: now, FinishedAt: &now, Rows: sent.Rows, Counts: lane.Counts{lane.Held: 1},
		Reason: "1 of 1 offers changed after the plan was made; nothing was sent. Make a new plan and look at the difference.",
		Revert: &revertRow{At: now.Add(time.Hour), By: "key:A1ALPHA", State: lane.RevertNothing, Reason: "the batch was refused before anything of it was sent"}, Reverts: "bat_x",
	}
	if diff := cmp.Diff([]batchRow{sent, refused}, batches); diff != "" {
		t.Error(diff)
	}
	for _, c := range []struct {
		column string
		want   []string
	}{
		{"state", []string{"sending", "refused"}}, {"rows", []string{string(conn) + "=1", string(conn) + "=1"}},
		{"desired", []string{"1", "0"}}, {"held", []string{"0", "1"}}, {"reason", []string{"", refused.Reason}},
		{"finished_at", []string{"", now.Format(time.RFC3339)}}, {"revert", []string{"waiting", "nothing"}}, {"reverts", []string{"bat_x", "bat_x"}},
	} {
		if got := column(t, files["batches.csv"], c.column); !slices.Equal(got, c.want) {
			t.Errorf("batches.csv: %s is %q, want %q", c.column, got, c.want)
		}
	}

	var plans []planRow
	if err := json.Unmarshal([]byte(files["plans.json"]), &plans); err != nil {
		t.Fatal(err)
	}
	if len(plans) != 2 || plans[0].State != plan.Applied || plans[0].Batch != sent.ID || plans[0].Summary.Planned != 1 ||
		plans[0].Policy != plan.AllOrNothing || len(plans[0].Mapping.Columns) != 3 || plans[0].Guards != price.DefaultGuards().Hash() {
		t.Errorf("plans.json: %+v", plans)
	}
	for name, want := range map[string][]string{"batch": {sent.ID, refused.ID}, "planned": {"1", "1"}, "file": {"A1ALPHA.csv", "A1ALPHA.csv"}} {
		if got := column(t, files["plans.csv"], name); !slices.Equal(got, want) {
			t.Errorf("plans.csv: %s is %q, want %q", name, got, want)
		}
	}
	if strings.Contains(files["plans.json"]+files["plans.csv"], "p1_") {
		t.Error("the export holds a plan's token")
	}
}

func TestWhatIsLongerThanAPageIsExportedWhole(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.trade(t, tenantA, "A1ALPHA", 2000)
	clk := w.app.Clock
	offers, batches := lane.NewOffers(w.db), lane.NewBatches(w.db, w.blobs)
	plans := &plan.Store{DB: w.db, Blobs: w.blobs, Clock: clk,
		GuardsHash: func(context.Context, tenant.ID) (string, error) { return price.DefaultGuards().Hash(), nil }}
	bell := lane.Bell{DB: w.db, Queue: memory.NewQueue(clk), Now: clk.Now}
	known := price.FromMinor(2000, "EUR")
	for i := range page {
		id, err := plan.NewID(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		_, err = plans.Create(ctx, plan.Input{ID: id, Tenant: tenantA, Actor: "key:1", File: "p.csv", Content: []byte("sku;price\nX;1,00\n"),
			Policy: plan.SkipBadRows, Guards: price.DefaultGuards(), Now: clk.Now()}, offers)
		if err != nil {
			t.Fatal(err)
		}
		err = batches.Create(ctx, tenantA, lane.NewBatch{ID: "bat_" + id[len("plan_"):], Plan: id, File: "p.csv", Actor: "key:1"}, bell)
		if err != nil {
			t.Fatal(err)
		}
		err = offers.Learn(ctx, tenantA, lane.Read{Prices: price.Prices{Our: &known}, Begun: clk.Now(),
			Key: price.OfferKey{Connection: conn, Marketplace: de, SKU: price.SKU(fmt.Sprintf("LONG-%d", i))}})
		if err != nil {
			t.Fatal(err)
		}
	}
	files := w.exported(t, tenantA)
	for name, key := range map[string]string{"plans.csv": "id", "batches.csv": "id", "offers.csv": "sku"} {
		ids := column(t, files[name], key)
		slices.Sort(ids)
		if len(ids) != page+2 || len(slices.Compact(ids)) != page+2 {
			t.Errorf("%s has %d rows, want %d, each once", name, len(ids), page+2)
		}
	}
}

// column returns a column of a CSV file by its header.
func column(t *testing.T, file, name string) []string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(file)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.Index(rows[0], name)
	if at < 0 {
		t.Fatalf("no column %s in %v", name, rows[0])
	}
	var cells []string
	for _, row := range rows[1:] {
		cells = append(cells, row[at])
	}
	return cells
}
