package main

import (
	"net/http"
	"strings"
	"testing"

	"pricemanager/internal/lane"
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
