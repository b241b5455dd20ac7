package audit_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pricemanager/internal/audit"
	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/guard"
	"pricemanager/internal/identity"
	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

const owner tenant.ID = "t_aaaaaa"

// world is a tenant whose streams can lose records.
type world struct {
	clock *clock.Manual
	db    *memory.DB
	blobs *memory.Blobs
	log   *ledger.Log
	seal  *envelope.Sealer
	r     *audit.Reconciler
	read  map[store.Table]string // the streams' last records that were read
	gone  bool                   // its erasure has begun
}

func newWorld() *world {
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	db := memory.New(clk)
	seal := envelope.New(memkms.New(rand.Reader), db, clk)
	w := &world{clock: clk, db: db, blobs: memory.NewBlobs(clk), read: map[store.Table]string{}, seal: seal, log: ledger.New(db, seal, clk, rand.Reader)}
	w.r = &audit.Reconciler{DB: db, Blobs: w.blobs, Ledger: w.log, Mappers: audit.Mappers(), Clock: clk,
		Outbox: ledger.Outbox{DB: db, Table: store.Offers, Clock: clk},
		Closed: func(context.Context, tenant.ID) (bool, error) { return w.gone, nil }}
	return w
}

type failer interface {
	Helper()
	Fatal(...any)
}

// stream brings the new records of all streams into the ledger, but for those that
// are lost, and returns the keys of lost ones that were events.
func (w *world) stream(t failer, lost func(store.Record) bool) (missed []string) {
	t.Helper()
	pump := ledger.Pump{Log: w.log, Mappers: audit.Mappers()}
	for _, table := range store.Streamed() {
		for _, r := range w.db.Records(table, w.read[table]) {
			w.read[table] = r.Seq
			if r.Tenant != store.Directory && lost(r) {
				if len(audit.Mappers()[table](r)) > 0 {
					missed = append(missed, string(table)+" "+r.Key.PK+"/"+r.Key.SK)
				}
				continue
			}
			if failed, err := pump.Handle(context.Background(), []store.Record{r}); err != nil || len(failed) > 0 {
				t.Fatal(err)
			}
		}
	}
	return missed
}

func none(store.Record) bool { return false }

func (w *world) compare(t failer) audit.Result {
	t.Helper()
	res, err := w.r.Run(context.Background(), owner, nil)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// gaps are the targets of the ledger's events about gaps.
func (w *world) gaps(t failer) (targets []string) {
	leaves, err := w.log.Events(context.Background(), owner, 0, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range leaves {
		var e ledger.Event
		if err := json.Unmarshal(l.Event, &e); err != nil {
			t.Fatal(err)
		}
		if e.Type == ledger.Gap {
			targets = append(targets, e.Target)
		}
	}
	return targets
}

// Whatever is done and whichever records are lost, those are found that were lost, each
// once, and nothing else; what was found is in the ledger and is not found again.
func TestExactlyTheChangesWhoseRecordsWereLostAreFound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		w := newWorld()
		peppers := func(context.Context, bool) ([]secret.Value, error) {
			return []secret.Value{secret.New("a pepper of more than thirty-two characters")}, nil
		}
		keys := identity.NewKeys(w.db, peppers, w.clock, rand.Reader).Sealing(w.seal)
		guards := &guard.Store{DB: w.db, Clock: w.clock}
		stops := lane.Stops{DB: w.db, Bell: lane.Bell{DB: w.db, Queue: memory.NewQueue(w.clock), Now: w.clock.Now}}
		check := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		check(identity.NewTenants(w.db, w.seal, w.clock).Create(ctx, owner, "operator:ann", "Company"))
		var texts []secret.Value
		var living []string
		settings, height := guard.Default().Hash(), 10
		for round := range rapid.IntRange(1, 4).Draw(t, "rounds") {
			w.clock.Advance(time.Duration(rapid.IntRange(1, 30).Draw(t, "hours")) * time.Hour)
			if rapid.Bool().Draw(t, "key") {
				k, text, err := keys.Create(ctx, owner, "operator:ann", "machine", []identity.Scope{identity.OffersRead})
				check(err)
				texts, living = append(texts, text), append(living, k.ID)
			}
			if len(living) > 1 && rapid.Bool().Draw(t, "revoke") {
				check(keys.Revoke(ctx, owner, "operator:ann", living[0]))
				living = living[1:]
			}
			for _, text := range texts { // writes when it was last used, which is no event
				_, _ = keys.Authenticate(ctx, text)
			}
			if rapid.Bool().Draw(t, "guards") {
				next := guard.Default()
				height++
				next.Breaker.AtLeast = int64(height)
				set, err := guards.Put(ctx, owner, "key:1", next, settings)
				check(err)
				settings = set.Hash()
			}
			stop := lane.Stop{Scope: lane.ScopeTenant, Actor: "key:1", Reason: fmt.Sprint(round)}
			if round%2 == 0 {
				check(stops.Set(ctx, owner, stop))
			} else {
				check(stops.Lift(ctx, owner, "key:1", stop))
			}
			heard := len(w.gaps(t))
			missed := w.stream(t, func(store.Record) bool { return rapid.IntRange(0, 3).Draw(t, "lost") == 0 })
			w.clock.Advance(21 * time.Hour)
			if got := w.compare(t); !got.Due || got.Gaps != 0 || (got.Open > 0) != (len(missed) > 0) {
				t.Fatalf("first look: %+v, want something open of %v", got, missed)
			}
			if got := w.compare(t); got.Due {
				t.Fatalf("looked twice at once: %+v", got)
			}
			for range 2 { // the second time nothing more is told
				w.clock.Advance(31 * time.Minute)
				if got := w.compare(t); got.Gaps != len(missed) {
					t.Fatalf("second look: %+v, want %v", got, missed)
				}
			}
			w.stream(t, none)
			if told := w.gaps(t)[heard:]; len(told) < len(missed) || len(missed) == 0 && len(told) > 0 {
				t.Fatalf("told %v, missed %v", told, missed)
			}
			w.clock.Advance(31 * time.Minute)
			if got := w.compare(t); got.Open != 0 || got.Gaps != 0 {
				t.Fatalf("after it was told: %+v, missed %v", got, missed)
			}
		}
	})
}

