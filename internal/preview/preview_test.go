package preview

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/internal/spapi"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
	"pricemanager/test/fakeamazon"
)

const (
	owner  = tenant.ID("t_previewer1")
	conn   = price.ConnectionID("conn_aaaaaaaaaaaaaaaaaaaaaaaaaa")
	de     = price.MarketplaceID("A1PA6795UKMFR9")
	fr     = price.MarketplaceID("A13V1IB3VIYZZH")
	planID = "plan_aaaaaaaaaaaaaaaaaaaaaaaaaa"
	seller = "A2EXAMPLESELLER"
)

// world is a plan, and an Amazon that checks every request against the models and
// meters it.
type world struct {
	t       *testing.T
	clock   *clock.Manual
	db      *memory.DB
	queue   *memory.Queue
	fake    *fakeamazon.Fake
	runner  *Runner
	token   string
	access  secret.Value
	renewed []string
}

func (w *world) Access(context.Context, amazon.Account) (secret.Value, error) { return w.access, nil }

func (w *world) Grantless(context.Context, amazon.Scope) (secret.Value, error) {
	return secret.Value{}, errors.New("not asked for here")
}

func (w *world) Account(context.Context, tenant.ID, price.ConnectionID) (amazon.Account, []price.MarketplaceID, error) {
	return amazon.Account{Tenant: owner, Connection: conn, Region: price.EU, Seller: seller, Grant: 1}, []price.MarketplaceID{de, fr}, nil
}

func (w *world) MarkReauthorise(_ context.Context, _ amazon.Account, reason string) error {
	w.renewed = append(w.renewed, reason)
	return nil
}

