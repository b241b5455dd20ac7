package fakeamazon_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"pricemanager/test/canary"
	"pricemanager/test/fakeamazon"
)

// What nobody asked for is in answers, refusals, notifications and reports; all
// of it is JSON and a report as before; and without the setting there is none.
func TestUnaskedPersonalDataIsSentOnlyWhenItIsConfigured(t *testing.T) {
	t.Parallel()
	for _, unasked := range []bool{false, true} {
		w := newWorld(t, func(c *fakeamazon.Config) {
			c.Unasked = unasked
			c.Reports = fakeamazon.ReportConfig{Delay: fakeamazon.Delay{Min: time.Second, Max: time.Second}}
		})
		w.must(w.fake.AddListings("EU", alice, []fakeamazon.Listing{{Marketplace: de, SKU: "new"}}))
		w.subscribe("LISTINGS_ITEM_STATUS_CHANGE", "1.0", w.destination(bus))
		before := w.fake.Planted()
		w.accepted("new", de, ourPrice("5.00"))
		report := w.createReport()
		w.clock.Advance(time.Minute)
		_, content := w.document(report)
		sent := map[string]string{"report": content}
		for name, path := range map[string]string{
			"item": itemPath("S1") + "?marketplaceIds=" + string(de), "search": "/eu/listings/2021-08-01/items/" + alice + "?marketplaceIds=" + string(de),
			"participations": "/eu/sellers/v1/marketplaceParticipations", "refusal": itemPath("nothing") + "?marketplaceIds=" + string(de),
		} {
			got := w.call(http.MethodGet, path, "")
			if want := map[bool]int{true: http.StatusNotFound, false: http.StatusOK}[name == "refusal"]; got.Code != want {
				t.Errorf("%s: status %d, want %d: %s", name, got.Code, want, got.Body)
			}
			sent[name] = got.Body.String()
		}
		w.clock.Advance(time.Minute)
		for _, n := range w.fake.Notifications(0) {
			sent["notification"] = string(n.Body)
		}
		for name, text := range sent {
			if name != "report" && !json.Valid([]byte(text)) {
				t.Errorf("%s is no JSON: %s", name, text)
			}
			s := canary.NewScanner()
			s.Text(name, text)
			if s.Has("buyer's name") != unasked || s.Has("buyer's e-mail") != unasked {
				t.Errorf("configured: %t, and in the %s are %v", unasked, name, s.Found())
			}
		}
		if sent["notification"] == "" || (w.fake.Planted() > before) != unasked {
			t.Errorf("configured: %t, planted %d after %d; notification %q", unasked, w.fake.Planted(), before, sent["notification"])
		}
		w.clean()
	}
}
