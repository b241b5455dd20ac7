package privacy_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/fault"
	"pricemanager/internal/ledger"
	"pricemanager/internal/privacy"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

// erasing is a world with two tenants of which one is to be erased.
type erasing struct {
	db     *memory.DB
	blobs  *memory.Blobs
	queue  *memory.Queue
	clock  *clock.Manual
	kms    *memkms.KMS
	sealer *envelope.Sealer
	log    *ledger.Log
	signer *ledger.Signer
	tokens map[tenant.ID]int    // refresh tokens that are left
	frozen map[tenant.ID]int    // how often sending was stopped
	users  map[string]tenant.ID // at the sign-in provider
	read   map[store.Table]string
	*privacy.Erasures
}

var stopKey = store.Key{PK: "stop", SK: "tenant"}

func newErasing(tb testing.TB) *erasing {
	tb.Helper()
	clk := clock.NewManual(start)
	w := &erasing{db: memory.New(clk), blobs: memory.NewBlobs(clk), queue: memory.NewQueue(clk), clock: clk, kms: memkms.New(rand.Reader),
		tokens: map[tenant.ID]int{tenantA: 3, tenantB: 3}, frozen: map[tenant.ID]int{}, users: map[string]tenant.ID{}, read: map[store.Table]string{}}
	w.sealer = envelope.New(w.kms, w.db, clk)
	var err error
	if w.signer, err = ledger.NewSigner(secret.New("0123456789abcdef0123456789abcdef")); err != nil {
		tb.Fatal(err)
	}
	w.log = ledger.New(w.db, w.sealer, clk, rand.Reader)
	w.Erasures = w.over(w.db)
	for _, t := range []tenant.ID{tenantA, tenantB} {
		w.plant(tb, t)
	}
	w.pump(tb)
	return w
}

// over is the erasure of a database, which may be a restored one.
func (w *erasing) over(db *memory.DB) *privacy.Erasures {
	return &privacy.Erasures{
		DB: db, Queue: w.queue, Clock: w.clock, Rand: rand.Reader, CoolingOff: privacy.CoolingOff, Settle: privacy.SettleFor,
		Sweeper: db, Blobs: w.blobs, Keys: envelope.New(w.kms, db, w.clock), Ledger: w.log, Piece: time.Hour,
		Signer: func(context.Context) (*ledger.Signer, error) { return w.signer, nil },
		Freeze: func(ctx context.Context, t tenant.ID) error {
			w.frozen[t]++
			return db.Put(ctx, t, store.Offers, store.Item{Key: stopKey})
		},
		Thaw:       func(ctx context.Context, t tenant.ID) error { return db.Delete(ctx, t, store.Offers, stopKey) },
		Frozen:     func(table store.Table, key store.Key) bool { return table == store.Offers && key == stopKey },
		Entry:      func(key store.Key) bool { return strings.HasPrefix(key.PK, "state#") },
		Revoke:     func(_ context.Context, t tenant.ID) error { w.tokens[t] = 0; return nil },
		DeleteUser: func(_ context.Context, member string) error { delete(w.users, member); return nil },
	}
}

// plain is a value that only t has. It does not hold the id, which may stay.
func plain(t tenant.ID, what string) string {
	return fmt.Sprintf("%s-of-company-%d", what, len(t))
}

