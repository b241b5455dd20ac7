package main

import (
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"

	"pricemanager/internal/fetch"
	"pricemanager/internal/pull"
	"pricemanager/internal/tenant"
)

func TestSourcesOfPriceFilesAreInTheExportOfTheirTenant(t *testing.T) {
	t.Parallel()
	w := setup(t)
	pulls := &pull.Store{DB: w.db, Sealer: w.sealer, Clock: w.app.Clock, Check: (&fetch.Client{}).Check}
	urls := map[tenant.ID]string{tenantA: "https://a.example.com/a.csv?key=1", tenantB: "https://b.example.com/b.csv?key=2"}
	shown := map[tenant.ID]string{tenantA: "https://a.example.com/a.csv?[hidden]", tenantB: "https://b.example.com/b.csv?[hidden]"}
	for id, url := range urls {
		if _, err := pulls.Create(ctx, id, pull.By{Actor: "key:k"}, pull.Source{URL: url, Schedule: pull.Schedule{EveryMinutes: 60}}, rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	for id, other := range map[tenant.ID]tenant.ID{tenantA: tenantB, tenantB: tenantA} {
		files := w.exported(t, id)
		for name, content := range files {
			if strings.Contains(content, urls[other]) || strings.Contains(content, shown[other]) || strings.Contains(content, "key=") {
				t.Errorf("export of %s: %s shows the source of %s, or a key", id, name, other)
			}
		}
		var rows []pullRow
		if err := json.Unmarshal([]byte(files["pulls.json"]), &rows); err != nil || len(rows) != 1 || rows[0].URL != shown[id] || rows[0].Schedule.EveryMinutes != 60 || rows[0].ChangedBy != "key:k" {
			t.Errorf("export of %s: %s, %v", id, files["pulls.json"], err)
		}
	}
}
