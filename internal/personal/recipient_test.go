package personal_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/ledger"
	"pricemanager/internal/personal"
	"pricemanager/internal/privacy"
	"pricemanager/internal/runtime/logs"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

// TestARecipientIsNowhereInClear takes a record through the store and its
// stream, a log, an export, the ledger, re-wrapping, resealing and erasure, and
// looks at everything that is kept after each.
func TestARecipientIsNowhereInClear(t *testing.T) {
	t.Parallel()
	clk := clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	db, kms, blobs, queue := memory.New(clk), memkms.New(rand.Reader), memory.NewBlobs(clk), memory.NewQueue(clk)
	newSealer := func() *envelope.Sealer { return envelope.New(kms, db, clk) }
	s := newSealer()
	var printed bytes.Buffer
	log := logs.New(&printed, slog.LevelDebug, "test", "1")
	scan := func(after string) {
		t.Helper()
		db.Each(func(_ tenant.ID, table store.Table, item store.Item) bool {
			clean(t, fmt.Sprintf("table %s after %s", table, after), fmt.Sprintf("%s %s %s", item.PK, item.SK, raw(item)))
			return true
		})
		for _, table := range store.Streamed() {
			for _, r := range db.Records(table, "") {
				for _, image := range []*store.Item{r.Old, r.New} {
					if image != nil {
						clean(t, fmt.Sprintf("stream of %s after %s", table, after), raw(*image))
					}
				}
			}
		}
		for _, bucket := range []store.Bucket{store.Files, store.Exports, store.Archive, store.History, store.Downloads} {
			names, err := blobs.List(ctx, tenantA, bucket, "")
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				body, err := blobs.Get(ctx, tenantA, bucket, name)
				if err != nil {
					t.Fatal(err)
				}
				clean(t, fmt.Sprintf("%s/%s after %s", bucket, name, after), name+string(body))
			}
		}
		clean(t, "log after "+after, printed.String())
	}
	same := func(item store.Item) {
		t.Helper()
		got, err := personal.OpenRecipient(ctx, newSealer(), tenantA, item)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range []personal.Sensitive[string]{got.Name, got.Street, got.City, got.Phone, got.Email} {
			if v.Reveal() != canaries[i] {
				t.Errorf("field %d is %q, want %q", i, v.Reveal(), canaries[i])
			}
		}
	}

	// Store.
	item, err := recipient().Item(ctx, s, tenantA, "r1")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Put(ctx, tenantA, store.Privacy, item); err != nil {
		t.Fatal(err)
	}
	scan("storing it")
	same(item)

	// Log and error.
	log.Info("shipping", "to", recipient(), "item", item)
	log.Error("not shipped", "err", fmt.Errorf("to %+v: %w", recipient(), errors.New("no")))
	scan("logging it")

	// Ledger: what a room prints of the record into an event.
	events := ledger.New(db, s, clk, rand.Reader)
	if err := events.AppendDirect(ctx, tenantA, "x", ledger.Event{Type: ledger.ExportRequested, At: clk.Now(), Target: fmt.Sprint(recipient())}); err != nil {
		t.Fatal(err)
	}
	scan("recording it")

	// Export: a source that writes the record as it is fails the job.
	exports := &privacy.Exports{
		DB: db, Blobs: blobs, Objects: blobs, Sealer: s, Spool: func() (privacy.Temp, error) { return os.CreateTemp(t.TempDir(), "spool") }, Queue: queue, Clock: clk, Rand: rand.Reader,
		Ledger: events.WithSigner(func(context.Context) (*ledger.Signer, error) {
			return ledger.NewSigner(secret.New("0123456789abcdef0123456789abcdef"))
		}),
		Sources: []privacy.Source{privacy.SourceFunc("recipients", func(_ context.Context, _ tenant.ID, w *privacy.Writer) error {
			list, err := w.List("recipients")
			if err != nil {
				return err
			}
			return list.Add(recipient())
		})},
	}
	e, err := exports.Request(ctx, tenantA, "key:1", "req-1", "")
	if err != nil {
		t.Fatal(err)
	}
	err = exports.Run(ctx, tenantA, e.ID)
	if !errors.Is(err, personal.ErrClear) {
		t.Errorf("exporting it as it is: %v", err)
	}
	log.Error("export", "err", err)
	scan("exporting it")

	// Re-wrapping and resealing.
	clk.Advance(time.Hour)
	if _, err := s.Rotate(ctx, tenantA, envelope.Addresses, clk.Now()); err != nil {
		t.Fatal(err)
	}
	kms.Renew()
	clk.Advance(time.Second)
	if n, err := s.Rewrap(ctx, kms, tenantA, clk.Now()); n == 0 || err != nil {
		t.Fatalf("rewrapped %d, %v", n, err)
	}
	kms.Retire()
	resealed := 0
	for _, p := range personal.Places() {
		n, err := s.Reseal(ctx, tenantA, p)
		if err != nil {
			t.Fatal(err)
		}
		resealed += n
	}
	if resealed != 5 {
		t.Errorf("%d fields resealed, want 5", resealed)
	}
	old := item
	if item, err = db.Get(ctx, tenantA, store.Privacy, item.Key); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(old.Bytes("phone"), item.Bytes("phone")) {
		t.Error("the phone number was not sealed again")
	}
	same(item)
	scan("rewrapping it")

	// Erasure: neither the old bytes nor the new ones open any more.
	if err := s.Shred(ctx, tenantA); err != nil {
		t.Fatal(err)
	}
	for _, it := range []store.Item{old, item} {
		if _, err := personal.OpenRecipient(ctx, newSealer(), tenantA, it); !errors.Is(err, envelope.ErrOpen) {
			t.Errorf("after erasure: %v", err)
		}
	}
	scan("erasing it")
}

// raw is every attribute of the item, bytes as they are.
func raw(item store.Item) string {
	var out bytes.Buffer
	for name, v := range item.Attrs {
		if b, ok := v.([]byte); ok {
			v = string(b)
		}
		fmt.Fprintf(&out, "%s=%v\n", name, v)
	}
	return out.String()
}
