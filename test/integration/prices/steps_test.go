package prices

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/store/memory"
	"pricemanager/test/fakeamazon"
)

// stepCase is a change of price and bounds, and the patches in which it arrives
// where Amazon judges each of them by what shows.
type stepCase struct {
	name             string
	price, low, high string // what shows before, "" for no bound
	edit             price.Edit
	patches          []string // members of the patches in order, the refused one left out
}

var stepCases = []stepCase{
	{"all rise", "20.00", "15.00", "30.00", price.Edit{Set: price.Prices{Our: eur("25.00"), Min: eur("21.00"), Max: eur("40.00")}},
		[]string{"maximum", "our_price", "minimum"}},
	{"all fall", "20.00", "15.00", "30.00", price.Edit{Set: price.Prices{Our: eur("15.00"), Min: eur("10.00"), Max: eur("19.00")}},
		[]string{"minimum", "our_price", "maximum"}},
	{"minimum above the old price", "20.00", "15.00", "30.00", price.Edit{Set: price.Prices{Our: eur("25.00"), Min: eur("22.00")}},
		[]string{"our_price", "minimum"}},
	{"a bound that is cleared", "20.00", "15.00", "21.00", price.Edit{Set: price.Prices{Our: eur("25.00")}, Clear: []price.Field{price.FieldMax}},
		[]string{"maximum", "our_price"}},
	{"a first minimum", "20.00", "", "", price.Edit{Set: price.Prices{Our: eur("25.00"), Min: eur("24.00"), Max: eur("26.00")}},
		[]string{"our_price", "minimum maximum"}},
	{"they fit together", "20.00", "15.00", "30.00", price.Edit{Set: price.Prices{Our: eur("21.00"), Min: eur("16.00"), Max: eur("29.00")}},
		[]string{"our_price minimum maximum"}},
}

// members names what a patch sets or clears.
func members(t *testing.T, patch []byte) string {
	t.Helper()
	var body struct {
		Patches []struct {
			Value []map[string]json.RawMessage `json:"value"`
		} `json:"patches"`
	}
	if err := json.Unmarshal(patch, &body); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, name := range []string{"our_price", "minimum_seller_allowed_price", "maximum_seller_allowed_price"} {
		if _, ok := body.Patches[0].Value[0][name]; ok {
			names = append(names, strings.TrimSuffix(name, "_seller_allowed_price"))
		}
	}
	return strings.Join(names, " ")
}

// stepWorld has one offer for each case, at an Amazon that judges apart.
func stepWorld(t *testing.T, kinds ...fakeamazon.Fault) (*world, []change) {
	var listings []fakeamazon.Listing
	var changes []change
	for _, c := range stepCases {
		listings = append(listings, fakeamazon.Listing{Marketplace: germany, SKU: price.SKU(c.name), Price: c.price, Min: c.low, Max: c.high})
		changes = append(changes, change{price.SKU(c.name), c.edit})
	}
	w := newWorld(t, listings...)
	for _, ft := range append([]fakeamazon.Fault{{Kind: fakeamazon.JudgeApart, Seller: seller}}, kinds...) {
		if _, err := w.fake.AddFault(ft); err != nil {
			t.Fatal(err)
		}
	}
	w.wire.take()
	return w, changes
}

// accepted are the members of the patches of a SKU that Amazon took, and how
// many it refused.
func accepted(t *testing.T, calls []exchange, sku string) (taken []string, refused int) {
	t.Helper()
	for _, x := range calls {
		switch {
		case x.method != "PATCH" || x.sku != sku:
		case strings.Contains(string(x.response), `"INVALID"`):
			refused++
		default:
			taken = append(taken, members(t, x.request))
		}
	}
	return taken, refused
}

