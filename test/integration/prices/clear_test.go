package prices

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/test/fakeamazon"
)

// clearable are the fields that Amazon lets one remove.
var clearable = []price.Field{price.FieldSale, price.FieldMin, price.FieldMax, price.FieldB2B, price.FieldTiers}

// full is an offer with everything that a price can be.
func full(our string, now time.Time) price.Prices {
	start := now.UTC().Truncate(time.Second).Add(time.Hour)
	return price.Prices{
		Our: eur(our), Min: eur("15.00"), Max: eur("30.00"), B2B: eur("19.10"),
		Sale:  &price.Sale{Price: *eur("18.05"), Start: start, End: start.AddDate(0, 0, 7)},
		Tiers: []price.Tier{{Quantity: 10, Price: *eur("18.00")}, {Quantity: 50, Price: *eur("17.10")}},
	}
}

// attributes are the members of purchasable_offer where each field is kept.
var attributes = map[price.Field]struct{ audience, name string }{
	price.FieldOur: {"ALL", "our_price"}, price.FieldSale: {"ALL", "discounted_price"},
	price.FieldMin: {"ALL", "minimum_seller_allowed_price"}, price.FieldMax: {"ALL", "maximum_seller_allowed_price"},
	price.FieldB2B: {"B2B", "our_price"}, price.FieldTiers: {"B2B", "quantity_discount_plan"},
}

// shows wants of one offer that Amazon's answer has exactly the members of the
// fields that are set, that they read as wanted, and that we know it.
func (w *world) shows(sku price.SKU, want price.Prices) {
	w.t.Helper()
	w.wire.take()
	got := w.read(germany, sku)
	known := w.offer(germany, sku).Known
	calls := w.wire.take()
	var answer struct {
		Attributes struct {
			Offers []map[string]json.RawMessage `json:"purchasable_offer"`
		} `json:"attributes"`
	}
	if err := json.Unmarshal(calls[0].response, &answer); err != nil {
		w.t.Fatal(err)
	}
	there := map[string]bool{}
	for _, instance := range answer.Attributes.Offers {
		for name := range instance {
			there[strings.Trim(string(instance["audience"]), `"`)+" "+name] = true
		}
	}
	for _, f := range price.Fields() {
		if !got.Prices.EqualField(f, want) {
			w.t.Errorf("%s: Amazon shows %s %s, want %s", sku, f, got.Prices.Text(f), want.Text(f))
		}
		if !known.EqualField(f, want) {
			w.t.Errorf("%s: known is %s %s, want %s", sku, f, known.Text(f), want.Text(f))
		}
		if at := attributes[f]; there[at.audience+" "+at.name] != want.Has(f) {
			w.t.Errorf("%s: %s is at Amazon: %v, want %v", sku, f, !want.Has(f), want.Has(f))
		}
	}
}

// TestClearingReallyClearsWhateverIsClearedTogether takes every combination of
// the five fields that can be removed, with and without a new price of ours in
// the same patch: set, observed, cleared, observed gone, set again, observed.
func TestClearingReallyClearsWhateverIsClearedTogether(t *testing.T) {
	t.Parallel()
	type combination struct {
		sku    price.SKU
		fields []price.Field
		ours   bool
		had    price.Prices
	}
	synctest.Test(t, func(t *testing.T) {
		var all []combination
		var listings []fakeamazon.Listing
		for bits := 1; bits < 1<<len(clearable); bits++ {
			for _, ours := range []bool{false, true} {
				c := combination{ours: ours}
				for i, f := range clearable {
					if bits>>i&1 == 1 {
						c.fields = append(c.fields, f)
					}
				}
				c.sku = price.SKU(fmt.Sprintf("%02d/%v é", bits, ours))
				all = append(all, c)
				listings = append(listings, fakeamazon.Listing{Marketplace: germany, SKU: c.sku, Price: "20.00"})
			}
		}
		w := newWorld(t, listings...)

		var set, clear, again []change
		for i := range all {
			c := &all[i]
			c.had = full("21.00", w.clock.Now().Add(24*time.Hour))
			if slices.Contains(c.fields, price.FieldB2B) && !slices.Contains(c.fields, price.FieldTiers) {
				c.had.Tiers = nil // tiers without a B2B price are refused by the guards
			}
			set = append(set, change{c.sku, price.Edit{Set: c.had}})
			e := price.Edit{Clear: c.fields}
			if c.ours {
				e.Set.Our = eur("22.30")
			}
			clear = append(clear, change{c.sku, e})
			again = append(again, change{c.sku, e.Inverse(c.had)})
		}

		w.send("bat_set", set...)
		for _, c := range all {
			w.shows(c.sku, c.had)
			w.wantEvents("bat_set", key(germany, c.sku), goneWell)
		}

		w.wire.take()
		w.send("bat_clear", clear...)
		patches := map[string]int{}
		for _, x := range w.wire.take() {
			if x.method == "PATCH" {
				patches[x.sku]++
			}
		}
		for i, c := range all {
			w.shows(c.sku, clear[i].edit.Apply(c.had))
			w.wantEvents("bat_clear", key(germany, c.sku), goneWell)
			w.wantToldCleared("bat_clear", c.sku, c.fields)
			if n := patches[string(c.sku)]; n != 1 {
				t.Errorf("%s: %d patches for %v, want one", c.sku, n, c.fields)
			}
			if !w.offer(germany, c.sku).ReadAt.After(w.ended("bat_set")[c.sku].At) {
				t.Errorf("%s: what is known was read before it was cleared", c.sku)
			}
		}

		w.send("bat_again", again...)
		for _, c := range all {
			w.shows(c.sku, c.had)
			w.wantEvents("bat_again", key(germany, c.sku), goneWell)
		}
	})
}

