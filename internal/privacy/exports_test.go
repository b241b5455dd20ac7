package privacy_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/fault"
	"pricemanager/internal/ledger"
	"pricemanager/internal/privacy"
	"pricemanager/internal/privacy/locked"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

// Ids that contain each other, as far as ids may.
const (
	tenantA tenant.ID = "t_aaaaaa"
	tenantB tenant.ID = "t_aaaaaaa"
)

var (
	ctx   = context.Background()
	start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

type world struct {
	db     *memory.DB
	blobs  *memory.Blobs
	queue  *memory.Queue
	clock  *clock.Manual
	log    *ledger.Log
	sealer *envelope.Sealer
	signer *ledger.Signer
	*privacy.Exports
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	clk := clock.NewManual(start)
	w := &world{db: memory.New(clk), blobs: memory.NewBlobs(clk), queue: memory.NewQueue(clk), clock: clk}
	var err error
	if w.signer, err = ledger.NewSigner(secret.New("0123456789abcdef0123456789abcdef")); err != nil {
		tb.Fatal(err)
	}
	w.sealer = envelope.New(memkms.New(rand.Reader), w.db, clk)
	w.log = ledger.New(w.db, w.sealer, clk, rand.Reader).
		WithSigner(func(context.Context) (*ledger.Signer, error) { return w.signer, nil })
	w.Exports = &privacy.Exports{
		DB: w.db, Blobs: w.blobs, Objects: w.blobs, Spool: temp, Queue: w.queue, Ledger: w.log, Clock: clk, Rand: rand.Reader,
		Sealer:  w.sealer,
		Sources: []privacy.Source{privacy.SourceFunc("offers", w.offers)},
	}
	return w
}

// offers is a source as a room would write it.
func (w *world) offers(ctx context.Context, t tenant.ID, out *privacy.Writer) error {
	table, err := out.Table("offers", "sku", "price")
	if err != nil {
		return err
	}
	page, err := w.db.Query(ctx, t, store.Offers, store.Query{PK: "offer"})
	if err != nil {
		return err
	}
	for _, it := range page.Items {
		row := map[string]string{"sku": it.SK, "price": it.Str("price")}
		if err := table.Add(row, it.SK, it.Str("price")); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) offer(tb testing.TB, t tenant.ID, sku, price string) {
	tb.Helper()
	it := store.Item{Key: store.Key{PK: "offer", SK: sku}, Attrs: map[string]any{"price": price}}
	if err := w.db.Put(ctx, t, store.Offers, it); err != nil {
		tb.Fatal(err)
	}
	err := w.log.AppendDirect(ctx, t, "offer:"+sku, ledger.Event{Type: ledger.OfferImported, At: w.clock.Now(), Target: sku})
	if err != nil {
		tb.Fatal(err)
	}
}

func (w *world) request(tb testing.TB, t tenant.ID) privacy.Export {
	tb.Helper()
	e, err := w.Request(ctx, t, "key:1", "req-1", "")
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// temp makes temporary files.
func temp() (privacy.Temp, error) {
	f, err := os.CreateTemp("", "privacy-test-")
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

// done requests and runs an export and returns it with its archive, unlocked.
func (w *world) done(tb testing.TB, t tenant.ID) (privacy.Export, []byte) {
	tb.Helper()
	e := w.request(tb, t)
	if err := w.Run(ctx, t, e.ID); err != nil {
		tb.Fatal(err)
	}
	return w.finished(tb, t, e.ID)
}

func (w *world) finished(tb testing.TB, t tenant.ID, id string) (privacy.Export, []byte) {
	tb.Helper()
	e, err := w.Get(ctx, t, id)
	if err != nil || e.State != privacy.Done {
		tb.Fatalf("export %+v, %v; want it done", e, err)
	}
	handed, err := w.Hand(ctx, t, e, e.By)
	if err != nil {
		tb.Fatal(err)
	}
	_, body, err := w.blobs.Follow(handed.URL)
	if err != nil {
		tb.Fatal(err)
	}
	sum := sha256.Sum256(body)
	if hex.EncodeToString(sum[:]) != e.SHA256 || int64(len(body)) != e.Bytes {
		tb.Fatal("the archive is not the one that the export describes")
	}
	_, err = privacy.Verify(bytes.NewReader(body), int64(len(body)), handed.Password, ledger.VerifyOpts{Key: w.signer.VerifierKey()})
	if err != nil && (e.Member == "" || !errors.Is(err, privacy.ErrNoLedger)) {
		tb.Fatalf("the archive does not verify with its password: %v", err)
	}
	return e, unlocked(tb, body, handed.Password)
}

// unlocked is the archive without its lock.
func unlocked(tb testing.TB, archive []byte, password secret.Value) []byte {
	tb.Helper()
	in, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		tb.Fatal(err)
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, f := range in.File {
		if !locked.Locked(f) {
			tb.Errorf("%s is not locked", f.Name)
		}
		from, err := locked.Open(f, password)
		if err != nil {
			tb.Fatal(err)
		}
		to, err := z.Create(f.Name)
		if err == nil {
			_, err = io.Copy(to, from)
		}
		if err != nil {
			tb.Fatalf("%s: %v", f.Name, err)
		}
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func files(tb testing.TB, archive []byte) map[string]string {
	tb.Helper()
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		tb.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			tb.Fatal(err)
		}
		b, err := io.ReadAll(in)
		if err != nil {
			tb.Fatalf("%s: %v", f.Name, err)
		}
		out[f.Name] = string(b)
	}
	return out
}

func (w *world) verify(archive []byte) (ledger.Report, error) {
	return privacy.Verify(bytes.NewReader(archive), int64(len(archive)), secret.Value{}, ledger.VerifyOpts{Key: w.signer.VerifierKey()})
}

func TestAnExportHasEverythingOfItsTenantAndNothingOfAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 30 {
		w.offer(t, tenantA, fmt.Sprintf("MINE-%d", i), fmt.Sprintf("%d.50", i))
		w.offer(t, tenantB, fmt.Sprintf("THEIRS-%d", i), fmt.Sprintf("%d.99", i))
	}
	w.request(t, tenantB)
	e, body := w.done(t, tenantA)
	got := files(t, body)
	want := []string{"README.txt", "checkpoint.txt", "erasures.csv", "erasures.json", "exports.csv", "exports.json", "ledger.jsonl", "manifest.json", "offers.csv", "offers.json"}
	if names := sorted(got); !slices.Equal(names, want) || e.Files != len(want) {
		t.Errorf("files %v (%d), want %v", names, e.Files, want)
	}
	for i := range 30 {
		sku := fmt.Sprintf(`"MINE-%d"`, i)
		if !strings.Contains(got["offers.json"], sku) || !strings.Contains(got["ledger.jsonl"], sku) {
			t.Errorf("%s is missing", sku)
		}
	}
	var rows []map[string]string
	if err := json.Unmarshal([]byte(got["offers.json"]), &rows); err != nil || len(rows) != 30 {
		t.Errorf("offers.json: %d rows, %v", len(rows), err)
	}
	lines, err := csv.NewReader(strings.NewReader(got["offers.csv"])).ReadAll()
	if err != nil || len(lines) != 31 {
		t.Errorf("offers.csv: %d lines, %v", len(lines), err)
	}
	for name, content := range got {
		if strings.Contains(content, "THEIRS") || strings.Contains(content, string(tenantB)) {
			t.Errorf("%s shows something of the other tenant", name)
		}
	}
	rep, err := w.verify(body)
	if err != nil || rep.Checked != 30 || rep.Tenant != tenantA {
		t.Errorf("verify: %+v, %v", rep, err)
	}
}

func sorted(m map[string]string) (names []string) {
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestTheManifestDescribesEveryFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.offer(t, tenantA, "S1", "1.00")
	e, body := w.done(t, tenantA)
	got := files(t, body)
	var m struct {
		Tenant, Export string
		Files          []struct {
			Name, SHA256 string
			Bytes, Rows  int
		}
	}
	if err := json.Unmarshal([]byte(got["manifest.json"]), &m); err != nil {
		t.Fatal(err)
	}
	if m.Tenant != string(tenantA) || m.Export != e.ID || len(m.Files) != len(got)-1 {
		t.Errorf("manifest %+v of %d files", m, len(got))
	}
	rows := map[string]int{}
	for _, f := range m.Files {
		sum := sha256.Sum256([]byte(got[f.Name]))
		if f.SHA256 != hex.EncodeToString(sum[:]) || f.Bytes != len(got[f.Name]) {
			t.Errorf("%s is described wrongly", f.Name)
		}
		rows[f.Name] = f.Rows
	}
	want := map[string]int{"README.txt": 0, "checkpoint.txt": 0, "erasures.csv": 0, "erasures.json": 0, "exports.csv": 1, "exports.json": 1, "ledger.jsonl": 1, "offers.csv": 1, "offers.json": 1}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestFormulaCellsAreNeutralisedInCSVAndExactInJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	evil := []string{"=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", `=HYPERLINK("http://x","y")`}
	for _, sku := range evil {
		w.offer(t, tenantA, sku, "1.00")
	}
	w.offer(t, tenantA, "a=b", "1.00")
	_, body := w.done(t, tenantA)
	got := files(t, body)
	lines, err := csv.NewReader(strings.NewReader(got["offers.csv"])).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var cells, values []string
	for _, l := range lines[1:] {
		cells = append(cells, l[0])
	}
	var rows []map[string]string
	if err := json.Unmarshal([]byte(got["offers.json"]), &rows); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		values = append(values, r["sku"])
	}
	for _, sku := range evil {
		if !slices.Contains(cells, "'"+sku) || slices.Contains(cells, sku) || !slices.Contains(values, sku) {
			t.Errorf("%q: cells %q, values %q", sku, cells, values)
		}
	}
	if !slices.Contains(cells, "a=b") {
		t.Error("a harmless cell was changed")
	}
}

func TestADuplicateMessageMakesNoSecondExport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e, _ := w.done(t, tenantA)
	if err := w.Run(ctx, tenantA, e.ID); err != nil {
		t.Errorf("second delivery: %v", err)
	}
	names, err := w.blobs.List(ctx, tenantA, store.Exports, "")
	if err != nil || len(names) != 1 {
		t.Errorf("archives %v, %v", names, err)
	}
}

func TestConcurrentDeliveriesMakeOneExport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.request(t, tenantA)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := w.Run(ctx, tenantA, e.ID); err != nil && !errors.Is(err, privacy.ErrBusy) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	w.finished(t, tenantA, e.ID)
	names, err := w.blobs.List(ctx, tenantA, store.Exports, "")
	if err != nil || len(names) != 1 {
		t.Errorf("archives %v, %v", names, err)
	}
}

