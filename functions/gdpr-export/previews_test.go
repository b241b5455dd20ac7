package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

func TestNoticesAndPreviewsAreInTheExportOfTheirTenantInBothForms(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, id := range []tenant.ID{tenantA, tenantB} {
		doc, err := json.Marshal(map[string]any{"Plan": "plan_x", "AskedBy": "key:of-" + id, "AskedAt": time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), "State": "done",
			"Rows": []map[string]any{{"row": 2, "sku": "=SKU", "verdict": "invalid", "issues": []map[string]any{{"code": "18155", "message": "too low"}}}, {"row": 3, "sku": "SKU-3", "verdict": "valid"}}})
		if err != nil {
			t.Fatal(err)
		}
		for key, attrs := range map[store.Key]map[string]any{
			{PK: "previews", SK: "plan_x"}: {"state": "done", "doc": doc},
			{PK: "guard-notices", SK: "001772366400000.settings.2"}: {"what": "settings", "actor": "key:of-" + string(id), "at": store.Millis(w.app.Clock.Now()),
				"before": "h1", "after": "h2", "was": []byte(`{"a":1}`), "is": []byte(`{"a":2}`)},
		} {
			if err := w.db.Put(ctx, id, store.Offers, store.Item{Key: key, Attrs: attrs}); err != nil {
				t.Fatal(err)
			}
		}
	}
	files := w.exported(t, tenantA)
	for name, want := range map[string]string{
		"previews.csv":       "plan_x,key:of-t_aaaaaa,2026-03-01T12:00:00Z,2,,,'=SKU,invalid,18155 too low\n",
		"previews.json":      `"sku":"=SKU"`,
		"guard-notices.csv":  "2026-03-01T12:00:00Z,settings,key:of-t_aaaaaa,h1,h2\n",
		"guard-notices.json": `"was":{"a":1},"is":{"a":2}`,
		"apikeys.csv":        "key of t_aaaaaa,machine,",
		"exports.csv":        ",running,key:",
	} {
		if !strings.Contains(files[name], want) || strings.Contains(files[name], string(tenantB)) {
			t.Errorf("%s: %s", name, files[name])
		}
	}
	if n := strings.Count(files["previews.csv"], "\n"); n != 3 {
		t.Errorf("%d lines of previews, want one for each row and one for the columns", n)
	}
}
