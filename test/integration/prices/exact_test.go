package prices

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"pricemanager/internal/ledger"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
	"pricemanager/test/fakeamazon"
)

// exactOffer is one row of the file and what stands at Amazon before.
type exactOffer struct {
	market     price.MarketplaceID
	sku        price.SKU
	before     string // our price
	ours, sale string // the other cells of the row, as the file writes them
	min, max   string
	b2b        string
}

var exactOffers = []exactOffer{
	{market: germany, sku: "a/b#c+d e%2F?&=ü€", before: "0.11", ours: "0.10"},
	{market: germany, sku: "100%", before: "1234567.00", ours: "1234567.89", sale: "1234000.10", min: "0.10", max: "9999999.90", b2b: "1234567.80"},
	{market: germany, sku: "価格", before: "19.99", ours: "20.00", min: "0.01", max: "8888888.88", b2b: "19.70"},
	{market: germany, sku: "x,y", before: "4503599627370497.50", ours: "4503599627370497.49"}, // 18 digits: a float has 53 bits
	{market: japan, sku: "日本/円", before: "1001", ours: "1000", sale: "990", min: "1", max: "123456789012345", b2b: "995"},
}

// cells are the amounts of a row by where they are kept at Amazon.
func (o exactOffer) cells() map[string]string {
	all := map[string]string{"ALL our_price": o.ours, "ALL discounted_price": o.sale, "ALL minimum_seller_allowed_price": o.min,
		"ALL maximum_seller_allowed_price": o.max, "B2B our_price": o.b2b}
	for name, amount := range all {
		if amount == "" {
			delete(all, name)
		}
	}
	return all
}

func (o exactOffer) currency() price.Currency {
	m, _ := price.MarketplaceByID(o.market)
	return m.Currency
}

// TestNoDigitChangesBetweenTheFileAndTheLedger looks at the bytes themselves in
// every place that an amount passes: not at what some decoder makes of them,
// which would take 0.1 for 0.10 and 1e3 for 1000.
func TestNoDigitChangesBetweenTheFileAndTheLedger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var listings []fakeamazon.Listing
		file := bytes.NewBufferString("sku;marketplace;price;sale price;sale start;sale end;minimum price;maximum price;b2b price\n")
		for _, o := range exactOffers {
			listings = append(listings, fakeamazon.Listing{Marketplace: o.market, SKU: o.sku, Price: o.before})
			start, end := "", ""
			if o.sale != "" {
				start, end = "2030-12-01", "2030-12-07"
			}
			fmt.Fprintf(file, "%s;%s;%s;%s;%s;%s;%s;%s;%s\n", o.sku, o.market, o.ours, o.sale, start, end, o.min, o.max, o.b2b)
		}
		w := newWorld(t, listings...)
		id := w.planFile(file.Bytes(), len(exactOffers))
		w.wire.take()
		w.run("bat_exact", id, map[price.ConnectionID]int64{euConn: int64(len(exactOffers) - 1), feConn: 1})
		calls := w.wire.take()

		for _, o := range exactOffers {
			for at, amount := range o.cells() {
				ours := fmt.Sprintf(`"amount":%q,"currency":%q`, amount, o.currency()) // as we keep it: text
				w.wantBytes(o, at, "the plan's rows", ours, w.objects("plans/"))
				w.wantBytes(o, at, "the batch's rows", ours, w.objects("batches/"))
				w.wantBytes(o, at, "the offer item", ours, w.item(o))
				for _, e := range w.events("bat_exact", key(o.market, o.sku)) {
					if e.Type != ledger.ChangeSent { // says which row, not which price
						w.wantBytes(o, at, string(e.Type), ours, e.After)
					}
				}
				w.wantBytes(o, at, "the patch on the wire", amount, member(t, at, instances(t, sentPatch(t, calls, o.sku))))
				w.wantBytes(o, at, "the answer on the wire", amount, member(t, at, instances(t, readBack(t, calls, o.sku))))
			}
			w.wantEvents("bat_exact", key(o.market, o.sku), goneWell)
			shown, ok := w.fake.Listing(market[o.market].region, seller, o.market, o.sku)
			if !ok || shown.Price != o.ours || shown.Min != o.min || shown.Max != o.max || shown.B2B != o.b2b || (shown.Sale != nil) != (o.sale != "") ||
				(shown.Sale != nil && shown.Sale.Price != o.sale) {
				t.Errorf("%s: Amazon keeps %+v, want %+v", o.sku, shown, o)
			}
			if d := w.offer(o.market, o.sku).Known.Our.Decimal(); d != o.ours {
				t.Errorf("%s: known is %s, want %s", o.sku, d, o.ours)
			}
		}
	})
}

