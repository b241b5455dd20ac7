package lane

import (
	"fmt"
	"testing"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
)

// Every row is in exactly one feed of its marketplace, or goes by itself; no feed
// has more rows than Amazon takes.
func TestRowsAreDividedIntoFeedsThatAmazonTakes(t *testing.T) {
	t.Parallel()
	w, _ := withFeeds(t)
	const few = 5
	var rows []Row
	for i := range amazon.MaxFeedMessages + 20 {
		rows = append(rows, Row{N: int64(len(rows)), Marketplace: de, SKU: price.SKU(fmt.Sprint("S", i))})
		if i < few {
			rows = append(rows, Row{N: int64(len(rows)), Marketplace: fr, SKU: price.SKU(fmt.Sprint("S", i))})
		}
	}
	b := &work{j: journal{Batch: "bat_a", Rows: int64(len(rows)), Route: Route{Kind: ByFeed}, Before: Counts{}}, rows: map[int64]*row{}, chunk: -1}
	for i := 0; i*rowsPerChunk < len(rows); i++ {
		part := rows[i*rowsPerChunk : min((i+1)*rowsPerChunk, len(rows))]
		b.j.Chunks = append(b.j.Chunks, int64(len(part)))
		if err := w.blobs.Put(t.Context(), seller, store.Files, chunkName("bat_a", conn, i), "application/x-ndjson", encodeRows(part)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.db.Put(t.Context(), seller, store.Offers, store.Item{Key: workKey(conn, "bat_a"), Attrs: map[string]any{aFence: int64(1)}}); err != nil {
		t.Fatal(err)
	}
	d := &driver{e: w.engine, cfg: w.engine.Config.withDefaults(), lease: &lease{tenant: seller, conn: conn, fence: 1}, works: []*work{b}}
	for range 5 {
		if _, err := d.planFeeds(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if b.j.High != b.j.Rows || len(b.j.Feeds) != 2 || b.j.Feeds[0].Rows != amazon.MaxFeedMessages || b.j.Feeds[1].Rows != 20 {
		t.Fatalf("planned up to %d of %d: %+v", b.j.High, b.j.Rows, b.j.Feeds)
	}
	seen := map[int64]bool{}
	for _, f := range b.j.Feeds {
		list, err := d.feedList(t.Context(), b, f.N)
		if err != nil {
			t.Fatal(err)
		}
		if _, sum := encodeList(list); len(list) != f.Rows || sum != f.List {
			t.Errorf("the list of feed %d has %d rows", f.N, len(list))
		}
		for _, l := range list {
			if r := rows[l.Row]; seen[l.Row] || r.SKU != l.SKU || r.Marketplace != f.Marketplace {
				t.Fatalf("row %d is twice in feeds, or is not %s", l.Row, l.SKU)
			}
			seen[l.Row] = true
		}
	}
	for _, r := range b.again {
		if seen[r.index] || r.Marketplace != fr {
			t.Errorf("row %d goes by itself", r.index)
		}
	}
	if len(b.again) != few || len(seen)+few != len(rows) {
		t.Errorf("%d rows in feeds and %d by themselves, of %d", len(seen), len(b.again), len(rows))
	}
}
