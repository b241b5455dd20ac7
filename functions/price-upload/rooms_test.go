package main

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/apply"
	"pricemanager/internal/connect"
	"pricemanager/internal/download"
	"pricemanager/internal/export"
	"pricemanager/internal/fetch"
	"pricemanager/internal/fx"
	"pricemanager/internal/guard"
	"pricemanager/internal/history"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/preview"
	"pricemanager/internal/price"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/pull"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
	"pricemanager/internal/watch"
	"pricemanager/test/isolation"
)

// absent are servers that do not answer.
type absent struct{}

func (absent) Preview(context.Context, amazon.Account, amazon.Patch) (amazon.Submission, error) {
	return amazon.Submission{}, errors.New("no answer")
}

func (absent) Get(context.Context, fetch.Request, io.Writer) (fetch.Result, error) {
	return fetch.Result{}, errors.New("no answer")
}

// TestMethodsFindNothingOfAnybody calls the rooms that work for plans, batches and
// offers, those of the functions behind queues among them.
func TestMethodsFindNothingOfAnybody(t *testing.T) {
	t.Parallel()
	offer := price.OfferKey{Connection: conn, Marketplace: de, SKU: "SKU-1"}
	isolation.Methods(t, func(t *testing.T) isolation.Rooms {
		t.Helper()
		w := newRecorded(t)
		plans := &plan.Store{DB: w.db, Blobs: w.blobs, Clock: w.clock}
		offers, bell := lane.NewOffers(w.db), lane.Bell{DB: w.db, Queue: w.queue, Now: w.clock.Now}
		past := &history.History{Ledger: w.ledger, Blobs: w.blobs, Clock: w.clock}
		batches := lane.NewBatches(w.db, w.blobs).WithPast(past)
		guards := &guard.Store{DB: w.db, Clock: w.clock}
		findings := &watch.Findings{DB: w.db, Clock: w.clock}
		previews := preview.Service{DB: w.db, Plans: plans, Clock: w.clock}
		judged := func(context.Context, *plan.Input) error { return nil }
		downloads := &download.Store{DB: w.db, Blobs: w.blobs, Queue: w.tables, Clock: w.clock, Rand: rand.NewChaCha8([32]byte{1})}
		applier := apply.Applier{Plans: plans, Batches: batches, Bell: bell}
		batch, err := batches.Get(t.Context(), seller, appliedAs)
		if err != nil {
			t.Fatal(err)
		}
		made, err := downloads.Get(t.Context(), seller, recordedDownload)
		if err != nil {
			t.Fatal(err)
		}
		table := fx.Fetched{Body: []byte("currency,rate\nGBP,0.8312\n"), Host: "rates.example", Base: "EUR", Modified: "Sat, 21 Nov 2026 15:00:00 GMT"}
		if err := past.Grow(t.Context(), seller); err != nil {
			t.Fatal(err)
		}
		since, until := w.clock.Now().Add(-24*time.Hour), w.clock.Now().Add(time.Hour)
		values := []any{
			conn, de, offer, []price.OfferKey{offer}, []price.ConnectionID{conn}, bell, batch, made,
			lane.NewBatch{ID: "bat_newnewnewnewnewnewnewnewne", Plan: readyPlan, File: "p.csv", Actor: "key:other", Rows: map[price.ConnectionID]int64{conn: 1}},
			lane.Stop{Scope: lane.ScopeBatch, ID: appliedAs, Actor: "key:other"},
			lane.Read{Prices: price.Prices{Our: new(price.FromMinor(2000, "EUR"))}, Begun: w.clock.Now(), Key: offer},
			download.Spec{What: download.Offers, Format: export.CSV, Connections: []price.ConnectionID{conn}},
			apply.Order{Plan: readyPlan, Token: readyToken, Key: "key", Batch: "bat_newnewnewnewnewnewnewnewne", Actor: "key:other"},
			guard.Default(), pull.By{Actor: "key:other"}, pull.Source{URL: "https://shop.example/prices.csv", Schedule: pull.Schedule{EveryMinutes: 30}},
		}
		return isolation.Rooms{World: w.isolated(), Values: values, Rooms: []isolation.Room{
			{Of: plans, ID: readyPlan, Args: map[string][]any{
				"Rows": {readyPlan, "", 10, ""}, "Uploaded": {arrived}, "ForgetMapping": {"key:other", pricefile.Fingerprint([]string{"Art.Nr", "VK neu", "VK alt"})},
			}},
			{Of: offers, ID: readyPlan, Args: map[string][]any{"Page": {conn, de, "", 10}}},
			{Of: batches, ID: appliedAs},
			{Of: lane.Stops{DB: w.db, Bell: bell}, ID: appliedAs},
			{Of: bell, ID: appliedAs, Args: map[string][]any{"Preview": {readyPlan, time.Minute}}},
			{Of: w.engine(), ID: appliedAs, Skip: []string{"Drive"}},
			{Of: past, ID: appliedAs, Args: map[string][]any{
				"At": {offer, until}, "Lowest": {offer, since, until}, "LowestOf": {[]price.OfferKey{offer}, since, until}, "Of": {[]price.OfferKey{offer}, since},
				"Page": {offer, since, until, 0, 10}, "Scan": {since, until}, "Outcomes": {appliedAs, since, []price.OfferKey{offer}},
			}},
			{Of: guards, ID: "key:good", Args: map[string][]any{"Between": {since, until}}},
			{Of: &fx.Store{DB: w.db, Clock: w.clock}, ID: "key:good", Args: map[string][]any{
				"PutRates": {"key:other", table, ""}, "Take": {"key:other", table, fx.StoredRates{}, []store.Write{}},
			}},
			{Of: downloads, ID: recordedDownload},
			{Of: &download.Maker{Store: downloads, Objects: w.blobs, Spool: pricefile.TempFiles(t.TempDir()), Sources: download.Sources{Offers: offers}}, ID: recordedDownload},
			{Of: &pull.Store{DB: w.db, Sealer: w.sealer, Clock: w.clock, Check: func(address string) (string, error) { return address, nil }}, ID: recordedPull},
			{Of: findings, ID: "000000000000007.mass-export"},
			{Of: &watch.Answers{Findings: findings, Freeze: func(context.Context, tenant.ID, string, string) error { return nil }, Revoke: w.revoke}, ID: "000000000000007.mass-export"},
			{Of: &previews, ID: readyPlan},
			{Of: &preview.Runner{Service: previews, Amazon: absent{}, Connections: &connect.Service{DB: w.db, Clock: w.clock}, Bell: bell, Offers: offers}, ID: readyPlan},
			{Of: &pull.Runner{DB: w.db, Sealer: w.sealer, Files: w.blobs, Plans: plans, Bell: plan.Bell{Queue: w.planQueue}, Fetch: absent{}, Input: judged, Clock: w.clock, Spool: pricefile.TempFiles(t.TempDir())}, ID: recordedPull},
			{Of: guard.Notice{What: "settings", Actor: "key:other", At: w.clock.Now()}},
			{Of: applier, ID: readyPlan},
			{Of: &apply.Reverter{Applier: applier, Judged: judged, PlanBell: plan.Bell{Queue: w.planQueue}}, ID: waiting},
			{Of: &plan.Maker{Store: plans, Offers: offers, Guards: judged}, ID: readyPlan},
		}}
	})
}
