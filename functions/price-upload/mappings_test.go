package main

import (
	"net/http"
	"strings"
	"testing"

	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/pricefile"
)

func TestAMappingIsUsedAtTheNextUploadOfItsTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const file = "Art.Nr;VK neu;Land\nSKU-1;19,00;DE\n"
	fingerprint := pricefile.Fingerprint([]string{"Art.Nr", "VK neu", "Land"})
	status, body := w.ask(mine, http.MethodPost, "/plans", "file=p.csv", "", file)
	if status != http.StatusBadRequest || !strings.Contains(body, fingerprint) || !strings.Contains(body, `"headers":["Art.Nr","VK neu","Land"]`) {
		t.Fatalf("%d %s", status, body)
	}
	const columns = `{"columns":[{"header":"Art.Nr","means":"sku"},{"header":"VK neu","means":"price"},{"header":"Land","means":"marketplace"}]}`
	for path, want := range map[string]int{"/mappings/" + fingerprint: http.StatusOK, "/mappings/hdr_x": http.StatusNotFound} {
		if status, body := w.ask(mine, http.MethodPut, path, "", "", columns); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if p := w.plan(file); p.Summary.Planned != 1 || !p.Mapping.Remembered {
		t.Errorf("got %+v", p)
	}
	if status, _ := w.ask(theirs, http.MethodPost, "/plans", "file=p.csv", "", file); status != http.StatusBadRequest {
		t.Errorf("another tenant's file is read by it: %d", status)
	}
}

// remember has a colleague remember the header of the recorded events.
func (w *world) remember() {
	w.t.Helper()
	headers := []string{"Art.Nr", "VK neu", "VK alt"}
	plans := &plan.Store{DB: w.db, Clock: w.clock}
	if _, err := plans.SetMapping(w.t.Context(), seller, "key:second", pricefile.Fingerprint(headers), headers, pricefile.Mapping{pricefile.MeansSKU, pricefile.MeansPrice, ""}); err != nil {
		w.t.Fatal(err)
	}
}

func TestAForgottenMappingReadsNoMoreFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.remember()
	const file = "Art.Nr;VK neu;VK alt\nSKU-1;19,00;20,00\n"
	fingerprint := pricefile.Fingerprint([]string{"Art.Nr", "VK neu", "VK alt"})
	is := func(key, method, path string, want int, says string) {
		t.Helper()
		query := ""
		if method == http.MethodPost {
			query = "file=p.csv&marketplace=DE"
		}
		if status, body := w.ask(key, method, path, query, "", map[bool]string{true: file}[method == http.MethodPost]); status != want || !strings.Contains(body, says) {
			t.Errorf("%s %s: %d %s, want %d with %s", method, path, status, body, want, says)
		}
	}
	is(mine, http.MethodGet, "/mappings", 200, `{"items":[{"fingerprint":"`+fingerprint+`","columns":[{"header":"Art.Nr","means":"sku"},{"header":"VK neu","means":"price"},{"header":"VK alt","means":""}],"changedBy":"key:second","changedAt":"2026-11-22T09:00:00Z"}]}`)
	is(mine, http.MethodPost, "/plans", 201, `"planned":1`)
	is(theirs, http.MethodGet, "/mappings", 200, `{"items":[]}`)
	is(theirs, http.MethodDelete, "/mappings/"+fingerprint, 404, "mapping-not-found")
	is(mine, http.MethodPost, "/plans", 201, `"planned":1`)
	is(mine, http.MethodDelete, "/mappings/"+fingerprint, 200, `"forgotten":true`)
	is(mine, http.MethodDelete, "/mappings/"+fingerprint, 404, "mapping-not-found")
	is(mine, http.MethodGet, "/mappings", 200, `{"items":[]}`)
	is(mine, http.MethodPost, "/plans", 400, fingerprint)
	w.remember()
	is(mine, http.MethodPost, "/plans", 201, `"planned":1`)
}

func TestAFileMayNameOffersByEAN(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clock.Advance(1e9)
	known := price.FromMinor(2000, "EUR")
	err := lane.NewOffers(w.db).Learn(t.Context(), seller, lane.Read{Prices: price.Prices{Our: &known}, Begun: w.clock.Now(),
		ASIN: "B000000001", GTIN: "04006381333931", Key: price.OfferKey{Connection: conn, Marketplace: de, SKU: "SKU-1"}})
	if err != nil {
		t.Fatal(err)
	}
	p := w.plan("EAN;Land;Preis\n4006381333931;DE;19,00\n036000291452;DE;19,00\n")
	if p.Summary.Planned != 1 || p.Summary.Refused != 1 {
		t.Errorf("got %+v", p.Summary)
	}
	status, body := w.ask(mine, http.MethodGet, "/plans/"+p.ID+"/file", "", "", "")
	if status != http.StatusOK || !strings.Contains(body, `"url":"`) {
		t.Errorf("%d %s", status, body)
	}
	if status, body := w.ask(theirs, http.MethodGet, "/plans/"+p.ID+"/file", "", "", ""); status != http.StatusNotFound {
		t.Errorf("a stranger gets the file: %d %s", status, body)
	}
}
