package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"pricemanager/internal/fault"
	"pricemanager/internal/ledger"
	"pricemanager/internal/plan"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/store"
)

func TestTheLedgerHearsWhoHadAMappingRememberedAndForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld()
	headers := []string{"Art.Nr", "VK", "EK"}
	fingerprint := pricefile.Fingerprint(headers)
	set := func(actor string, columns ...pricefile.Meaning) {
		t.Helper()
		if _, err := w.SetMapping(t.Context(), acme, actor, fingerprint, headers, columns); err != nil {
			t.Fatal(err)
		}
	}
	set("key:a", pricefile.MeansSKU, pricefile.MeansPrice, "")
	set("key:b", pricefile.MeansSKU, pricefile.MeansPrice, "") // changes nothing
	set("key:c", pricefile.MeansSKU, "", pricefile.MeansPrice)
	wantFault(t, w.ForgetMapping(t.Context(), other, "key:x", fingerprint), fault.NotFound, "mapping-not-found")
	wantFault(t, w.ForgetMapping(t.Context(), acme, "key:x", "no-header"), fault.NotFound, "mapping-not-found")
	if err := w.ForgetMapping(t.Context(), acme, "key:d", fingerprint); err != nil {
		t.Fatal(err)
	}
	wantFault(t, w.ForgetMapping(t.Context(), acme, "key:d", fingerprint), fault.NotFound, "mapping-not-found")
	if all, err := w.Remembered(t.Context(), acme); err != nil || len(all) != 0 {
		t.Errorf("still there: %v, %v", all, err)
	}
	set("key:e", pricefile.MeansSKU, pricefile.MeansPrice, "")

	want := []string{
		`mapping.remembered key:a  {"price":"VK","sku":"Art.Nr"}`,
		`mapping.remembered key:c {"price":"VK","sku":"Art.Nr"} {"price":"EK","sku":"Art.Nr"}`,
		`mapping.forgotten key:d {"price":"EK","sku":"Art.Nr"} `,
		`mapping.remembered key:e  {"price":"VK","sku":"Art.Nr"}`,
	}
	var got []string
	for _, r := range w.db.Records(store.Offers, "") {
		for _, e := range plan.Events(r) {
			if e.Target != "mapping:"+fingerprint || e.At.IsZero() {
				t.Errorf("%+v", e)
			}
			got = append(got, fmt.Sprintf("%s %s %s %s", e.Type, e.Actor, e.Before, e.After))
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A ledger cannot take an event that is too large, and would stand still before it.
func TestNoMappingIsRememberedThatTheLedgerCouldNotTake(t *testing.T) {
	t.Parallel()
	w := newWorld()
	columns := make(pricefile.Mapping, len(pricefile.Meanings()))
	set := func(bytes int) error {
		headers := make([]string, len(columns))
		for i, m := range pricefile.Meanings() {
			headers[i], columns[i] = fmt.Sprint(i, strings.Repeat("<", bytes/len(columns)/6)), m // 6 bytes each as JSON
		}
		_, err := w.SetMapping(t.Context(), acme, "key:a", pricefile.Fingerprint(headers), headers, columns)
		return err
	}
	wantFault(t, set(17<<10), fault.Invalid, "mapping-header")
	if err := set(15 << 10); err != nil {
		t.Fatal(err)
	}
	for _, r := range w.db.Records(store.Offers, "") {
		for _, e := range plan.Events(r) {
			if n := 2*len(e.After) + len(e.Target); n < 16<<10 || n > ledger.MaxEvent-4096 {
				t.Errorf("before and after can have %d bytes", n)
			}
		}
	}
}
