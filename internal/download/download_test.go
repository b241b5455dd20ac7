package download

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pricemanager/internal/clock"
	"pricemanager/internal/export"
	"pricemanager/internal/fault"
	"pricemanager/internal/history"
	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

const (
	seller   = tenant.ID("t_seller0001")
	stranger = tenant.ID("t_stranger01")
	one      = price.ConnectionID("conn_one")
	two      = price.ConnectionID("conn_two")
	de       = price.MarketplaceID("A1PA6795UKMFR9")
)

var errLuck = errors.New("bad luck")

// world is a Maker over stores in memory. Every page of offers takes a minute, and
// whatever luck says fails, before or after it has worked.
type world struct {
	*memory.DB
	blobs *memory.Blobs
	queue *memory.Queue
	clock *clock.Manual
	maker *Maker
	slow  time.Duration
	luck  func(what string) (before, after bool)
}

func (w *world) Query(ctx context.Context, t tenant.ID, table store.Table, q store.Query) (store.Page, error) {
	w.clock.Advance(w.slow)
	return w.DB.Query(ctx, t, table, q)
}

func (w *world) Update(ctx context.Context, t tenant.ID, table store.Table, key store.Key, u store.Update) (it store.Item, err error) {
	before, after := w.luck("update")
	if !before {
		it, err = w.DB.Update(ctx, t, table, key, u)
	}
	if before || after {
		return store.Item{}, errLuck
	}
	return it, err
}

func (w *world) PutFrom(ctx context.Context, t tenant.ID, b store.Bucket, name, typ string, body io.ReadSeeker) error {
	before, after := w.luck("put")
	if before {
		return errLuck
	}
	if err := w.blobs.PutFrom(ctx, t, b, name, typ, body); err != nil || !after {
		return err
	}
	return errLuck
}

func newWorld(t testing.TB) *world {
	t.Helper()
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	w := &world{DB: memory.New(clk), blobs: memory.NewBlobs(clk), queue: memory.NewQueue(clk), clock: clk, luck: func(string) (bool, bool) { return false, false }}
	past := &history.History{Ledger: noLedger{}, Blobs: w.blobs, Clock: clk}
	w.maker = &Maker{
		Store:   &Store{DB: w, Blobs: w.blobs, Queue: w.queue, Clock: clk, Rand: rand.Reader},
		Objects: w, Spool: pricefile.TempFiles(t.TempDir()),
		Sources: Sources{Offers: lane.NewOffers(w), Batches: lane.NewBatches(w, w.blobs).WithPast(past), Plans: &plan.Store{DB: w, Blobs: w.blobs, Clock: clk}, Past: past},
	}
	return w
}

type noLedger struct{}

func (noLedger) Events(context.Context, tenant.ID, int64, int) ([]ledger.Leaf, error) {
	return nil, nil
}

// stock gives a tenant so many offers in two connections.
func (w *world) stock(t testing.TB, owner tenant.ID, n int) (skus []string) {
	t.Helper()
	for i := range n {
		our, c := price.FromMinor(int64(1000+i), "EUR"), one
		if i%3 == 0 {
			c = two
		}
		sku := fmt.Sprintf("%s-%04d", owner[2:5], i)
		err := lane.NewOffers(w.DB).Learn(t.Context(), owner, lane.Read{Key: price.OfferKey{Connection: c, Marketplace: de, SKU: price.SKU(sku)},
			Prices: price.Prices{Our: &our}, Begun: w.clock.Now()})
		if err != nil {
			t.Fatal(err)
		}
		skus = append(skus, sku)
	}
	return skus
}

var ofBoth = Spec{What: Offers, Format: export.CSV, Connections: []price.ConnectionID{one, two}}