// plant keeps something of the tenant in every place and form that there is: the
// same SKUs, the same keys, and in the directory the three ways to name a tenant.
func (w *erasing) plant(tb testing.TB, t tenant.ID) {
	tb.Helper()
	put := func(owner tenant.ID, table store.Table, pk, sk string, attrs map[string]any) {
		tb.Helper()
		if err := w.db.Put(ctx, owner, table, store.Item{Key: store.Key{PK: pk, SK: sk}, Attrs: attrs}); err != nil {
			tb.Fatal(err)
		}
	}
	for _, table := range []store.Table{store.Offers, store.Identity, store.Connections, store.Privacy} {
		for i := range 20 {
			put(t, table, fmt.Sprintf("kind%d", i%3), fmt.Sprintf("SKU-%d", i), map[string]any{"title": plain(t, "title"), "note": []byte(plain(t, "note"))})
		}
		// Keys that look like the other's.
		put(t, table, string(tenantA)+"#kind", string(tenantB)+"/x", map[string]any{"title": plain(t, "title")})
	}
	put(store.Directory, store.Identity, "apikey#"+plain(t, "key"), "tenant", map[string]any{"tenant": string(t)})
	put(store.Directory, store.Connections, "seller#eu#"+plain(t, "seller"), "claim", map[string]any{"tenant": string(t)})
	put(store.Directory, store.Offers, "lanes", string(t)+"/conn_a", map[string]any{})
	put(store.Directory, store.Offers, "open", string(t)+"/lane/conn_a", map[string]any{"tenant": string(t)})
	put(store.Directory, store.Offers, "due", "1700000000000/"+string(t)+"/apply/"+plain(t, "batch"), map[string]any{})
	put(store.Directory, store.Offers, "window", "of nobody", map[string]any{})
	for _, p := range envelope.Purposes() {
		sealed, err := w.sealer.Seal(ctx, t, p, envelope.Where{Table: store.Identity, Key: store.Key{PK: "member", SK: "m"}, Field: "name"}, []byte(plain(t, "name")))
		if err != nil {
			tb.Fatal(err)
		}
		put(t, store.Identity, "member", string(p), map[string]any{"name": sealed})
	}
	for id, item := range map[string]store.Key{
		"member": {PK: "members", SK: "m-" + plain(t, "member")}, "removed": {PK: "members", SK: "m-" + plain(t, "removed")}, "invited": {PK: "tickets", SK: plain(t, "ticket")},
	} {
		w.users["m-"+plain(t, id)] = t
		put(t, store.Identity, item.PK, item.SK, map[string]any{"member": "m-" + plain(t, id)})
	}
	for _, bucket := range []store.Bucket{store.Files, store.Exports, store.Downloads, store.History} {
		for i := range 3 {
			if err := w.blobs.Put(ctx, t, bucket, fmt.Sprintf("x/%s-%d", plain(t, "file"), i), "text/plain", []byte(plain(t, "content"))); err != nil {
				tb.Fatal(err)
			}
		}
	}
	err := w.log.AppendDirect(ctx, t, "k", ledger.Event{Type: ledger.OfferImported, At: w.clock.Now(), Target: plain(t, "sku")})
	if err != nil {
		tb.Fatal(err)
	}
}

// pump moves what the privacy table's stream has into the ledgers, as audit-stream
// does, and wants no record stuck.
func (w *erasing) pump(tb testing.TB) {
	tb.Helper()
	pump := ledger.Pump{Log: w.log, Mappers: map[store.Table]ledger.Mapper{store.Privacy: privacy.Events}}
	records := w.db.Records(store.Privacy, w.read[store.Privacy])
	records = slices.DeleteFunc(records, func(r store.Record) bool { return strings.HasPrefix(r.Key.PK, "kind") })
	if failed, err := pump.Handle(ctx, records); err != nil || len(failed) > 0 {
		tb.Fatalf("records that do not get into the ledger hold up all that follow: %v, %v", failed, err)
	}
	if len(records) > 0 {
		w.read[store.Privacy] = records[len(records)-1].Seq
	}
}