// newWorld has a plan that lowers the prices of 25 offers in Germany, each by a cent
// more than the one before, and 3 in France. Amazon's minimum of every fifth offer in
// Germany is above its new price.
func newWorld(t *testing.T) *world {
	t.Helper()
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	clk.AutoAdvance = true
	w := &world{t: t, clock: clk, db: memory.New(clk), queue: memory.NewQueue(clk)}
	var listings []fakeamazon.Listing
	var file strings.Builder
	file.WriteString("sku;marketplace;preis\n")
	ctx := t.Context()
	offers := lane.NewOffers(w.db)
	for m, n := range map[price.MarketplaceID]int{de: 25, fr: 3} {
		country, _ := price.MarketplaceByID(m)
		for i := range n {
			l := fakeamazon.Listing{Marketplace: m, SKU: price.SKU(fmt.Sprintf("SKU-%02d", i)), Price: "20.00"}
			if m == de && i%5 == 4 {
				l.Min = "19.95"
			}
			listings = append(listings, l)
			known := price.FromMinor(2000, "EUR")
			if err := offers.Learn(ctx, owner, lane.Read{Key: price.OfferKey{Connection: conn, Marketplace: m, SKU: l.SKU}, Prices: price.Prices{Our: &known}, Begun: clk.Now()}); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&file, "%s;%s;19,%02d\n", l.SKU, country.Country, 90-i)
		}
	}
	app := fakeamazon.Application{ID: "amzn1.sp.solution.x", ClientID: "amzn1.application-oa2-client.x", ClientSecret: secret.New("amzn1.oa2-cs.v1.x"), RedirectURIs: []string{"https://us.test/oauth/callback"}}
	var err error
	if w.fake, err = fakeamazon.New(fakeamazon.Config{Seed: 1, Clock: clk, Application: app}); err != nil {
		t.Fatal(err)
	}
	if err := w.fake.AddSeller(fakeamazon.Seller{ID: seller, Region: price.EU, Marketplaces: []price.MarketplaceID{de, fr}, Listings: listings}); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(w.fake)
	t.Cleanup(func() {
		server.Close()
		if err := w.fake.Close(); err != nil {
			t.Error(err)
		}
	})
	client, err := spapi.New(spapi.Options{
		Endpoints: map[price.Region]string{price.EU: server.URL + "/eu", price.NA: server.URL + "/na", price.FE: server.URL + "/fe"},
		Tokens:    w, Clock: clk, UserAgent: `PriceManager/1.0 (Language=Go/1.26; Platform=Test)`, AllowInsecure: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	lwa, err := spapi.NewLWA(spapi.LWAOptions{Endpoint: server.URL, Clock: clk, UserAgent: `PriceManager/1.0 (Language=Go/1.26; Platform=Test)`, AllowInsecure: true})
	if err != nil {
		t.Fatal(err)
	}
	refresh, err := w.fake.Authorize(price.EU, seller)
	if err != nil {
		t.Fatal(err)
	}
	grant, err := lwa.Refresh(ctx, amazon.Credentials{ClientID: app.ClientID, ClientSecret: app.ClientSecret}, refresh)
	if err != nil {
		t.Fatal(err)
	}
	w.access = grant.Access
	plans := &plan.Store{DB: w.db, Blobs: memory.NewBlobs(clk), Clock: clk}
	p, err := plans.Create(ctx, plan.Input{ID: planID, Tenant: owner, Actor: "key:maker", File: "p.csv", Content: []byte(file.String()), Policy: plan.SkipBadRows,
		Guards: price.DefaultGuards(), Now: clk.Now(), Connections: map[price.MarketplaceID]price.ConnectionID{de: conn, fr: conn}}, offers)
	if err != nil || p.Summary.Planned != 28 {
		t.Fatalf("%+v, %v", p.Summary, err)
	}
	w.token = p.Token
	w.runner = &Runner{Service: Service{DB: w.db, Plans: plans, Clock: clk}, Amazon: client, Connections: w, Offers: offers,
		Bell: lane.Bell{DB: w.db, Queue: w.queue, Now: clk.Now}}
	return w
}

// ask asks for a preview, and takes the message away.
func (w *world) ask() Document {
	w.t.Helper()
	doc, err := w.runner.Ask(w.t.Context(), owner, planID, "key:asker", w.runner.Bell)
	if err != nil {
		w.t.Fatal(err)
	}
	w.rung(0)
	return doc
}

// rung takes the one message that rings for the plan after a delay.
func (w *world) rung(after time.Duration) {
	w.t.Helper()
	at, ok := w.queue.Next()
	if !ok || w.queue.Len() != 1 || at.Sub(w.clock.Now()) > after || after-at.Sub(w.clock.Now()) > time.Second {
		w.t.Fatalf("%d messages, the first in %s; want one in %s", w.queue.Len(), at.Sub(w.clock.Now()), after)
	}
	w.clock.Advance(after)
	for _, m := range w.queue.Receive(1, time.Minute) {
		d, err := lane.ParseDoorbell(m.Body)
		if err != nil || d.Kind != lane.KindPreview || d.Tenant != owner || d.Plan != planID {
			w.t.Fatalf("rang %+v, %v", d, err)
		}
		w.queue.Delete(m.ID)
	}
}

// run answers the message, and returns the document as it is then.
func (w *world) run(want State) Document {
	w.t.Helper()
	state, err := w.runner.Run(w.t.Context(), owner, planID)
	if err != nil || state != want {
		w.t.Fatalf("ended %s, %v; want %s", state, err, want)
	}
	doc, err := w.runner.Get(w.t.Context(), owner, planID)
	if err != nil || doc.State != want {
		w.t.Fatalf("document %s, %v", doc.State, err)
	}
	return doc
}

// asked are the requests that reached Amazon for a patch.
func (w *world) asked() (out []fakeamazon.Request) {
	for _, r := range w.fake.Requests(fakeamazon.Query{}) {
		if r.Op == "patchListingsItem" {
			out = append(out, r)
		}
	}
	return out
}

// untouched checks that nothing was written at Amazon, and that no request broke
// its rules.
func (w *world) untouched() {
	w.t.Helper()
	w.clock.Advance(24 * time.Hour)
	if n := len(w.fake.Effects()); n != 0 {
		w.t.Errorf("%d offers were changed at Amazon", n)
	}
	for _, r := range w.asked() {
		if !r.Preview {
			w.t.Errorf("a write was asked for: %+v", r)
		}
	}
	for _, v := range w.fake.Violations() {
		w.t.Errorf("violation: %+v", v)
	}
}

func TestAmazonsAnswersStandBesideThePlanAndNothingIsWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asked := w.ask()
	if asked.State != Waiting || asked.Planned != 28 || len(asked.Rows) != MaxSample {
		t.Fatalf("%+v", asked)
	}
	doc := w.run(Done)
	if doc.Valid != 16 || doc.Invalid != 4 || doc.AskedBy != "key:asker" || doc.Finished == nil || doc.Reason != "" {
		t.Errorf("%d valid, %d invalid, %+v", doc.Valid, doc.Invalid, doc)
	}
	for _, r := range doc.Rows {
		low := r.Marketplace == de && strings.HasSuffix(string(r.SKU), "4") || r.Marketplace == de && strings.HasSuffix(string(r.SKU), "9")
		if (r.Verdict == Invalid) != low || (len(r.Issues) > 0) != low {
			t.Errorf("%s in %s is %s with %+v", r.SKU, r.Marketplace, r.Verdict, r.Issues)
		}
		for _, x := range r.Issues {
			if x.Code == "" || x.Severity != "ERROR" || x.Message == "" || !cmp.Equal(x.Columns, []string{"preis"}) {
				t.Errorf("issue %+v", x)
			}
		}
	}
	calls := w.asked()
	if len(calls) != MaxSample {
		t.Errorf("%d calls for %d rows", len(calls), MaxSample)
	}
	for i, c := range calls {
		if c.Status != 200 || i > 0 && c.Time.Sub(calls[i-1].Time) < time.Second {
			t.Errorf("call %d at %s was answered %d", i, c.Time, c.Status)
		}
	}
	p, err := w.runner.Plans.Load(t.Context(), owner, planID)
	if err != nil || p.State != plan.Ready || p.Token != w.token {
		t.Errorf("the plan is %s with another token, %v", p.State, err)
	}
	if state, err := w.runner.Run(t.Context(), owner, planID); state != "" || err != nil || len(w.asked()) != MaxSample {
		t.Errorf("a second delivery: %s, %v, %d calls", state, err, len(w.asked()))
	}
	w.untouched()
}

