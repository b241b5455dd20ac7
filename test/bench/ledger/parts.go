package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/ledger"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

const seller = tenant.ID("t_bench0001")

// batch is how many records a stream gives audit-stream at once.
const batch = 200

var begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// pace is the time between two batches: 2,000 changes a second, the rows of a
// large file being staged. What it decides is how many sources the ledger has to
// remember to tell new changes from repeated ones.
const pace = 100 * time.Millisecond

// change is what the stream says when one price of a bulk batch was seen at
// Amazon: each of another item.
func change(n int) ledger.Entry {
	at := begin.Add(time.Duration(n/batch) * pace)
	sku := fmt.Sprintf("ACME-%07d-BLK", n)
	return ledger.Entry{
		Source: "offers\x00offers#conn_aaaaaaaaaaaaaaaaaaaaaaaaaa\x00A1PA6795UKMFR9#" + sku,
		Seq:    fmt.Sprintf("%d", 4_000_000_000_000_000_000+n), At: at,
		Events: []ledger.Event{{
			Type: ledger.ChangeObserved, At: at.Add(time.Duration(n%1000) * time.Millisecond), Actor: "lane",
			Target: "conn_aaaaaaaaaaaaaaaaaaaaaaaaaa/A1PA6795UKMFR9/" + sku,
			Before: json.RawMessage(fmt.Sprintf(`{"our":{"amount":"%d.%02d","currency":"EUR"}}`, 10+n%50, n%100)),
			After:  json.RawMessage(fmt.Sprintf(`{"row":%d,"prices":{"our":{"amount":"%d.%02d","currency":"EUR"}},"visible_ms":%d}`, n, 9+n%50, n%100, 1000+n%977)),
			Batch:  "bat_aaaaaaaaaaaaaaaaaaaaaaaaaa", Correlation: "01J00000000000000000000000", Source: "offers",
		}},
	}
}

// product appends with everything that audit-stream appends with. Making up the
// changes is not measured.
func product(events int) (spent time.Duration, err error) {
	ctx := context.Background()
	clk := clock.NewManual(begin)
	db := memory.New(clk)
	log := ledger.New(db, envelope.New(memkms.New(rand.Reader), db, clk), clk, rand.Reader)
	for from := 0; from < events; from += batch {
		entries := make([]ledger.Entry, min(batch, events-from))
		for i := range entries {
			entries[i] = change(from + i)
		}
		start, err := processorTime()
		if err != nil {
			return 0, err
		}
		if n, err := log.Append(ctx, seller, entries); err != nil || n != len(entries) {
			return 0, fmt.Errorf("%d of %d events appended: %w", n, len(entries), err)
		}
		end, err := processorTime()
		if err != nil {
			return 0, err
		}
		spent += end - start
		clk.Advance(pace)
	}
	head, err := log.Head(ctx, seller)
	if err == nil && head.Size != int64(events) {
		err = fmt.Errorf("the ledger has %d events, want %d", head.Size, events)
	}
	return spent, err
}

// bare encodes the events as JSON and keeps the hashes that tlog keeps: no
// salts, no encryption, no store, and nothing that makes events exactly once.
func bare(events int) (spent time.Duration, err error) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(at))
		for i, n := range at {
			out[i] = stored[n]
		}
		return out, nil
	})
	for from := 0; from < events; from += batch {
		all := make([]ledger.Event, min(batch, events-from))
		for i := range all {
			all[i] = change(from + i).Events[0]
		}
		start, err := processorTime()
		if err != nil {
			return 0, err
		}
		for i, e := range all {
			b, err := json.Marshal(e)
			if err != nil {
				return 0, err
			}
			hashes, err := tlog.StoredHashes(int64(from+i), b, reader)
			if err != nil {
				return 0, err
			}
			stored = append(stored, hashes...)
		}
		end, err := processorTime()
		if err != nil {
			return 0, err
		}
		spent += end - start
	}
	if n := tlog.StoredHashIndex(0, int64(events)); int64(len(stored)) != n {
		return 0, fmt.Errorf("%d hashes are kept, want %d", len(stored), n)
	}
	return spent, nil
}
