package spapi_test

import (
	"testing"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
	"pricemanager/test/fakeamazon"
)

func TestAPreviewIsJudgedAndChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakeamazon.Listing{Marketplace: germany, SKU: "S", Price: "20.00", Min: "15.00"})
	for _, tc := range []struct {
		minor int64
		want  amazon.SubmissionStatus
	}{{1800, amazon.Valid}, {1400, amazon.Invalid}} {
		got, err := w.client.Preview(t.Context(), w.account, amazon.Patch{Marketplace: germany, SKU: "S", Edit: price.Edit{Set: price.Prices{Our: euro(tc.minor)}}})
		if err != nil || got.Status != tc.want || (len(got.Issues) > 0) != (tc.want == amazon.Invalid) {
			t.Errorf("%d: %+v, %v; want %s", tc.minor, got, err, tc.want)
		}
		w.clock.Advance(time.Second)
	}
	w.clock.Advance(time.Hour)
	if l, ok := w.fake.Listing(price.EU, seller, germany, "S"); !ok || l.Price != "20.00" {
		t.Errorf("the price is %s after previews", l.Price)
	}
	if n := len(w.fake.Effects()); n != 0 {
		t.Errorf("previews had %d effects", n)
	}
	for _, r := range w.fake.Requests(fakeamazon.Query{}) {
		if r.Op == "patchListingsItem" && !r.Preview {
			t.Errorf("a write was asked for: %+v", r)
		}
	}
}

func TestAPreviewOverItsBudgetIsThrottled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakeamazon.Listing{Marketplace: germany, SKU: "S", Price: "20.00"})
	ask := func() error {
		_, err := w.client.Preview(t.Context(), w.account, amazon.Patch{Marketplace: germany, SKU: "S", Edit: price.Edit{Set: price.Prices{Our: euro(1800)}}})
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	if err := ask(); amazon.Classify(err) != amazon.RetryAfter {
		t.Errorf("a second one within a second: %v", err)
	}
}