// wantToldCleared wants of the ledger that the observation tells what was there
// before, and that it no longer is.
func (w *world) wantToldCleared(batch string, sku price.SKU, fields []price.Field) {
	w.t.Helper()
	for _, e := range w.events(batch, key(germany, sku)) {
		if e.Type != ledger.ChangeObserved {
			continue
		}
		var before price.Prices
		var after struct {
			Prices price.Prices `json:"prices"`
		}
		if err := json.Unmarshal(e.Before, &before); err != nil {
			w.t.Fatal(err)
		}
		if err := json.Unmarshal(e.After, &after); err != nil {
			w.t.Fatal(err)
		}
		for _, f := range fields {
			if !before.Has(f) || after.Prices.Has(f) {
				w.t.Errorf("%s: the ledger tells %s: %s before, %s after", sku, f, before.Text(f), after.Prices.Text(f))
			}
		}
	}
}

// swallow takes what clears something out of a patch, as an Amazon would that
// accepts it and does only the rest.
func swallow(patch []byte) []byte {
	for _, name := range []string{"discounted_price", "minimum_seller_allowed_price", "maximum_seller_allowed_price", "quantity_discount_plan"} {
		patch = bytes.ReplaceAll(patch, []byte(`,"`+name+`":null`), nil)
	}
	patch = bytes.ReplaceAll(patch, []byte(`,{"marketplace_id":"A1PA6795UKMFR9","currency":"EUR","audience":"B2B"}]}]`), []byte(`]}]`))
	if i := bytes.Index(patch, []byte(`,{"op":"delete"`)); i >= 0 {
		patch = append(patch[:i], "]}"...)
	}
	return patch
}

func TestAClearThatAmazonAcceptsAndDoesNotApplyEndsUnconfirmed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var listings []fakeamazon.Listing
		sku := func(kind string, f price.Field) price.SKU { return price.SKU(kind + " " + string(f)) }
		for _, f := range clearable {
			for _, kind := range []string{"lost", "half", "well"} {
				listings = append(listings, fakeamazon.Listing{Marketplace: germany, SKU: sku(kind, f), Price: "20.00"})
			}
		}
		w := newWorld(t, listings...)
		had := full("21.00", w.clock.Now().Add(24*time.Hour))
		var set, clear []change
		for _, f := range clearable {
			for _, kind := range []string{"lost", "half", "well"} {
				prices := had
				if f == price.FieldB2B {
					prices.Tiers = nil
				}
				set = append(set, change{sku(kind, f), price.Edit{Set: prices}})
				// With a new price of ours beside it, half of the patch comes true.
				clear = append(clear, change{sku(kind, f), price.Edit{Set: price.Prices{Our: eur("22.30")}, Clear: []price.Field{f}}})
			}
			if _, err := w.fake.AddFault(fakeamazon.Fault{Kind: fakeamazon.DropPrice, SKU: sku("lost", f), Skip: 1}); err != nil {
				t.Fatal(err)
			}
		}
		w.send("bat_set", set...)
		w.wire.half = swallow
		w.send("bat_clear", clear...)

		ended := w.ended("bat_clear")
		notConfirmed := []ledger.Type{ledger.ChangeDesired, ledger.ChangeSent, ledger.ChangeAccepted, ledger.ChangeUnconfirmed}
		for i, c := range clear {
			kind, _, _ := strings.Cut(string(c.sku), " ")
			r := ended[c.sku]
			if kind == "well" {
				if r.State != lane.Observed {
					t.Errorf("%s is %s, want it observed beside the others", c.sku, r.State)
				}
				w.shows(c.sku, c.edit.Apply(set[i].edit.Set))
				continue
			}
			if r.State != lane.Unconfirmed || r.Issue == "" {
				t.Errorf("%s is %s (%s), want it unconfirmed", c.sku, r.State, r.Issue)
			}
			w.wantEvents("bat_clear", key(germany, c.sku), notConfirmed)
			if got := w.read(germany, c.sku).Prices; !got.Has(c.edit.Clear[0]) || (kind == "half") != (*got.Our == *eur("22.30")) {
				t.Errorf("%s: the test is wrong, Amazon shows %s", c.sku, got.Summary(price.Fields()))
			}
			if !w.offer(germany, c.sku).Known.Has(c.edit.Clear[0]) {
				t.Errorf("%s: we believe that it is gone", c.sku)
			}
			if !strings.Contains(w.log.String(), `alarm=unconfirmed marketplace=A1PA6795UKMFR9 sku="`+string(c.sku)+`"`) {
				t.Errorf("%s: nobody is told", c.sku)
			}
		}
	})
}
