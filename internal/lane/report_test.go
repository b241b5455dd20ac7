package lane

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/tenant"
)

func TestThePagesOfAReportHoldEveryRowOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	skus := w.stock(rowsPerChunk + 103)
	w.apply("bat_a", "19.00", skus...)
	w.stageOnly("bat_a")
	batches := NewBatches(w.db, w.blobs)
	for _, limit := range []int{1000, 1250, ReportPage} {
		seen, next := map[price.SKU]int{}, ""
		for pages := 0; pages == 0 || next != ""; pages++ {
			rows, after, err := batches.Report(t.Context(), seller, "bat_a", next, limit, Desired)
			if err != nil || len(rows) > limit || pages > 5 {
				t.Fatalf("page %d with %d of %d rows, %v", pages, len(rows), limit, err)
			}
			for _, r := range rows {
				seen[r.SKU]++
			}
			next = after
		}
		for _, sku := range skus {
			if seen[sku] != 1 {
				t.Fatalf("with pages of %d, %s is listed %d times", limit, sku, seen[sku])
			}
		}
	}
	if rows, next, err := batches.Report(t.Context(), seller, "bat_a", "", 10, Observed); err != nil || len(rows) != 0 || next == "" {
		t.Errorf("%d rows, next %q, %v; want an empty page of the first row file, and a next", len(rows), next, err)
	}
	for _, bad := range []string{"batches/bat_a/conn_one/00000.jsonl:x", "batches/bat_a/conn_one/00000.jsonl:-1", "elsewhere:1"} {
		if _, _, err := batches.Report(t.Context(), seller, "bat_a", bad, 10, ""); !errors.Is(err, ErrCursor) {
			t.Errorf("cursor %q: %v", bad, err)
		}
	}
}

// memories is a Past that knows the outcomes of one batch and counts questions.
type memories struct {
	batch string
	rows  map[price.SKU]map[int64]Outcome
	asked int
}

func (m *memories) Outcomes(_ context.Context, t tenant.ID, batch string, _ time.Time, keys []price.OfferKey) (map[price.OfferKey]map[int64]Outcome, error) {
	out := map[price.OfferKey]map[int64]Outcome{}
	m.asked += len(keys)
	for _, k := range keys {
		if t == seller && batch == m.batch && m.rows[k.SKU] != nil {
			out[k] = m.rows[k.SKU]
		}
	}
	return out, nil
}

func TestARowThatALaterBatchOvertookIsReportedAsItEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	skus := w.stock(5)
	// An offer knows its change and the one staged on top of it.
	for i, batch := range []string{"bat_a", "bat_b", "bat_c"} {
		w.apply(batch, strconv.Itoa(19-i)+".00", skus[:5-min(i, 1)]...)
		w.stageOnly(batch)
	}
	past := &memories{batch: "bat_a", rows: map[price.SKU]map[int64]Outcome{
		skus[0]: {0: {State: Observed, Submission: "s0"}},
		skus[1]: {1: {State: Rejected, Issue: "no"}},
		skus[2]: {2: {State: Accepted}},  // nothing is heard of it any more
		skus[3]: {99: {State: Observed}}, // another row about the same offer
	}}
	rows, _, err := NewBatches(w.db, w.blobs).WithPast(past).Report(t.Context(), seller, "bat_a", "", ReportPage, "")
	if err != nil || len(rows) != 5 {
		t.Fatal(rows, err)
	}
	for i, want := range []State{Observed, Rejected, Superseded, Superseded, Desired} {
		if rows[i].State != want {
			t.Errorf("row %d is %s, want %s", i, rows[i].State, want)
		}
	}
	if rows[0].Submission != "s0" || rows[1].Issue != "no" || past.asked != 4 {
		t.Errorf("rows %+v, asked for %d offers; want the four that were overtaken", rows[:2], past.asked)
	}
}