func TestTheSampleIsOfTheMostAtRiskInTurnsOverMarketplaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc := w.ask()
	var got []string
	for _, r := range doc.Rows[:8] {
		country, _ := price.MarketplaceByID(r.Marketplace)
		got = append(got, country.Country+" "+string(r.SKU))
	}
	// The later the row, the lower its price. France has three.
	want := []string{"FR SKU-02", "DE SKU-24", "FR SKU-01", "DE SKU-23", "FR SKU-00", "DE SKU-22", "DE SKU-21", "DE SKU-20"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	w.run(Done)
	again := w.ask()
	for i := range again.Rows {
		if again.Rows[i].SKU != doc.Rows[i].SKU || again.Rows[i].Verdict != "" {
			t.Errorf("row %d is %+v, was %s", i, again.Rows[i], doc.Rows[i].SKU)
		}
	}
}

func TestAStandingStopKeepsPreviewsFromAmazon(t *testing.T) {
	t.Parallel()
	for _, s := range []lane.Stop{{Scope: lane.ScopeGlobal}, {Scope: lane.ScopeTenant}, {Scope: lane.ScopeConnection, ID: string(conn)}, {Scope: lane.ScopeMarketplace, ID: string(fr)}} {
		w := newWorld(t)
		w.ask()
		if err := (lane.Stops{DB: w.db, Bell: w.runner.Bell}).Set(t.Context(), owner, s); err != nil {
			t.Fatal(err)
		}
		if doc := w.run(Failed); !strings.Contains(doc.Reason, s.Name()) || len(w.asked()) != 0 {
			t.Errorf("%s: %q, %d calls", s.Name(), doc.Reason, len(w.asked()))
		}
	}
}

// drive has another worker hold the lane for a while.
func (w *world) drive(d time.Duration) {
	w.t.Helper()
	_, err := w.db.Update(w.t.Context(), owner, store.Offers, store.Key{PK: "lane#" + string(conn), SK: "lane"},
		store.Update{Set: map[string]any{"until": store.Millis(w.clock.Now().Add(d))}})
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestAPreviewWaitsWhilePricesAreBeingSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ask()
	w.drive(90 * time.Second)
	if doc := w.run(Waiting); !strings.Contains(doc.Reason, "being sent") || len(w.asked()) != 0 {
		t.Errorf("%q, %d calls", doc.Reason, len(w.asked()))
	}
	w.rung(time.Minute)
	w.run(Waiting)
	w.rung(time.Minute)
	if doc := w.run(Done); doc.Reason != "" {
		t.Errorf("reason %q", doc.Reason)
	}
	w.ask()
	w.drive(2 * time.Hour)
	for range 60 {
		w.run(Waiting)
		w.rung(time.Minute)
	}
	if doc := w.run(Failed); !strings.Contains(doc.Reason, "could not be asked within 1h") {
		t.Errorf("reason %q", doc.Reason)
	}
}

func TestWhatWasAnsweredIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]fakeamazon.Fault{
		"throttled": {Kind: fakeamazon.Answer, Op: "patchListingsItem", Status: 429, Times: 1},
		"broken":    {Kind: fakeamazon.Answer, Op: "patchListingsItem", Status: 503, Times: 1},
		"no answer": {Kind: fakeamazon.CutAfter, Op: "patchListingsItem", Times: 1},
	} {
		w := newWorld(t)
		w.ask()
		third, err := w.runner.Get(t.Context(), owner, planID)
		if err != nil {
			t.Fatal(err)
		}
		f.SKU = third.Rows[3].SKU
		f.Marketplace = third.Rows[3].Marketplace
		if _, err := w.fake.AddFault(f); err != nil {
			t.Fatal(err)
		}
		if doc := w.run(Waiting); doc.Valid+doc.Invalid != 3 || doc.Reason == "" {
			t.Errorf("%s: %d answers, reason %q", name, doc.Valid+doc.Invalid, doc.Reason)
		}
		w.rung(time.Minute)
		w.run(Done)
		if n := len(w.asked()); n != MaxSample+1 {
			t.Errorf("%s: %d calls for %d rows, one of them twice", name, n, MaxSample)
		}
		w.untouched()
	}
}

func TestARefusedAccountEndsThePreviewAndIsMarked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ask()
	w.fake.ExpireTokens(price.EU, seller)
	if doc := w.run(Failed); !strings.Contains(doc.Reason, "connect it again") || len(w.renewed) != 1 {
		t.Errorf("%q, marked %q", doc.Reason, w.renewed)
	}
}

// writer is an Amazon that takes a preview for a write.
type writer struct{ calls int }

func (s *writer) Preview(context.Context, amazon.Account, amazon.Patch) (amazon.Submission, error) {
	s.calls++
	return amazon.Submission{}, &amazon.Error{Op: "patchListingsItem", Status: 200, Reached: true, Err: errors.New("status ACCEPTED")}
}

func TestAPreviewThatAmazonTakesForAWriteIsTheLast(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := &writer{}
	w.runner.Amazon = s
	w.ask()
	if doc := w.run(Failed); !strings.Contains(doc.Reason, "look at the price of SKU-02") || s.calls != 1 {
		t.Errorf("%q after %d calls", doc.Reason, s.calls)
	}
}

func TestAPreviewIsItsTenantsAndOfAPlanThatCanBeApplied(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.runner.Get(t.Context(), owner, planID); fault.KindOf(err) != fault.NotFound {
		t.Errorf("before it was asked for: %v", err)
	}
	w.ask()
	const stranger = tenant.ID("t_stranger01")
	if _, err := w.runner.Get(t.Context(), stranger, planID); fault.KindOf(err) != fault.NotFound {
		t.Errorf("another tenant reads: %v", err)
	}
	if _, err := w.runner.Ask(t.Context(), stranger, planID, "key:x", w.runner.Bell); fault.KindOf(err) != fault.NotFound {
		t.Errorf("another tenant asks: %v", err)
	}
	if state, err := w.runner.Run(t.Context(), stranger, planID); state != "" || err != nil {
		t.Errorf("another tenant's message: %s, %v", state, err)
	}
	w.clock.Advance(plan.Lifetime)
	if doc := w.run(Failed); !strings.Contains(doc.Reason, "the plan is expired") {
		t.Errorf("reason %q", doc.Reason)
	}
	if _, err := w.runner.Ask(t.Context(), owner, planID, "key:x", w.runner.Bell); fault.KindOf(err) != fault.Conflict {
		t.Errorf("of an expired plan: %v", err)
	}
}

func TestTwoWorkersKeepToOnePreviewASecondTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	begun := w.clock.Now()
	for i := range 50 {
		c := price.ConnectionID(fmt.Sprintf("conn_%d", i%2))
		if err := w.runner.turn(t.Context(), owner, c); err != nil {
			t.Fatal(err)
		}
	}
	// 25 each, of which the first needs no second of its own.
	if took := w.clock.Now().Sub(begun); took < 24*time.Second || took > 30*time.Second {
		t.Errorf("took %s", took)
	}
	begun = w.clock.Now()
	for i := range 60 {
		if err := w.runner.turn(t.Context(), owner, price.ConnectionID(fmt.Sprintf("conn_of_many_%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	if took := w.clock.Now().Sub(begun); took < 2*time.Second || took > 4*time.Second {
		t.Errorf("60 accounts took %s; twenty a second are allowed", took)
	}
}
