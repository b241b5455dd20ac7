package lane

import (
	"errors"
	"testing"

	"pricemanager/internal/price"
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