// Cut off before and after every write: a redelivery always ends with one whole
// archive handed out.
func TestEveryCrashPointIsRecovered(t *testing.T) {
	t.Parallel()
	for _, applied := range []bool{false, true} {
		for n := range 3 { // claim, done, and none
			w := newWorld(t)
			w.offer(t, tenantA, "S1", "1.00")
			e := w.request(t, tenantA)
			dead := false
			writes := 0
			w.db.Hook = func(op memory.Op) (bool, error) {
				if op.Writes[0].Table != store.Privacy {
					return true, nil
				}
				if dead { // a process that was killed writes no more
					return false, errors.New("dead")
				}
				if writes++; writes == n+1 {
					dead = true
					return applied, errors.New("killed")
				}
				return true, nil
			}
			first := w.Run(ctx, tenantA, e.ID)
			w.db.Hook = nil
			if (first == nil) != (n == 2) {
				t.Fatalf("write %d: %v", n, first)
			}
			w.clock.Advance(time.Hour) // the queue's visibility timeout
			if err := w.Run(ctx, tenantA, e.ID); err != nil {
				t.Fatalf("write %d, applied %v: redelivery: %v", n, applied, err)
			}
			_, body := w.finished(t, tenantA, e.ID)
			if _, err := w.verify(body); err != nil {
				t.Errorf("write %d, applied %v: %v", n, applied, err)
			}
		}
	}
}