func TestBoundsWidenFirstAndNarrowAfterWhereAmazonRefusesThemTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, changes := stepWorld(t)
		w.send("bat_steps", changes...)
		calls := w.wire.take()
		for i, c := range stepCases {
			sku := price.SKU(c.name)
			taken, refused := accepted(t, calls, c.name)
			if !slices.Equal(taken, c.patches) || refused != min(len(c.patches)-1, 1) {
				t.Errorf("%s: patches %q and %d refused, want %q", c.name, taken, refused, c.patches)
			}
			if r := w.ended("bat_steps")[sku]; r.State != lane.Observed {
				t.Errorf("%s is %s: %s", c.name, r.State, r.Issue)
			}
			before := price.Prices{Our: eur(c.price)}
			if c.low != "" {
				before.Min, before.Max = eur(c.low), eur(c.high)
			}
			w.shows(sku, changes[i].edit.Apply(before))
			// Each send is in the ledger, and one acceptance: that of the whole.
			want := []ledger.Type{ledger.ChangeDesired, ledger.ChangeSent}
			for range len(taken) - 1 + refused {
				want = append(want, ledger.ChangeSent)
			}
			w.wantEvents("bat_steps", key(germany, sku), append(want, ledger.ChangeAccepted, ledger.ChangeObserved))
		}
	})
}

// TestAWorkerMayDieBetweenTheStepsOfAChange lets the worker lose its database at
// one write after the other, which is how a crash looks to what comes after it.
func TestAWorkerMayDieBetweenTheStepsOfAChange(t *testing.T) {
	t.Parallel()
	for crash := range 12 {
		t.Run(fmt.Sprint(crash), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, changes := stepWorld(t)
				w.engine.Config.Lease = 5 * time.Second
				w.crashAt(8 + 4*crash)
				w.send("bat_steps", changes...)
				if !w.crashed {
					t.Fatal("the test is wrong: nothing crashed")
				}
				calls := w.wire.take()
				for _, c := range stepCases {
					taken, _ := accepted(t, calls, c.name)
					r := w.ended("bat_steps")[price.SKU(c.name)]
					if r.State != lane.Observed {
						t.Errorf("%s is %s: %s; patches %q", c.name, r.State, r.Issue, taken)
					}
					if met, missing := c.edit.Met(w.read(germany, price.SKU(c.name)).Prices); !met {
						t.Errorf("%s: %v are not as wanted", c.name, missing)
					}
				}
			})
		})
	}
}

// crashAt lets the database refuse everything from the n-th write on until the
// lease of the worker has run out.
func (w *world) crashAt(n int) {
	var mu sync.Mutex
	count := 0
	var until time.Time
	w.db.Hook = func(memory.Op) (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		count++
		if count == n {
			w.crashed, until = true, w.clock.Now().Add(10*time.Second)
		}
		if w.clock.Now().Before(until) {
			return false, errCrash
		}
		return true, nil
	}
}

var errCrash = errors.New("the worker is dead")

func TestAStepThatAmazonRefusesOrLosesSaysWhatIsThereAlready(t *testing.T) {
	t.Parallel()
	const refused, lost = "all rise", "all fall"
	synctest.Test(t, func(t *testing.T) {
		w, changes := stepWorld(t, fakeamazon.Fault{Kind: fakeamazon.DropPrice, SKU: lost, Skip: 2})
		step := 0
		w.wire.half = func(patch []byte) []byte { // the price itself can never be
			if step++; step == 3 {
				return []byte(strings.Replace(string(patch), "25.00", "-1", 1))
			}
			return patch
		}
		w.wire.halfOf = refused
		w.send("bat_steps", changes...)
		ended := w.ended("bat_steps")
		for sku, want := range map[price.SKU]struct {
			state lane.State
			there string
			known price.Prices
		}{
			refused: {lane.Rejected, "already changed at Amazon: maximum_price", price.Prices{Our: eur("20.00"), Min: eur("15.00"), Max: eur("40.00")}},
			lost:    {lane.Unconfirmed, "already changed at Amazon: minimum_price", price.Prices{Our: eur("20.00"), Min: eur("10.00"), Max: eur("30.00")}},
		} {
			if r := ended[sku]; r.State != want.state || !strings.Contains(r.Issue, want.there) {
				t.Errorf("%s is %s: %q, want it %s, with %q", sku, r.State, r.Issue, want.state, want.there)
			}
			w.shows(sku, want.known)
		}
	})
}
