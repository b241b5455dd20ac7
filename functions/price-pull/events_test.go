package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/fetch"
	"pricemanager/internal/fx"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/pull"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
	"pricemanager/test/replay"
)

const (
	seller = tenant.ID("t_replay0001")
	conn   = price.ConnectionID("conn_aaaaaaaaaaaaaaaaaaaaaaaaaa")
	de     = price.MarketplaceID("A1PA6795UKMFR9")
)

// rateDay is of the rates that are to be had.
const rateDay = "2026-11-20"

// The sources that the recorded messages name.
var sources = map[string]string{
	"source of a file": "/prices.csv", "source not chang": "/same.csv", "source of nothin": "/missing.csv", "source not so du": "/prices.csv",
	"source of rates.": "/eurofxref-daily.xml", "source too far..": "/comma.xml",
}

// world is the function over memory stores and a web server with real TLS, which
// stands where files.example.com is.
type world struct {
	db    *memory.DB
	blobs *memory.Blobs
	queue *memory.Queue
	clock *clock.Manual
	ids   map[string]string
	pulls *pull.Store
	h     *handler
	out   strings.Builder
	log   strings.Builder
	serve replay.Handler
}

func newWorld(t *testing.T) *world {
	t.Helper()
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "missing.csv") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if strings.HasSuffix(r.URL.Path, ".xml") {
			rate := map[string]string{"/comma.xml": "110.2"}[r.URL.Path]
			_, _ = io.WriteString(w, `<Envelope><Cube><Cube time="`+rateDay+`"><Cube currency="SEK" rate="`+cmp.Or(rate, "11.2")+`"/></Cube></Cube></Envelope>`)
			return
		}
		_, _ = io.WriteString(w, "sku;price\nSKU-1;18,50\nSKU-9;18,00\n")
	}))
	t.Cleanup(srv.Close)
	client := &fetch.Client{Roots: x509.NewCertPool(), Local: map[string]netip.AddrPort{"example.com:443": netip.MustParseAddrPort(srv.Listener.Addr().String())}}
	client.Roots.AddCert(srv.Certificate())
	clk := clock.NewManual(time.Now()) // the deadline of a context is of real time
	w := &world{db: memory.New(clk), blobs: memory.NewBlobs(clk), queue: memory.NewQueue(clk), clock: clk, ids: map[string]string{}}
	sealer := envelope.New(memkms.New(rand.Reader), w.db, clk)
	w.pulls = &pull.Store{DB: w.db, Sealer: sealer, Clock: clk, Check: client.Check}
	w.h = newHandler(deps{
		app: &runtime.App{Log: slog.New(slog.NewTextHandler(io.MultiWriter(&w.log, replay.Told(t)), nil)), Metrics: metrics.New(&w.out, clk, "price-pull", "local"), Clock: clk},
		db:  w.db, blobs: w.blobs, files: w.blobs, planQueue: w.queue, sealer: sealer, fetch: client, visibility: time.Minute,
	})
	err := w.db.Put(t.Context(), seller, store.Connections, store.Item{Key: store.Key{PK: "connections", SK: string(conn)}, Attrs: map[string]any{
		"region": "EU", "state": "active", "seller": "A2REPLAY", "authorised": store.Millis(clk.Now()), "markets": []byte(`["A1PA6795UKMFR9"]`),
	}})
	if err != nil {
		t.Fatal(err)
	}
	known := price.FromMinor(2000, "EUR")
	err = lane.NewOffers(w.db).Learn(t.Context(), seller, lane.Read{Prices: price.Prices{Our: &known}, Begun: clk.Now(),
		Key: price.OfferKey{Connection: conn, Marketplace: de, SKU: "SKU-1"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range sources {
		schedule := pull.Schedule{EveryMinutes: 60}
		if name == "source not so du" {
			schedule = pull.Schedule{DailyAt: clk.Now().Add(12 * time.Hour).Format("15:04"), Zone: "UTC"}
		}
		src := pull.Source{URL: "https://example.com" + path, Schedule: schedule, Marketplace: de}
		if strings.HasSuffix(path, ".xml") {
			src.Kind, src.Marketplace = pull.Rates, ""
		}
		p, err := w.pulls.Create(t.Context(), seller, pull.By{Actor: "key:test"}, src, strings.NewReader(name))
		if err != nil {
			t.Fatal(err)
		}
		w.ids[name] = p.ID
	}
	run := w.h.app.SQS(w.h.message)
	w.serve = func(_ context.Context, event json.RawMessage) (json.RawMessage, error) {
		ctx, cancel := context.WithDeadline(context.Background(), clk.Now().Add(3*time.Minute))
		defer cancel()
		return run(ctx, event)
	}
	return w
}

// fetched runs a source once, an hour ago.
func (w *world) fetched(t *testing.T, name string) {
	t.Helper()
	if out, err := w.h.runner.Run(t.Context(), seller, w.ids[name], w.clock.Now().Add(3*time.Minute)); out != pull.Planned || err != nil {
		t.Fatal(out, err)
	}
	w.queue = memory.NewQueue(w.clock)
	w.clock.Advance(time.Hour)
}

func TestRecordedMessagesFetchFiles(t *testing.T) {
	t.Parallel()
	var w *world
	becomes := func(name string, plans, rings int, outcome string) replay.Check {
		return func(t *testing.T, out json.RawMessage, err error) {
			t.Helper()
			replay.Failed()(t, out, err)
			if n := w.queue.Len(); n != rings || !strings.Contains(w.out.String(), `"outcome":"`+outcome+`"`) {
				t.Errorf("%d plans are to be made, want %d and the outcome %s: %s", n, rings, outcome, w.out.String())
			}
			if p, err := w.pulls.Get(t.Context(), seller, w.ids[name]); err != nil || p.Made != int64(plans) {
				t.Errorf("%+v, %v; want %d plans", p, err, plans)
			}
		}
	}
	replay.Run(t, "price-pull", false, func(t *testing.T) replay.Handler {
		w = newWorld(t)
		if strings.HasSuffix(t.Name(), "success-unchanged") {
			w.fetched(t, "source not chang")
		}
		if strings.HasSuffix(t.Name(), "success-rates-moved-too-far") {
			w.rated(t)
		}
		return w.serve
	}, map[string]replay.Check{
		"success-new-file":            becomes("source of a file", 1, 1, "planned"),
		"success-new-rates":           becomes("source of rates.", 1, 0, "taken"),
		"success-rates-moved-too-far": becomes("source too far..", 0, 0, "failed"),
		"success-unchanged":           becomes("source not chang", 1, 0, "unchanged"),
		"success-server-is-down":      becomes("source of nothin", 0, 0, "failed"),
		"success-not-due":             becomes("source not so du", 0, 0, "nothing"),
		"success-foreign-source":      becomes("source of a file", 0, 0, "nothing"), // a tenant names its own sources only
		"failure-unknown-kind":        replay.Error("malformed"),
		"failure-malformed-source":    replay.Error("malformed"),
		"failure-not-json":            replay.Error("malformed"),
	})
}

// rated has the seller upload rates.
func (w *world) rated(t *testing.T) {
	t.Helper()
	_, err := w.rates().PutRates(t.Context(), seller, "key:test", fx.Upload{Body: []byte("currency,rate\nSEK,11.02\n"), Base: "EUR", On: "2026-11-19", Name: "our bank"}, "")
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) rates() *fx.Store { return &fx.Store{DB: w.db, Clock: w.clock} }

func TestFetchedRatesAreTheSellersUnlessTheyMoveTooFar(t *testing.T) {
	t.Parallel()
	for event, want := range map[string]string{"success-rates-moved-too-far": "our bank", "success-new-rates": "example.com"} {
		w := newWorld(t)
		w.rated(t)
		if out, err := w.serve(t.Context(), replay.Event(t, "price-pull", event)); err != nil {
			t.Fatal(string(out), err)
		}
		r, err := w.rates().Rates(t.Context(), seller)
		if err != nil || r.Source != want {
			t.Errorf("%s: %+v, %v", event, r.Table, err)
		}
	}
}

func TestAFetchedFileBecomesAPlanThatWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if out, err := w.serve(t.Context(), replay.Event(t, "price-pull", "success-new-file")); err != nil {
		t.Fatal(string(out), err)
	}
	p, err := w.pulls.Get(t.Context(), seller, w.ids["source of a file"])
	if err != nil {
		t.Fatal(err)
	}
	job, err := plan.ParseJob(w.queue.Receive(1, time.Minute)[0].Body)
	if err != nil || job.Plan != p.LastPlan || job.Tenant != seller {
		t.Fatalf("%+v, %v; want plan %s", job, err, p.LastPlan)
	}
	// As price-plan goes on.
	maker := &plan.Maker{Store: w.h.plans, Offers: lane.NewOffers(w.db), Guards: w.h.judged}
	if done, err := maker.Run(t.Context(), seller, p.LastPlan, w.clock.Now().Add(5*time.Minute)); !done || err != nil {
		t.Fatal(done, err)
	}
	made, err := w.h.plans.Load(t.Context(), seller, p.LastPlan)
	if err != nil || made.State != plan.Ready || made.Batch != "" || made.File != "prices.csv" || made.Actor != "pull:"+p.ID {
		t.Errorf("%+v, %v", made, err)
	}
	if made.Summary.Rows != 2 || made.Summary.Planned != 1 {
		t.Errorf("the plan has %+v", made.Summary)
	}
}

func TestTheLogSaysWhatAServerDidAndNotWhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if out, err := w.serve(t.Context(), replay.Event(t, "price-pull", "success-server-is-down")); err != nil {
		t.Fatal(string(out), err)
	}
	if log := w.log.String(); !strings.Contains(log, "type=fetch-status") || strings.Contains(log, "example.com") || strings.Contains(log, "missing.csv") {
		t.Errorf("the log has %s", log)
	}
}

func TestNoStageButTheLocalOneCallsThisMachine(t *testing.T) {
	t.Parallel()
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	defer srv.Close()
	roots := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
	const host = "example.com:443=127.0.0.1:8443"
	for _, stage := range []runtime.Stage{runtime.Local, runtime.Dev, runtime.Prod, ""} {
		c, err := config{Base: runtime.Base{Stage: stage}, Local: localHost{host, roots}}.client()
		if (err == nil) != (stage == runtime.Local) {
			t.Errorf("at %q: %v, %v", stage, c, err)
		}
		if c, err := (config{Base: runtime.Base{Stage: stage}}).client(); err != nil || c.Local != nil || c.Roots != nil {
			t.Errorf("at %q without an exception: %+v, %v", stage, c, err)
		}
	}
	for _, bad := range []localHost{{host, ""}, {"", roots}, {"example.com:443", roots}, {host, "no certificate"}} {
		if _, err := (config{Base: runtime.Base{Stage: runtime.Local}, Local: bad}).client(); err == nil {
			t.Errorf("%q passes", bad.Host)
		}
	}
}