func TestAWorkerThatLostItsLeaseDoesNotReplaceTheArchive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.request(t, tenantA)
	slow := *w.Exports
	slow.Sources = []privacy.Source{privacy.SourceFunc("slow", func(context.Context, tenant.ID, *privacy.Writer) error {
		w.clock.Advance(11 * time.Minute)
		w.offer(t, tenantA, "S1", "1.00")
		return w.Run(ctx, tenantA, e.ID) // the one that takes over
	})}
	if err := slow.Run(ctx, tenantA, e.ID); err != nil {
		t.Fatal(err)
	}
	_, body := w.finished(t, tenantA, e.ID)
	if _, ok := files(t, body)["offers.csv"]; !ok {
		t.Error("the archive is the slow worker's")
	}
	names, err := w.blobs.List(ctx, tenantA, store.Exports, "")
	if err != nil || len(names) != 1 {
		t.Errorf("archives %v, %v: the loser's stays", names, err)
	}
}

func TestAFailingSourceFailsTheExportAndAfterFourAttemptsForGood(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	broken := errors.New("broken")
	w.Sources = append(w.Sources, privacy.SourceFunc("batches", func(context.Context, tenant.ID, *privacy.Writer) error { return broken }))
	e := w.request(t, tenantA)
	for i := range 4 {
		if err := w.Run(ctx, tenantA, e.ID); !errors.Is(err, broken) || !strings.Contains(err.Error(), "batches") {
			t.Fatalf("attempt %d: %v", i+1, err)
		}
	}
	if err := w.Run(ctx, tenantA, e.ID); err != nil {
		t.Fatalf("after the last attempt: %v", err)
	}
	got, err := w.Get(ctx, tenantA, e.ID)
	if err != nil || got.State != privacy.Failed || got.Reason == "" || strings.Contains(got.Reason, "broken") {
		t.Errorf("export %+v, %v", got, err)
	}
	if names, _ := w.blobs.List(ctx, tenantA, store.Exports, ""); len(names) != 0 {
		t.Errorf("a part was kept: %v", names)
	}
}

func TestAnotherTenantsExportIsNotFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e, _ := w.done(t, tenantA)
	running := w.request(t, tenantA)
	for _, id := range []string{e.ID, running.ID, "exp_none", "", "exp_" + strings.Repeat("a", 26), "../" + e.ID} {
		if _, err := w.Get(ctx, tenantB, id); fault.KindOf(err) != fault.NotFound {
			t.Errorf("get %q: %v", id, err)
		}
	}
	if err := w.Run(ctx, tenantB, running.ID); fault.KindOf(err) != fault.NotFound {
		t.Errorf("run: %v", err)
	}
	if got, err := w.Get(ctx, tenantA, running.ID); err != nil || got.State != privacy.Running {
		t.Errorf("the export was touched: %+v, %v", got, err)
	}
}

func TestALostMessageIsSentAgainByWhoAsksLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.request(t, tenantA)
	if w.queue.Sent() != 1 {
		t.Fatalf("%d messages", w.queue.Sent())
	}
	w.clock.Advance(65*time.Minute - time.Second)
	get := func() {
		if _, err := w.Get(ctx, tenantA, e.ID); err != nil {
			t.Fatal(err)
		}
	}
	get()
	if n := w.queue.Sent(); n != 1 {
		t.Errorf("sent again too early: %d", n)
	}
	w.clock.Advance(time.Second)
	get()
	get()
	if n := w.queue.Sent(); n != 2 {
		t.Errorf("%d messages, want 2", n)
	}
	var m privacy.Message
	if err := json.Unmarshal(w.queue.Receive(1, time.Minute)[0].Body, &m); err != nil || m.Export != e.ID || m.Tenant != tenantA || m.Kind != "export" {
		t.Errorf("message %+v, %v", m, err)
	}
}

