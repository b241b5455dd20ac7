package pull

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/fault"
	"pricemanager/internal/fetch"
	"pricemanager/internal/fx"
	"pricemanager/internal/ledger"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

const (
	owner    = tenant.ID("t_owner00001")
	stranger = tenant.ID("t_stranger01")
	address  = "https://files.example.com/feed/prices.csv?key=1"
)

// web is what the world's web servers answer: by address a file, or an error.
type web struct {
	files map[string]string
	// modified is when the files changed last, "" when the server does not say.
	modified string
	err      error
	asked    []fetch.Request
	then     func() // runs while a file is under way
}

func (w *web) Get(_ context.Context, r fetch.Request, out io.Writer) (fetch.Result, error) {
	w.asked = append(w.asked, r)
	if w.then != nil {
		w.then()
	}
	if w.err != nil {
		return fetch.Result{}, w.err
	}
	body, ok := w.files[r.URL]
	if !ok {
		return fetch.Result{}, fault.New(fault.Unavailable, "fetch-status", "There is no file at the address (status 404).")
	}
	sum := sha256.Sum256([]byte(body))
	res := fetch.Result{LastModified: w.modified, ETag: `"` + hex.EncodeToString(sum[:4]) + `"`, Size: int64(len(body)), SHA256: hex.EncodeToString(sum[:])}
	if r.ETag == res.ETag || r.ETag == "" && r.LastModified != "" && r.LastModified == w.modified {
		return fetch.Result{NotModified: true}, nil
	}
	_, err := io.WriteString(out, body)
	return res, err
}

type world struct {
	t     *testing.T
	clock *clock.Manual
	db    *memory.DB
	blobs *memory.Blobs
	plans *memory.Queue // where plans are sent for
	pulls *memory.Queue // where sources are rung for
	web   *web
	store *Store
	bell  Bell
	rates *fx.Store
	run   *Runner
}

func newWorld(t *testing.T) *world {
	t.Helper()
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	w := &world{t: t, clock: clk, db: memory.New(clk), blobs: memory.NewBlobs(clk), plans: memory.NewQueue(clk), pulls: memory.NewQueue(clk),
		web: &web{files: map[string]string{address: "sku;price\nA;1,50\n"}}}
	sealer := envelope.New(memkms.New(rand.Reader), w.db, clk)
	w.store = &Store{DB: w.db, Sealer: sealer, Clock: clk, Check: (&fetch.Client{}).Check}
	w.bell = Bell{DB: w.db, Queue: w.pulls, Now: clk.Now}
	w.rates = &fx.Store{DB: w.db, Clock: clk}
	w.run = &Runner{DB: w.db, Sealer: sealer, Rates: w.rates, Files: w.blobs, Plans: &plan.Store{DB: w.db, Blobs: w.blobs, Clock: clk}, Bell: plan.Bell{Queue: w.plans}, Fetch: w.web, Clock: clk,
		Input: func(_ context.Context, in *plan.Input) error {
			in.Guards, in.Connections = price.DefaultGuards(), map[price.MarketplaceID]price.ConnectionID{}
			return nil
		}}
	return w
}

func hourly() Source { return Source{URL: address, Schedule: Schedule{EveryMinutes: 60}} }

func (w *world) create(src Source) Pull {
	w.t.Helper()
	p, err := w.store.Create(w.t.Context(), owner, By{"key:ann", "member:ann"}, src, rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) get(id string) Pull {
	w.t.Helper()
	p, err := w.store.Get(w.t.Context(), owner, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// goes runs a source and wants an outcome.
func (w *world) goes(id string, want Outcome) Pull {
	w.t.Helper()
	out, err := w.run.Run(w.t.Context(), owner, id, w.clock.Now().Add(3*time.Minute))
	if err != nil || out != want {
		w.t.Fatalf("the run came to %q, %v; want %q", out, err, want)
	}
	return w.get(id)
}

// made returns how many plans there are, and checks that each was sent for.
func (w *world) made() int {
	w.t.Helper()
	list, _, err := w.run.Plans.List(w.t.Context(), owner, "", 100)
	if err != nil {
		w.t.Fatal(err)
	}
	sent := map[string]bool{}
	for _, m := range w.plans.Receive(100, 0) {
		j, err := plan.ParseJob(m.Body)
		if err != nil || j.Tenant != owner {
			w.t.Fatal(j, err)
		}
		sent[j.Plan] = true
	}
	for _, p := range list {
		if !sent[p.ID] || p.State != plan.Reading {
			w.t.Errorf("plan %s is %s, sent for: %t", p.ID, p.State, sent[p.ID])
		}
	}
	return len(list)
}

func (w *world) events() (types []ledger.Type, all []ledger.Event) {
	for _, r := range w.db.Records(store.Offers, "") {
		for _, e := range Events(r) {
			types, all = append(types, e.Type), append(all, e)
		}
	}
	return types, all
}

func faultType(err error) string {
	var f *fault.Fault
	if errors.As(err, &f) {
		return f.Type
	}
	return ""
}

func text(r io.Reader) string {
	b, _ := io.ReadAll(r)
	return strings.TrimSpace(string(b))
}