// planFile plans a price file all of whose rows have to be allowed.
func (w *world) planFile(content []byte, rows int) string {
	w.t.Helper()
	const id = "plan_aaaaaaaaaaaaaaaaaaaaaaaaaa"
	p, err := w.plans.Create(w.t.Context(), plan.Input{
		ID: id, Tenant: owner, Actor: "key:test", File: "f.csv", Content: content, Policy: plan.AllOrNothing, Guards: price.DefaultGuards(),
		Now: w.clock.Now(), Connections: map[price.MarketplaceID]price.ConnectionID{germany: euConn, japan: feConn},
	}, w.known())
	if err != nil || p.State != plan.Ready || p.Summary.Planned != int64(rows) {
		page, _ := w.plans.Rows(w.t.Context(), owner, id, "", 100, "")
		w.t.Fatalf("plan is %s with %+v, %v: %+v", p.State, p.Summary, err, page.Rows)
	}
	return id
}

func (w *world) wantBytes(o exactOffer, at, where, want string, raw []byte) {
	w.t.Helper()
	if !bytes.Contains(raw, []byte(want)) || (where[len(where)-4:] == "wire" && string(raw) != want) {
		w.t.Errorf("%s, %s: %s has %.300s, want %s", o.sku, at, where, raw, want)
	}
}

// objects are the lines of the files bucket below a prefix.
func (w *world) objects(prefix string) []byte {
	var all []byte
	w.blobs.Each(func(_ tenant.ID, _ store.Bucket, name string, body []byte) bool {
		if strings.HasPrefix(name, prefix) {
			all = append(all, body...)
		}
		return true
	})
	return all
}

// item is what the offer item keeps as known, as it is stored.
func (w *world) item(o exactOffer) (known []byte) {
	w.db.Each(func(_ tenant.ID, _ store.Table, it store.Item) bool {
		if strings.HasPrefix(it.PK, "offer#"+string(market[o.market].conn)) && strings.HasSuffix(it.SK, "#"+string(o.sku)) {
			known = it.Bytes("known")
		}
		return true
	})
	return known
}

func sentPatch(t *testing.T, calls []exchange, sku price.SKU) json.RawMessage {
	t.Helper()
	for _, c := range calls {
		if c.method == "PATCH" && c.sku == string(sku) {
			var body struct {
				Patches []struct {
					Value json.RawMessage `json:"value"`
				} `json:"patches"`
			}
			if err := json.Unmarshal(c.request, &body); err != nil || len(body.Patches) != 1 {
				t.Fatalf("%s: patch %s, %v", sku, c.request, err)
			}
			return body.Patches[0].Value
		}
	}
	t.Fatalf("no patch of %s", sku)
	return nil
}

// readBack is purchasable_offer in the last answer that shows the SKU.
func readBack(t *testing.T, calls []exchange, sku price.SKU) (last json.RawMessage) {
	t.Helper()
	type item struct {
		SKU        price.SKU `json:"sku"`
		Attributes struct {
			Offers json.RawMessage `json:"purchasable_offer"`
		} `json:"attributes"`
	}
	for _, c := range calls {
		var answer struct {
			item
			Items []item `json:"items"`
		}
		if c.method != "GET" || json.Unmarshal(c.response, &answer) != nil {
			continue
		}
		for _, it := range append(answer.Items, answer.item) {
			if it.SKU == sku {
				last = it.Attributes.Offers
			}
		}
	}
	if last == nil {
		t.Fatalf("no answer shows %s", sku)
	}
	return last
}

// instances keeps the members of purchasable_offer by audience and name, and
// the numbers in them as they are written.
func instances(t *testing.T, raw json.RawMessage) map[string]json.RawMessage {
	t.Helper()
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	out := map[string]json.RawMessage{}
	for _, i := range list {
		for name, value := range i {
			out[strings.Trim(string(i["audience"]), `"`)+" "+name] = value
		}
	}
	return out
}

// member is the number of a price, as it is written.
func member(t *testing.T, at string, all map[string]json.RawMessage) []byte {
	t.Helper()
	var parts []struct {
		Schedule []struct {
			Value json.RawMessage `json:"value_with_tax"`
		} `json:"schedule"`
	}
	if err := json.Unmarshal(all[at], &parts); err != nil || len(parts) != 1 || len(parts[0].Schedule) != 1 {
		t.Fatalf("%s is %s, %v", at, all[at], err)
	}
	return parts[0].Schedule[0].Value
}
