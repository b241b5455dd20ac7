package ledger_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/ledger"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

const (
	tenantA tenant.ID = "t_aaaaaa"
	tenantB tenant.ID = "t_bbbbbb"
)

// fixedVerifierKey belongs to the secret in newWorld.
const fixedVerifierKey = "pricemanager.ledger+d1d4ca61+AdI6OFYTjp02pvmEZKi7XHOVJmOrxisyGOUb0PhCwwoB"

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is one installation: a store, a key service and a clock.
type world struct {
	db     *memory.DB
	sealer *envelope.Sealer
	clock  *clock.Manual
	signer *ledger.Signer
	rand   func() io.Reader // for each new log
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	clk := clock.NewManual(start)
	db := memory.New(clk)
	signer, err := ledger.NewSigner(secret.New("0123456789abcdef0123456789abcdef"))
	if err != nil {
		tb.Fatal(err)
	}
	return &world{rand: func() io.Reader { return rand.Reader }, db: db, sealer: envelope.New(memkms.New(rand.Reader), db, clk), clock: clk, signer: signer}
}

// log is one process's view of the ledgers.
func (w *world) log() *ledger.Log {
	return ledger.New(w.db, w.sealer, w.clock, w.rand()).
		WithSigner(func(context.Context) (*ledger.Signer, error) { return w.signer, nil })
}

// observed is one typical event as the stream of the offers table gives it.
func observed(at time.Time, source string, seq, n int) ledger.Entry {
	return ledger.Entry{
		Source: source, Seq: fmt.Sprintf("%d", 4_000_000_000_000_000_000+seq), At: at,
		Events: []ledger.Event{{
			Type: ledger.ChangeObserved, At: at.Add(time.Duration(n) * 37 * time.Millisecond), Actor: "lane",
			Target: fmt.Sprintf("conn_1/A1PA6795UKMFR9/SKU-%06d", n),
			Before: json.RawMessage(fmt.Sprintf(`{"price":"%d.%02d EUR"}`, 10+n%50, n%100)),
			After:  json.RawMessage(fmt.Sprintf(`{"price":"%d.%02d EUR"}`, 9+n%50, n%100)),
			Batch:  "bat_4f6c2a9d1b", Correlation: "req-1", Source: "offers",
		}},
	}
}

func entries(at time.Time, source string, first, count int) []ledger.Entry {
	out := make([]ledger.Entry, count)
	for i := range out {
		out[i] = observed(at, source, first+i, first+i)
	}
	return out
}

func mustAppend(tb testing.TB, l *ledger.Log, t tenant.ID, es []ledger.Entry) int {
	tb.Helper()
	n, err := l.Append(context.Background(), t, es)
	if err != nil {
		tb.Fatalf("append: %v", err)
	}
	return n
}

func export(tb testing.TB, l *ledger.Log, t tenant.ID) []byte {
	tb.Helper()
	var b bytes.Buffer
	if _, err := l.WriteExport(context.Background(), t, &b); err != nil {
		tb.Fatalf("export: %v", err)
	}
	return b.Bytes()
}

// targets returns the targets of all events in order.
func targets(tb testing.TB, l *ledger.Log, t tenant.ID) []string {
	tb.Helper()
	leaves, err := l.Events(context.Background(), t, 0, 1_000_000)
	if err != nil {
		tb.Fatal(err)
	}
	var out []string
	for i, leaf := range leaves {
		if leaf.Index != int64(i) {
			tb.Fatalf("leaf %d has index %d", i, leaf.Index)
		}
		var e ledger.Event
		if err := json.Unmarshal(leaf.Event, &e); err != nil {
			tb.Fatal(err)
		}
		out = append(out, e.Target)
	}
	return out
}

// ledgerItem reads a stored append of tenant A, for a test to damage.
func (w *world) ledgerItem(tb testing.TB, first int) store.Item {
	tb.Helper()
	item, err := w.db.Get(context.Background(), tenantA, store.Ledger, ledgerKey(first))
	if err != nil {
		tb.Fatal(err)
	}
	return item
}

func (w *world) putLedgerItem(tb testing.TB, item store.Item) {
	tb.Helper()
	if err := w.db.Put(context.Background(), tenantA, store.Ledger, item); err != nil {
		tb.Fatal(err)
	}
}

func (w *world) deleteLedgerItem(tb testing.TB, first int) {
	tb.Helper()
	if err := w.db.Delete(context.Background(), tenantA, store.Ledger, ledgerKey(first)); err != nil {
		tb.Fatal(err)
	}
}

func ledgerKey(first int) store.Key {
	return store.Key{PK: "log", SK: fmt.Sprintf("%015d", first)}
}