func (w *world) request(t *testing.T, spec Spec) Download {
	t.Helper()
	d, err := w.maker.Request(t.Context(), seller, "key:k", "req-1", spec)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (w *world) get(t fataler, id string) Download {
	d, err := w.maker.Get(context.Background(), seller, id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// until lets time pass.
func (w *world) until(at time.Time) { w.clock.Advance(max(at.Sub(w.clock.Now()), 0)) }

type fataler interface{ Fatal(...any) }

// skus are those in the files that the links lead to.
func (w *world) skus(t fataler, d Download) (out []string) {
	links, err := w.maker.Links(context.Background(), seller, d)
	if err != nil || len(links) != len(d.Files) {
		t.Fatal(len(links), "links", err)
	}
	for i, link := range links {
		typ, body, err := w.blobs.Follow(link)
		if err != nil || typ != d.Spec.Format.ContentType() || int64(len(body)) != d.Files[i].Bytes {
			t.Fatal(link, typ, len(body), err)
		}
		rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(body, []byte("\ufeff")))).ReadAll()
		if err != nil || len(rows) != d.Files[i].Rows+1 {
			t.Fatal(len(rows), "rows", err)
		}
		for _, r := range rows[1:] {
			out = append(out, r[0])
		}
	}
	slices.Sort(out)
	return out
}

func TestEveryRowIsInTheFilesOnceHoweverOftenTheRunsDie(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		want := w.stock(t, seller, rapid.IntRange(0, 60).Draw(rt, "offers"))
		w.stock(t, stranger, 5)
		d := w.request(t, ofBoth)
		w.slow = 40 * time.Second
		w.maker.FileRows = rapid.IntRange(1, 40).Draw(rt, "rows of a file")
		bad := rapid.IntRange(0, 2).Draw(rt, "bad")
		w.luck = func(what string) (bool, bool) {
			if bad == 0 || rapid.IntRange(0, 3).Draw(rt, what) > 0 {
				return false, false
			}
			bad--
			before := rapid.Bool().Draw(rt, "before")
			return before, !before
		}
		for range 500 {
			deadline := w.clock.Now().Add(2 * time.Minute)
			done, err := w.maker.Run(context.Background(), seller, d.ID, deadline)
			if done && err == nil {
				break
			}
			w.until(deadline.Add(leaseMargin))
		}
		w.luck = func(string) (bool, bool) { return false, false }
		got := w.get(rt, d.ID)
		if got.State != Done || got.Rows != int64(len(want)) || len(got.Files) == 0 {
			rt.Fatalf("%s %q with %d rows in %d files, want %d rows", got.State, got.Reason, got.Rows, len(got.Files), len(want))
		}
		if have := w.skus(rt, got); !slices.Equal(have, want) {
			rt.Fatalf("%d rows %v, want %d", len(have), have, len(want))
		}
		before, err := json.Marshal(got)
		if err != nil {
			rt.Fatal(err)
		}
		if done, err := w.maker.Run(context.Background(), seller, d.ID, w.clock.Now().Add(time.Hour)); !done || err != nil {
			rt.Fatalf("a second delivery: %t, %v", done, err)
		}
		if after, err := json.Marshal(w.get(rt, d.ID)); err != nil || !bytes.Equal(before, after) {
			rt.Fatalf("a second delivery made %s of %s, %v", after, before, err)
		}
	})
}

func TestARunWorksAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stock(t, seller, 3)
	d := w.request(t, ofBoth)
	ran := false
	w.luck = func(what string) (bool, bool) {
		if what == "put" && !ran {
			ran = true
			if done, err := w.maker.Run(t.Context(), seller, d.ID, w.clock.Now().Add(time.Hour)); done || !errors.Is(err, ErrBusy) {
				t.Errorf("a second run beside the first: %t, %v", done, err)
			}
			// The first one hangs until its lease is over, and another takes it up.
			w.clock.Advance(2 * time.Hour)
			if done, err := w.maker.Run(t.Context(), seller, d.ID, w.clock.Now().Add(time.Hour)); !done || err != nil {
				t.Errorf("a run after the lease: %t, %v", done, err)
			}
		}
		return false, false
	}
	if done, err := w.maker.Run(t.Context(), seller, d.ID, w.clock.Now().Add(time.Hour)); done || !errors.Is(err, store.ErrConflict) {
		t.Errorf("the run that lost its lease: %t, %v", done, err)
	}
	if got := w.get(t, d.ID); got.State != Done || len(got.Files) != 1 || got.Files[0].Object != d.ID+"/2/offers-1.csv" || len(w.skus(t, got)) != 3 {
		t.Errorf("%+v, want the second run's file", got)
	}
}

