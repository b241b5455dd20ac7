package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/download"
	"pricemanager/internal/export"
	"pricemanager/internal/guard"
	"pricemanager/internal/plan"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

// choose gives a tenant guards, costs, a mapping and a download with its mark.
func (w *world) choose(t *testing.T, id tenant.ID, mark string, percent int64) {
	t.Helper()
	guards := &guard.Store{DB: w.db, Clock: w.app.Clock}
	settings := guard.Default()
	settings.Rules = append(settings.Rules, guard.Rule{SKU: mark + "*", Limits: guard.Limits{HoldDropPercent: &percent}})
	if _, err := guards.Put(ctx, id, "key:"+mark, settings, guard.Default().Hash()); err != nil {
		t.Fatal(err)
	}
	if _, err := guards.PutCosts(ctx, id, "key:"+mark, []byte("sku,cost,currency\n"+mark+"-1,10.00,EUR\n"), ""); err != nil {
		t.Fatal(err)
	}
	headers := []string{"Artikel", "Betrag " + mark, "Notiz"}
	plans := &plan.Store{DB: w.db, Clock: w.app.Clock}
	if _, err := plans.SetMapping(ctx, id, "key:"+mark, pricefile.Fingerprint(headers), headers, pricefile.Mapping{pricefile.MeansSKU, pricefile.MeansPrice, ""}); err != nil {
		t.Fatal(err)
	}
	downloads := &download.Store{DB: w.db, Queue: memory.NewQueue(w.app.Clock), Clock: w.app.Clock, Rand: rand.Reader}
	if err := downloads.Note(ctx, id, "key:"+mark, "req-1", download.Spec{What: download.Offers, Format: export.CSV}, 3); err != nil {
		t.Fatal(err)
	}
}

func TestGuardsCostsAndMappingsAreInTheExportOfTheirTenantAndCanBeSetAgain(t *testing.T) {
	t.Parallel()
	w := setup(t)
	marks := map[tenant.ID]string{tenantA: "A1ALPHA", tenantB: "A2BRAVO"}
	w.choose(t, tenantA, marks[tenantA], 11)
	w.choose(t, tenantB, marks[tenantB], 22)
	for id, other := range map[tenant.ID]tenant.ID{tenantA: tenantB, tenantB: tenantA} {
		files := w.exported(t, id)
		for name, content := range files {
			if strings.Contains(content, marks[other]) {
				t.Errorf("export of %s: %s shows %s of %s", id, name, marks[other], other)
			}
		}
		if !strings.Contains(files["downloads.json"], `"by":"key:`+marks[id]+`"`) {
			t.Errorf("export of %s: downloads are %s", id, files["downloads.json"])
		}
		w.setAgain(t, id, tenant.ID("t_again"+strings.ToLower(marks[id])), files)
	}
	if files := w.exported(t, tenantA); strings.Count(files["costs.csv"], "\n") != 2 {
		t.Errorf("costs are %q", files["costs.csv"])
	}
}

// setAgain gives another tenant what an export has, and compares.
func (w *world) setAgain(t *testing.T, id, anew tenant.ID, files map[string]string) {
	t.Helper()
	guards := &guard.Store{DB: w.db, Clock: w.app.Clock}
	next := guard.Default() // as PUT /guards begins
	d := json.NewDecoder(strings.NewReader(files["guards.json"]))
	d.DisallowUnknownFields()
	if err := d.Decode(&next); err != nil {
		t.Fatal(err)
	}
	set, err := guards.Put(ctx, anew, "key:again", next, guard.Default().Hash())
	if err != nil {
		t.Fatal(err)
	}
	if was, err := guards.Get(ctx, id); err != nil || was.Hash() != set.Hash() {
		t.Errorf("guards of %s come back as others: %v", id, err)
	}
	if _, err := guards.PutCosts(ctx, anew, "key:again", []byte(files["costs.csv"]), ""); err != nil {
		t.Fatal(err)
	}
	was, _, err := guards.CostsFile(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if now, _, err := guards.CostsFile(ctx, anew); err != nil || !bytes.Equal(was, now) {
		t.Errorf("costs of %s come back as %q, %v", id, now, err)
	}
	var rows []mappingRow
	if err := json.Unmarshal([]byte(files["mappings.json"]), &rows); err != nil {
		t.Fatal(err)
	}
	plans := &plan.Store{DB: w.db, Clock: w.app.Clock}
	for _, r := range rows {
		var headers []string
		var means pricefile.Mapping
		for _, c := range r.Columns {
			headers, means = append(headers, c.Header), append(means, c.Means)
		}
		if _, err := plans.SetMapping(ctx, anew, "key:again", r.Fingerprint, headers, means); err != nil {
			t.Fatal(err)
		}
	}
	before, err := plans.Mappings(ctx, id)
	if err != nil || len(before) != 1 {
		t.Fatal(before, err)
	}
	after, err := plans.Mappings(ctx, anew)
	if diff := cmp.Diff(before, after); diff != "" || err != nil {
		t.Error(diff, err)
	}
}