func TestAnArchiveIsHandedToWhoAskedWhileItIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e, _ := w.done(t, tenantA)
	handed, err := w.Hand(ctx, tenantA, e, "key:1")
	if err != nil || handed.URL == "" || handed.Password.Reveal() == "" {
		t.Fatalf("%v, %v", handed, err)
	}
	for _, other := range []string{"", "key:2", "member:1", "operator"} {
		if got, err := w.Hand(ctx, tenantA, e, other); err != nil || got.URL+got.Password.Reveal() != "" {
			t.Errorf("%q was handed %v, %v", other, got, err)
		}
	}
	if got, err := w.Hand(ctx, tenantB, e, "key:1"); err == nil {
		t.Errorf("another tenant was handed %v", got)
	}
	w.clock.Advance(15*time.Minute + time.Second)
	if _, _, err := w.blobs.Follow(handed.URL); err == nil {
		t.Error("the link works after 15 minutes")
	}
	w.clock.Advance(23*time.Hour + 40*time.Minute)
	handed, err = w.Hand(ctx, tenantA, e, "key:1")
	if err != nil || handed.URL == "" {
		t.Fatalf("a few minutes before its end: %v", err)
	}
	w.clock.Advance(5 * time.Minute)
	if _, _, err := w.blobs.Follow(handed.URL); err == nil {
		t.Error("the link outlives the archive")
	}
	if got, err := w.Hand(ctx, tenantA, e, "key:1"); err != nil || got.URL+got.Password.Reveal() != "" {
		t.Errorf("after a day: %v, %v", got, err)
	}
}

// TestAnArchiveAtRestSaysNothing: beyond what the bucket does, the archive is locked,
// its password is sealed under a data key of the tenant, and goes with that key.
func TestAnArchiveAtRestSaysNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.offer(t, tenantA, "VERY-SECRET-SKU", "1.00")
	e, _ := w.done(t, tenantA)
	handed, err := w.Hand(ctx, tenantA, e, "key:1")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	w.blobs.Each(func(_ tenant.ID, bucket store.Bucket, name string, body []byte) bool {
		seen++
		if strings.Contains(name+string(body), "VERY-SECRET-SKU") || bytes.Contains(body, []byte(handed.Password.Reveal())) {
			t.Errorf("%s/%s shows what is in it, or its password", bucket, name)
		}
		z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range z.File {
			if in, err := f.Open(); err == nil {
				t.Errorf("%s opens without a password", f.Name)
				_ = in.Close()
			}
			if _, err := locked.Open(f, secret.New("")); !errors.Is(err, locked.ErrOpen) {
				t.Errorf("%s opens without a password: %v", f.Name, err)
			}
		}
		return true
	})
	w.db.Each(func(_ tenant.ID, table store.Table, item store.Item) bool {
		if strings.Contains(fmt.Sprintf("%q", item.Attrs), handed.Password.Reveal()) {
			t.Errorf("the password rests in clear in %s %s", table, item.PK)
		}
		return true
	})
	if seen != 1 {
		t.Errorf("%d objects", seen)
	}
	if err := w.sealer.Shred(ctx, tenantA); err != nil {
		t.Fatal(err)
	}
	if got, err := w.Hand(ctx, tenantA, e, "key:1"); err == nil || got.URL+got.Password.Reveal() != "" {
		t.Errorf("after the keys are destroyed: %v, %v", got, err)
	}
}

