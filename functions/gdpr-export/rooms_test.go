package main

import (
	"io"
	"testing"
	"time"

	"pricemanager/internal/audit"
	"pricemanager/internal/envelope"
	"pricemanager/internal/ledger"
	"pricemanager/internal/personal"
	"pricemanager/internal/privacy"
	"pricemanager/internal/store"
	"pricemanager/internal/watch"
	"pricemanager/test/isolation"
)

// TestMethodsFindNothingOfAnybody calls the rooms of exports, of the ledger and of
// sealed data.
func TestMethodsFindNothingOfAnybody(t *testing.T) {
	t.Parallel()
	isolation.Methods(t, func(t *testing.T) isolation.Rooms {
		t.Helper()
		w := setup(t) // newRecorded makes an archive, which takes its time
		x := *w.exports
		x.Rand = same(0)
		if e, err := x.Request(ctx, tenantA, "key:ijbeeqscijbeeqsc", "c6af9ac6-7b61-11e6-9a41-93e8deadbeef", ""); err != nil || e.ID != runningExport {
			t.Fatal(e, err)
		}
		if err := w.log.AppendDirect(ctx, tenantA, "1", ledger.Event{Type: ledger.TokenIssued, At: w.clock.Now(), Target: "x", Batch: recordedBatch}); err != nil {
			t.Fatal(err)
		}
		w.newBatch(t, tenantA, recordedBatch)
		archive := w.archive
		archive.Log = w.log
		if _, err := archive.Run(ctx, tenantA); err != nil {
			t.Fatal(err)
		}
		at := envelope.Where{Table: store.Privacy, Key: store.Key{PK: "a", SK: "b"}, Field: "c"}
		sealed, err := w.sealer.Seal(ctx, tenantA, envelope.Ledger, at, []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		since, until := w.clock.Now().Add(-time.Hour), w.clock.Now().Add(time.Hour)
		event := ledger.Event{Type: ledger.TokenIssued, At: w.clock.Now(), Actor: "key:other", Target: "x"}
		return isolation.Rooms{World: w.isolated(), Values: []any{envelope.Ledger, at, event}, Rooms: []isolation.Room{
			{Of: w.exports, ID: runningExport, Args: map[string][]any{"Request": {"key:other", "c6af9ac6-7b61-11e6-9a41-93e8deadbeef", ""}}},
			{Of: privacy.Doors{DB: w.db}},
			{Of: w.log, ID: recordedBatch, Args: map[string][]any{
				"Events": {int64(0), 10}, "Inclusion": {int64(0), int64(1)}, "Receipt": {recordedBatch, since, until, ""}, "Since": {since}, "AppendDirect": {"2", event},
				"WriteActor": {"key:ijbeeqscijbeeqsc", io.Discard},
			}},
			{Of: archive},
			{Of: ledger.Outbox{DB: w.db, Table: store.Offers, Clock: w.clock, Sealer: w.sealer}, ID: recordedBatch},
			{Of: &watch.Watcher{DB: w.db, Ledger: w.log, Clock: w.clock, Doors: privacy.Doors{DB: w.db}}},
			{Of: &audit.Reconciler{DB: w.db, Blobs: w.blobs, Ledger: w.log, Clock: w.clock, Outbox: ledger.Outbox{DB: w.db, Table: store.Offers, Clock: w.clock},
				Closed: privacy.Doors{DB: w.db}.Closed}},
			{Of: w.sealer, Args: map[string][]any{"Rewrap": {w.kms, until}, "Open": {envelope.Ledger, at, sealed}, "Rotate": {envelope.Ledger, since}}},
			{Of: personal.Recipient{}, Args: map[string][]any{"Item": {w.sealer, "rcp_aaaaaaaaaaaaaaaaaaaaaaaaaa"}}},
		}}
	})
}
