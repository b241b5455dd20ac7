package main

import (
	"encoding/json"
	"strings"
	"testing"

	"pricemanager/internal/fx"
	"pricemanager/internal/tenant"
)

func TestLinksAndRatesAreInTheExportOfTheirTenantAndCanBeSetAgain(t *testing.T) {
	t.Parallel()
	w := setup(t)
	links := &fx.Store{DB: w.db, Clock: w.app.Clock}
	percents := map[tenant.ID]string{tenantA: "1.11", tenantB: "2.22"}
	for id, percent := range percents {
		l := fx.Links{MaxAgeDays: 3, Links: []fx.Link{{From: "A1PA6795UKMFR9", To: "A2NODRKZP88ZB9", Currency: "SEK", Percent: percent}}}
		if _, err := links.PutLinks(ctx, id, "key:k", l, fx.Default().Hash()); err != nil {
			t.Fatal(err)
		}
		day := w.app.Clock.Now().Format("2006-01-02")
		if _, err := links.PutRates(ctx, id, "key:k", fx.Upload{Base: "EUR", On: day, Name: "bank " + percent, Body: []byte("currency,rate\nSEK,11.2\n")}, ""); err != nil {
			t.Fatal(err)
		}
	}
	for id, other := range map[tenant.ID]tenant.ID{tenantA: tenantB, tenantB: tenantA} {
		files := w.exported(t, id)
		for name, content := range files {
			if strings.Contains(content, percents[other]) {
				t.Errorf("export of %s: %s shows %s of %s", id, name, percents[other], other)
			}
		}
		again := fx.Default()
		if err := json.Unmarshal([]byte(files["links.json"]), &again); err != nil {
			t.Fatal(err)
		}
		var rates fx.Table
		if err := json.Unmarshal([]byte(files["rates.json"]), &rates); err != nil {
			t.Fatal(err)
		}
		was, err := links.Load(ctx, id)
		if now := fx.NewSet(again, &rates); err != nil || now.LinksHash() != was.LinksHash() || now.RatesHash() != was.RatesHash() {
			t.Errorf("export of %s has others: %s %s, %v", id, files["links.json"], files["rates.json"], err)
		}
	}
}