// A gap says what is missing, of which item, and nothing of who found it but that.
func TestAGapSaysWhatWasMissed(t *testing.T) {
	t.Parallel()
	w := newWorld()
	if err := identity.NewTenants(w.db, w.seal, w.clock).Create(t.Context(), owner, "operator:ann", "Company"); err != nil {
		t.Fatal(err)
	}
	w.stream(t, func(store.Record) bool { return true })
	for range 2 {
		w.compare(t)
		w.clock.Advance(31 * time.Minute)
	}
	w.stream(t, none)
	leaves, err := w.log.Events(t.Context(), owner, 0, 10)
	if err != nil || len(leaves) != 1 {
		t.Fatal(leaves, err)
	}
	want := `{"v":1,"type":"ledger.gap","at":"2026-11-22T09:31:00Z","actor":"system:scheduler","target":"t_aaaaaa",` +
		`"after":{"missed":{"v":0,"type":"tenant.created","at":"2026-11-22T09:00:00Z","actor":"operator:ann","target":"t_aaaaaa"},"table":"identity"},"source":"offers"}`
	if got := string(leaves[0].Event); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// Late is not lost.
func TestARecordThatComesBetweenTwoLooksIsNoGap(t *testing.T) {
	t.Parallel()
	w := newWorld()
	if err := identity.NewTenants(w.db, w.seal, w.clock).Create(t.Context(), owner, "operator:ann", "Company"); err != nil {
		t.Fatal(err)
	}
	if got := w.compare(t); got.Open != 1 || got.Gaps != 0 {
		t.Fatalf("%+v", got)
	}
	w.stream(t, none)
	w.clock.Advance(31 * time.Minute)
	if got := w.compare(t); !got.Due || got.Open != 0 || got.Gaps != 0 || len(w.gaps(t)) != 0 {
		t.Errorf("%+v, %v", got, w.gaps(t))
	}
}

func TestNothingIsKeptOfATenantWhoIsBeingErased(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.gone = true
	if got := w.compare(t); got.Due {
		t.Errorf("%+v", got)
	}
	if names, err := w.blobs.List(t.Context(), owner, store.History, ""); err != nil || !slices.Equal(names, nil) {
		t.Error(names, err)
	}
}