func TestWhatCannotBeMadeFailsAndSaysWhy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spec Spec
		make func(*world)
		runs int
		want string
	}{
		"the bucket takes nothing":   {ofBoth, func(w *world) { w.luck = func(what string) (bool, bool) { return what == "put", false } }, attempts + 1, "could not be completed in 4 attempts"},
		"a day has passed":           {ofBoth, func(w *world) { w.clock.Advance(Keep) }, 1, "not ready after a day"},
		"the plan is gone":           {Spec{What: Plan, Format: export.CSV, Plan: "plan_aaaaaaaaaaaaaaaaaaaaaaaaaa"}, func(*world) {}, 1, "There is no such plan."},
		"the batch is gone":          {Spec{What: Batch, Format: export.CSV, Batch: "bat_aaaaaaaaaaaaaaaaaaaaaaaaaa"}, func(*world) {}, 1, "no longer kept"},
		"the table was never known ": {Spec{What: "faces", Format: export.CSV}, func(*world) {}, attempts + 1, "could not be completed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.stock(t, seller, 2)
			d := w.request(t, c.spec)
			c.make(w)
			for i := range c.runs {
				done, err := w.maker.Run(t.Context(), seller, d.ID, w.clock.Now().Add(5*time.Minute))
				if last := i+1 == c.runs; done != last || (err == nil) != last {
					t.Fatalf("run %d: %t, %v", i+1, done, err)
				}
			}
			got := w.get(t, d.ID)
			if got.State != Failed || !strings.Contains(got.Reason, c.want) {
				t.Errorf("%s, %q; want failed, %q", got.State, got.Reason, c.want)
			}
			if links, err := w.maker.Links(t.Context(), seller, got); err != nil || len(links) != 0 {
				t.Errorf("links to nothing: %v, %v", links, err)
			}
		})
	}
}

func TestADownloadIsItsTenantsAndForADay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stock(t, seller, 1)
	d := w.request(t, ofBoth)
	if _, err := w.maker.Run(t.Context(), stranger, d.ID, w.clock.Now().Add(5*time.Minute)); err != nil {
		t.Error(err)
	}
	if got := w.get(t, d.ID); got.State != Running || len(got.Files) != 0 {
		t.Errorf("another tenant's message made %+v", got)
	}
	if done, err := w.maker.Run(t.Context(), seller, d.ID, w.clock.Now().Add(5*time.Minute)); !done || err != nil {
		t.Fatal(done, err)
	}
	_, foreign := w.maker.Get(t.Context(), stranger, d.ID)
	_, none := w.maker.Get(t.Context(), stranger, "dl_"+strings.Repeat("a", 26))
	var f, n *fault.Fault
	if !errors.As(foreign, &f) || !errors.As(none, &n) || f.Kind != fault.NotFound || f.Public != n.Public {
		t.Errorf("a foreign one: %v, a missing one: %v", foreign, none)
	}
	got := w.get(t, d.ID)
	links, err := w.maker.Links(t.Context(), seller, got)
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(LinkFor)
	if _, body, err := w.blobs.Follow(links[0]); err == nil {
		t.Errorf("the link brings %q after %s", body, LinkFor)
	}
	w.until(got.Expires.Add(-time.Minute))
	if links, err = w.maker.Links(t.Context(), seller, got); err != nil || len(links) != 1 {
		t.Fatal(links, err)
	}
	w.clock.Advance(time.Minute)
	if _, body, err := w.blobs.Follow(links[0]); err == nil {
		t.Errorf("the link brings %q after a day", body)
	}
	if links, err = w.maker.Links(t.Context(), seller, got); err != nil || len(links) != 0 {
		t.Errorf("links after a day: %v, %v", links, err)
	}
}

func TestALostMessageIsSentAgainOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.request(t, ofBoth)
	for _, c := range []struct {
		after time.Duration
		sent  int
	}{{0, 1}, {ringAgain - time.Second, 1}, {time.Second, 2}, {0, 2}} {
		w.clock.Advance(c.after)
		w.get(t, d.ID)
		if n := w.queue.Len(); n != c.sent {
			t.Errorf("%s after the request: %d messages, want %d", w.clock.Now().Sub(d.At), n, c.sent)
		}
	}
	j, err := ParseJob(fmt.Appendf(nil, `{"kind":"download","tenant":%q,"download":%q}`, seller, d.ID))
	if err != nil || j.Tenant != seller || j.Download != d.ID {
		t.Error(j, err)
	}
	for _, bad := range []string{"", "{}", `{"kind":"plan","tenant":"t_seller0001","download":"` + d.ID + `"}`, `{"kind":"download","tenant":"t","download":"` + d.ID + `"}`,
		`{"kind":"download","tenant":"t_seller0001","download":"dl_../../x"}`} {
		if _, err := ParseJob([]byte(bad)); err == nil {
			t.Errorf("%s passes", bad)
		}
	}
}

func TestWhoeverTakesDataAwayIsInTheLedgerOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stock(t, seller, 2)
	d := w.request(t, ofBoth)
	failing := w.request(t, Spec{What: Plan, Format: export.JSON, Plan: "plan_aaaaaaaaaaaaaaaaaaaaaaaaaa"})
	for _, id := range []string{d.ID, failing.ID, d.ID} {
		if done, err := w.maker.Run(t.Context(), seller, id, w.clock.Now().Add(5*time.Minute)); !done || err != nil {
			t.Fatal(done, err)
		}
	}
	spec := Spec{What: History, Format: export.XLSX, SKUs: []price.SKU{"a", "b"}, From: w.clock.Now()}
	if err := w.maker.Note(t.Context(), seller, "key:other", "req-2", spec, 7); err != nil {
		t.Fatal(err)
	}
	got := w.get(t, d.ID)
	var events []ledger.Event
	for _, r := range w.Records(store.Offers, "") {
		events = append(events, Events(r)...)
	}
	if len(events) != 2 {
		t.Fatalf("events %+v, want two", events)
	}
	for i, want := range []struct{ actor, correlation, after string }{
		{"key:k", "req-1", fmt.Sprintf(`{"what":"offers","format":"csv","connections":["conn_one","conn_two"],"rows":2,"files":[{"sha256":%q,"bytes":%d}]}`, got.Files[0].SHA256, got.Files[0].Bytes)},
		{"key:other", "req-2", `{"what":"history","format":"xlsx","from":"2026-11-22T09:00:00Z","skus":2,"rows":7}`},
	} {
		e := events[i]
		if e.Type != ledger.TableExported || e.Actor != want.actor || e.Correlation != want.correlation || string(e.After) != want.after || e.At.IsZero() {
			t.Errorf("event %+v with %s, want %+v", e, e.After, want)
		}
	}
	list, next, err := w.maker.List(t.Context(), seller, "", 10)
	if err != nil || next != "" || len(list) != 3 {
		t.Fatal(list, next, err)
	}
	for _, l := range list {
		if _, err := w.maker.Get(t.Context(), seller, l.ID); (fault.KindOf(err) == fault.NotFound) != (l.State == taken) {
			t.Errorf("%s in state %s: %v", l.ID, l.State, err)
		}
	}
}