func (w *erasing) request(tb testing.TB, t tenant.ID) privacy.Erasure {
	tb.Helper()
	e, err := w.Request(ctx, t, "key:1", "req-1", privacy.ConfirmErasure(t))
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// work delivers messages until there are none; what fails comes again later.
func (w *erasing) work() (err error) {
	for {
		got := w.queue.Receive(1, time.Minute)
		if len(got) == 0 {
			return err
		}
		var m privacy.Message
		if err := json.Unmarshal(got[0].Body, &m); err != nil {
			return err
		}
		if rerr := w.Run(ctx, m.Tenant, m.Erasure); rerr != nil {
			err = rerr
			continue
		}
		w.queue.Delete(got[0].ID)
	}
}

// finish lets time pass until the erasure is done, and counts what went wrong on
// the way.
func (w *erasing) finish(tb testing.TB, id string) (done privacy.Erasure, failures int) {
	tb.Helper()
	for range 100 {
		w.clock.Advance(15 * time.Minute)
		if _, err := w.Timer(ctx); err != nil {
			failures++
		}
		if err := w.work(); err != nil {
			failures++
		}
		e, err := w.Get(ctx, id)
		if err != nil {
			tb.Fatal(err)
		}
		if e.State == privacy.Done {
			return e, failures
		}
	}
	tb.Fatal("the erasure does not come to its end")
	return privacy.Erasure{}, 0
}

// traces lists where bytes of the tenant are: values of its own, or its id where
// that may not stay.
func traces(tb testing.TB, db *memory.DB, blobs *memory.Blobs, queue *memory.Queue, t tenant.ID) (found []string) {
	tb.Helper()
	mark := []byte(fmt.Sprintf("-of-company-%d", len(t)))
	db.Each(func(owner tenant.ID, table store.Table, it store.Item) bool {
		text := fmt.Sprintf("%s %s %s %q", owner, it.PK, it.SK, it.Attrs)
		// What may stay of the id: the erasure itself and the mark that it began, the
		// ledger's tree, and the mark that no new key is made.
		stays := table == store.Privacy && (it.PK == "erasure" || it.PK == "erasing") || table == store.Ledger && owner == t || table == store.Keys && owner == t && it.Bool("erased")
		named := owner == t || owner == store.Directory && store.NamesTenant(it, t)
		if bytes.Contains([]byte(text), mark) || named && !stays {
			found = append(found, string(table)+": "+text)
		}
		return true
	})
	blobs.Each(func(owner tenant.ID, bucket store.Bucket, name string, body []byte) bool {
		if owner == t || bytes.Contains(body, mark) || strings.Contains(name, string(mark)) {
			found = append(found, string(bucket)+": "+string(owner)+"/"+name)
		}
		return true
	})
	for _, m := range queue.Receive(100, time.Second) {
		if bytes.Contains(m.Body, mark) {
			found = append(found, "queue: "+string(m.Body))
		}
	}
	return found
}

// everything is all there is of a tenant, to compare.
func everything(db *memory.DB, blobs *memory.Blobs, t tenant.ID) map[string]string {
	all := map[string]string{}
	db.Each(func(owner tenant.ID, table store.Table, it store.Item) bool {
		if owner == t || owner == store.Directory && store.NamesTenant(it, t) {
			keys := slices.Sorted(maps.Keys(it.Attrs))
			text := ""
			for _, k := range keys {
				text += fmt.Sprintf("%s=%q ", k, it.Attrs[k])
			}
			all[fmt.Sprintf("%s %s %s %s", owner, table, it.PK, it.SK)] = text
		}
		return true
	})
	blobs.Each(func(owner tenant.ID, bucket store.Bucket, name string, body []byte) bool {
		if owner == t {
			all[string(bucket)+" "+name] = string(body)
		}
		return true
	})
	return all
}

func TestAnErasureLeavesNothingOfItsTenantAndTouchesNoOther(t *testing.T) {
	t.Parallel()
	w := newErasing(t)
	other := everything(w.db, w.blobs, tenantB)
	if len(traces(t, w.db, w.blobs, w.queue, tenantA)) < 90 {
		t.Fatal("the scan finds too little of a tenant that is there")
	}
	e := w.request(t, tenantA)
	w.pump(t)
	before, err := w.log.CheckTree(ctx, tenantA)
	if err != nil || before.Size != 2 {
		t.Fatalf("tree %+v, %v", before, err)
	}
	w.clock.Advance(privacy.CoolingOff)
	done, failures := w.finish(t, e.ID)
	w.pump(t) // what the stream still had
	if failures > 0 {
		t.Errorf("%d failures on the way", failures)
	}
	for _, f := range traces(t, w.db, w.blobs, w.queue, tenantA) {
		t.Errorf("left: %s", f)
	}
	if diff := cmp.Diff(other, everything(w.db, w.blobs, tenantB)); diff != "" {
		t.Errorf("the other tenant changed: %s", diff)
	}
	if w.tokens[tenantA] != 0 || w.tokens[tenantB] != 3 || w.frozen[tenantB] != 0 {
		t.Errorf("tokens %v, frozen %v", w.tokens, w.frozen)
	}
	after, err := w.log.CheckTree(ctx, tenantA)
	if err != nil || after.Size < before.Size {
		t.Errorf("the ledger's tree: %+v, %v", after, err)
	}
	if _, err := w.log.Events(ctx, tenantA, 0, 10); !errors.Is(err, envelope.ErrOpen) {
		t.Errorf("the ledger's values: %v", err)
	}
	r, err := privacy.OpenReceipt(done.Receipt, w.signer.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	if r.Tenant != tenantA || r.Erasure != e.ID || !r.Requested.Equal(start) || r.KeysGone.Sub(r.Erased) != 7*24*time.Hour ||
		r.AllGone.Sub(r.Erased) != 35*24*time.Hour || r.Size != after.Size || r.Root != after.Root || r.Erased.After(done.Due) {
		t.Errorf("receipt %+v; the tree is %+v", r, after)
	}
}

func TestAChangedReceiptIsRefused(t *testing.T) {
	t.Parallel()
	w := newErasing(t)
	w.CoolingOff = 0
	done, _ := w.finish(t, w.request(t, tenantA).ID)
	for i := range done.Receipt {
		bad := []byte(done.Receipt)
		bad[i] ^= 1
		if _, err := privacy.OpenReceipt(string(bad), w.signer.VerifierKey()); err == nil {
			t.Errorf("byte %d changed: accepted", i)
		}
	}
	if _, err := ledger.OpenCheckpoint(done.Receipt, w.signer.VerifierKey()); err == nil {
		t.Error("a receipt passes as a checkpoint")
	}
}

// TestAnErasureSurvivesACrashAtEveryWrite: each write of it is lost once before and
// once after its effect, and the worker with it.
func TestAnErasureSurvivesACrashAtEveryWrite(t *testing.T) {
	t.Parallel()
	writes := 0
	count := newErasing(t)
	count.CoolingOff = 0
	count.db.Hook = func(memory.Op) (bool, error) { writes++; return true, nil }
	count.finish(t, count.request(t, tenantA).ID)
	if writes < 100 {
		t.Fatalf("only %d writes", writes)
	}
	lost := errors.New("lost")
	for _, applied := range []bool{false, true} {
		for at := 2; at <= writes; at++ { // the first is the request's, which its caller repeats
			w := newErasing(t)
			w.CoolingOff = 0
			w.Piece = time.Nanosecond // hand on after every step
			e := w.request(t, tenantA)
			n, crashed := 1, false
			w.db.Hook = func(memory.Op) (bool, error) {
				n++
				if n == at {
					crashed = true
				}
				if crashed && n < at+3 { // what a dying worker still tries is lost too
					return applied && n == at, lost
				}
				return true, nil
			}
			done, _ := w.finish(t, e.ID)
			w.db.Hook = nil
			w.pump(t)
			if left := traces(t, w.db, w.blobs, w.queue, tenantA); len(left) > 0 {
				t.Fatalf("crash at write %d (applied %v): left %v", at, applied, left)
			}
			if users := w.left(tenantA); len(users) > 0 {
				t.Fatalf("crash at write %d (applied %v): users %v", at, applied, users)
			}
			if _, err := privacy.OpenReceipt(done.Receipt, w.signer.VerifierKey()); err != nil {
				t.Fatalf("crash at write %d: %v", at, err)
			}
		}
	}
}

func TestWhatIsWrittenWhileATenantIsErasedIsErasedToo(t *testing.T) {
	t.Parallel()
	w := newErasing(t)
	w.CoolingOff = 0
	e := w.request(t, tenantA)
	late := 3
	for range 60 {
		w.clock.Advance(15 * time.Minute)
		if _, err := w.Timer(ctx); err != nil {
			t.Fatal(err)
		}
		if err := w.work(); err != nil {
			t.Fatal(err)
		}
		// A worker that knew the tenant before goes on for a while.
		if got, err := w.Get(ctx, e.ID); err == nil && got.State == privacy.Settling && late > 0 {
			late--
			it := store.Item{Key: store.Key{PK: "late", SK: fmt.Sprint(late)}, Attrs: map[string]any{"title": plain(tenantA, "late")}}
			if err := w.db.Put(ctx, tenantA, store.Offers, it); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, err := w.Get(ctx, e.ID); err != nil || got.State != privacy.Done {
		t.Fatalf("%+v, %v", got, err)
	}
	if left := traces(t, w.db, w.blobs, w.queue, tenantA); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestARestoredBackupIsErasedAgain(t *testing.T) {
	t.Parallel()
	w := newErasing(t)
	w.CoolingOff = 0
	// The backup: a copy of every table from before the request.
	backup := memory.New(w.clock)
	w.db.Each(func(owner tenant.ID, table store.Table, it store.Item) bool {
		if err := backup.Put(ctx, owner, table, it); err != nil {
			t.Fatal(err)
		}
		return true
	})
	other := everything(backup, memory.NewBlobs(w.clock), tenantB)
	w.finish(t, w.request(t, tenantA).ID)

	if len(traces(t, backup, w.blobs, w.queue, tenantA)) == 0 {
		t.Fatal("the backup holds nothing")
	}
	done, err := w.over(backup).Replay(ctx)
	if err != nil || len(done) != 1 || done[0].Tenant != tenantA || done[0].Deleted < 80 {
		t.Fatalf("replayed %+v, %v", done, err)
	}
	if left := traces(t, backup, w.blobs, w.queue, tenantA); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	if diff := cmp.Diff(other, everything(backup, memory.NewBlobs(w.clock), tenantB)); diff != "" {
		t.Errorf("the other tenant changed: %s", diff)
	}
	log := ledger.New(backup, envelope.New(w.kms, backup, w.clock), w.clock, rand.Reader)
	if _, err := log.CheckTree(ctx, tenantA); err != nil {
		t.Errorf("the restored ledger: %v", err)
	}
	if _, err := log.Events(ctx, tenantA, 0, 10); !errors.Is(err, envelope.ErrOpen) {
		t.Errorf("the restored ledger's values: %v", err)
	}
	again, err := w.over(backup).Replay(ctx)
	if err != nil || len(again) != 1 || again[0].Deleted != 0 {
		t.Errorf("once more: %+v, %v", again, err)
	}
}

func TestAnErasureCanBeTakenBackUntilItStarts(t *testing.T) {
	t.Parallel()
	w := newErasing(t)
	before := everything(w.db, w.blobs, tenantA)
	e := w.request(t, tenantA)
	if _, err := w.Request(ctx, tenantA, "key:1", "r", privacy.ConfirmErasure(tenantA)); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a second request: %v", err)
	}
	w.clock.Advance(privacy.CoolingOff - time.Second)
	if err := w.Run(ctx, tenantA, e.ID); err != nil { // a message that comes too early
		t.Fatal(err)
	}
	if w.frozen[tenantA] != 0 {
		t.Error("sending is stopped while the request can be taken back")
	}
	if _, err := w.Cancel(ctx, tenantB, "key:2", e.ID); fault.KindOf(err) != fault.NotFound {
		t.Errorf("cancelled by another tenant: %v", err)
	}
	for range 2 {
		if got, err := w.Cancel(ctx, tenantA, "key:1", e.ID); err != nil || got.State != privacy.Cancelled {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	w.clock.Advance(time.Hour)
	if o, err := w.Timer(ctx); err != nil || o.Count != 0 {
		t.Errorf("timer: %+v, %v", o, err)
	}
	if err := w.Run(ctx, tenantA, e.ID); err != nil {
		t.Fatal(err)
	}
	after := everything(w.db, w.blobs, tenantA)
	maps.DeleteFunc(after, func(k, _ string) bool { return strings.Contains(k, e.ID) })
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("a request that was taken back changed something: %s", diff)
	}
	second := w.request(t, tenantA)
	w.clock.Advance(privacy.CoolingOff)
	if err := w.Run(ctx, tenantA, second.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Cancel(ctx, tenantA, "key:1", second.ID); fault.KindOf(err) != fault.Conflict {
		t.Errorf("cancelled after it started: %v", err)
	}
}

func TestALegalHoldKeepsAnErasureFromStartingAndSaysSo(t *testing.T) {
	t.Parallel()
	w := newErasing(t)
	w.CoolingOff = 0
	for range 2 {
		if err := w.Hold(ctx, tenantA, "operator:x"); err != nil {
			t.Fatal(err)
		}
	}
	e := w.request(t, tenantA)
	w.clock.Advance(time.Hour)
	if err := w.Run(ctx, tenantA, e.ID); err != nil {
		t.Fatal(err)
	}
	if got, err := w.Get(ctx, e.ID); err != nil || got.State != privacy.Cooling || !got.HeldSince.Equal(start) {
		t.Errorf("held: %+v, %v", got, err)
	}
	if o, err := w.Timer(ctx); err != nil || o.Count != 1 || o.Rung != 0 || o.Oldest != time.Hour {
		t.Errorf("the timer of a held erasure goes on, its bell does not: %+v, %v", o, err)
	}
	if err := w.Lift(ctx, tenantA); err != nil {
		t.Fatal(err)
	}
	if err := w.Run(ctx, tenantA, e.ID); err != nil {
		t.Fatal(err)
	}
	if err := w.Hold(ctx, tenantA, "operator:x"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("held after it started: %v", err)
	}
	w.finish(t, e.ID)
}

func TestARequestWithoutItsConfirmationChangesNothing(t *testing.T) {
	t.Parallel()
	w := newErasing(t)
	before := everything(w.db, w.blobs, tenantA)
	for _, confirm := range []string{"", "yes", privacy.ConfirmErasure(tenantB)} {
		if _, err := w.Request(ctx, tenantA, "key:1", "r", confirm); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), privacy.ConfirmErasure(tenantA)) {
			t.Errorf("%q: %v", confirm, err)
		}
	}
	if diff := cmp.Diff(before, everything(w.db, w.blobs, tenantA)); diff != "" {
		t.Error(diff)
	}
	if _, err := w.Get(ctx, "era_aaaaaaaaaaaaaaaaaaaaaaaaaa"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("an erasure that never was: %v", err)
	}
}