func TestAnExportOfOneMemberIsAboutThemAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.offer(t, tenantA, "S1", "1.00") // by nobody
	for i, actor := range []string{"member:a", "member:aa", "member:a"} {
		for _, id := range []tenant.ID{tenantA, tenantB} {
			err := w.log.AppendDirect(ctx, id, fmt.Sprint("by:", i), ledger.Event{Type: ledger.GuardsChanged, At: w.clock.Now(), Actor: actor, Target: fmt.Sprint(id, "#", i)})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	w.Sources = append(w.Sources, privacy.PersonalFunc("people", func(_ context.Context, _ tenant.ID, out *privacy.Writer) error {
		list, err := out.List("people")
		for _, who := range []string{"member:a", "member:aa"} {
			if out.About(who) && err == nil {
				err = list.Add(who)
			}
		}
		return err
	}))
	if _, err := w.Request(ctx, tenantA, "member:aa", "req-0", ""); err != nil {
		t.Fatal(err)
	}
	e, err := w.Request(ctx, tenantA, "member:owner", "req-1", "member:a")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Run(ctx, tenantA, e.ID); err != nil {
		t.Fatal(err)
	}
	e, body := w.finished(t, tenantA, e.ID)
	got := files(t, body)
	want := []string{"README.txt", "erasures.csv", "erasures.json", "events.jsonl", "exports.csv", "exports.json", "manifest.json", "people.json"}
	if names := sorted(got); !slices.Equal(names, want) || e.Member != "member:a" {
		t.Errorf("files %v of %q, want %v", names, e.Member, want)
	}
	if got["people.json"] != "[\n\"member:a\"\n]\n" || strings.Count(got["exports.csv"], "\n") != 2 {
		t.Errorf("people %q, exports %q", got["people.json"], got["exports.csv"])
	}
	lines := strings.Split(strings.TrimSpace(got["events.jsonl"]), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], `"index":1,`) || !strings.Contains(lines[0], "#0") || !strings.Contains(lines[1], "#2") {
		t.Errorf("events %q", lines)
	}
	for name, content := range got {
		if strings.Contains(content, "member:aa") || strings.Contains(content, string(tenantB)) {
			t.Errorf("%s shows somebody else", name)
		}
	}
	if _, err := w.verify(body); !errors.Is(err, privacy.ErrNoLedger) {
		t.Errorf("verify: %v", err)
	}
}

func TestAnyChangeToAnArchiveIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.offer(t, tenantA, "S1", "1.00")
	w.offer(t, tenantA, "S2", "2.00")
	_, body := w.done(t, tenantA)
	whole := files(t, body)
	repack := func(m map[string]string) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, name := range sorted(m) {
			f, err := z.Create(name)
			if err == nil {
				_, err = io.WriteString(f, m[name])
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	if _, err := w.verify(repack(whole)); err != nil {
		t.Fatalf("repacked unchanged: %v", err)
	}
	for name := range whole {
		for what, change := range map[string]func(map[string]string){
			"changed": func(m map[string]string) { m[name] = strings.Replace(m[name], `"sha256": "`, `"sha256": "0`, 1) + " " },
			"emptied": func(m map[string]string) { m[name] = "" },
			"removed": func(m map[string]string) { delete(m, name) },
			"added":   func(m map[string]string) { m[name+".x"] = "new" },
		} {
			m := map[string]string{}
			for k, v := range whole {
				m[k] = v
			}
			change(m)
			_, err := w.verify(repack(m))
			if !errors.Is(err, ledger.ErrBad) {
				t.Errorf("%s %s: %v", name, what, err)
			}
		}
	}
	forged := map[string]string{}
	for k, v := range whole {
		forged[k] = v
	}
	forged["ledger.jsonl"] = strings.Replace(whole["ledger.jsonl"], `"target":"S2"`, `"target":"S3"`, 1)
	var p *ledger.Problem
	if _, err := w.verify(repack(forged)); !errors.As(err, &p) || p.Index != 1 {
		t.Errorf("a changed event names %v, want entry 1", err)
	}
	if _, err := w.verify([]byte("not a zip")); !errors.Is(err, ledger.ErrBad) {
		t.Errorf("not a zip: %v", err)
	}
}
