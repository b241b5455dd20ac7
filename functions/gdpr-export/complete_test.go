package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pricemanager/internal/fetch"
	"pricemanager/internal/fx"
	"pricemanager/internal/identity"
	"pricemanager/internal/incident"
	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/personal"
	"pricemanager/internal/plan"
	"pricemanager/internal/privacy"
	"pricemanager/internal/privacy/kept"
	"pricemanager/internal/pull"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

// planted is what a tenant was given: per kind, texts that its records alone have.
type planted map[string][]string

func (p planted) add(name string, marks ...string) { p[name] = append(p[name], marks...) }

// plant gives a tenant something of every kind that an export has, all of it with
// ids that other tenants have too, and with texts that they have not.
func (w *world) plant(t *testing.T, id tenant.ID, mark string, minor int64) planted {
	t.Helper()
	clk := w.app.Clock
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	put := func(table store.Table, pk, sk string, attrs map[string]any) {
		t.Helper()
		must(w.db.Put(ctx, id, table, store.Item{Key: store.Key{PK: pk, SK: sk}, Attrs: attrs}))
	}
	document := func(v any) []byte {
		t.Helper()
		b, err := json.Marshal(v)
		must(err)
		return b
	}
	has := planted{}

	w.trade(t, id, mark, minor)
	decimal := func(m int64) string { return fmt.Sprintf("%d.%02d", m/100, m%100) }
	has.add("offer#*", decimal(minor), decimal(minor+1))
	has.add("connections", mark)
	for _, name := range []string{"plans", "batches"} {
		has.add(name, mark+".csv")
	}
	has.add("plans/", decimal(minor-100), "SKU-1;DE;"+decimal(minor-100))
	has.add("batches/", decimal(minor-100))
	put(store.Connections, "health", string(conn), map[string]any{"health": "failing", "reason": mark + " refused", "lastFail": store.Millis(clk.Now()), "writes": int64(1)})
	has.add("health", mark+" refused")

	w.choose(t, id, mark, minor%89+1)
	has.add("guards", mark+"*")
	has.add("costs#*", mark+"-1")
	has.add("guard-notices", "key:"+mark)
	has.add("mappings", "Betrag "+mark)
	has.add("downloads", "key:"+mark)

	plans := &plan.Store{DB: w.db, Blobs: w.blobs, Clock: clk}
	up, err := plans.NewUpload(ctx, id, "upload of "+mark+".csv", "text/csv", strings.NewReader("the same upload for everybody"))
	must(err)
	must(w.blobs.Put(ctx, id, store.Files, plan.UploadName(up.ID), "text/csv", []byte("sku,price\nUP-"+mark+",1.00\n")))
	has.add("uploads", "upload of "+mark)
	has.add("uploads/", "UP-"+mark)

	pulls := &pull.Store{DB: w.db, Sealer: w.sealer, Clock: clk, Check: (&fetch.Client{}).Check}
	_, err = pulls.Create(ctx, id, pull.By{Actor: "key:" + mark}, pull.Source{URL: "https://files.example.com/" + mark + ".csv", Schedule: pull.Schedule{EveryMinutes: 60}}, strings.NewReader("the same source!"))
	must(err)
	has.add("pulls", "/"+mark+".csv")

	links := &fx.Store{DB: w.db, Clock: clk}
	_, err = links.PutRates(ctx, id, "key:"+mark, fx.Upload{Base: "EUR", On: clk.Now().Format("2006-01-02"), Name: "bank " + mark, Body: []byte("currency,rate\nSEK,11.2\n")}, "")
	must(err)
	has.add("fx", "bank "+mark)

	put(store.Offers, "previews", "plan_x", map[string]any{"state": "done", "doc": document(map[string]any{
		"Plan": "plan_x", "AskedBy": "key:" + mark, "AskedAt": clk.Now(), "State": "done", "Rows": []map[string]any{{"row": 2, "sku": "PRE-" + mark, "verdict": "valid"}}})})
	has.add("previews", "PRE-"+mark)

	stops := lane.Stops{DB: w.db, Bell: lane.Bell{DB: w.db, Queue: memory.NewQueue(clk), Now: clk.Now}}
	for _, name := range []string{"tenant", "marketplace.A1PA6795UKMFR9"} {
		stop, err := lane.ParseStop(name)
		must(err)
		stop.Actor, stop.Reason = "key:"+mark, name+" by "+mark
		must(stops.Set(ctx, id, stop))
		has.add("stop", stop.Reason)
	}
	lifted, err := lane.ParseStop("marketplace.A1PA6795UKMFR9")
	must(err)
	must(stops.Lift(ctx, id, "key:"+mark, lifted))

	put(store.Offers, "visibility", string(de), map[string]any{"b3": minor})
	has.add("visibility", fmt.Sprint(minor))
	put(store.Offers, "suspicions", "000000000000007.mass-export", map[string]any{"kind": "mass-export", "subject": "key:" + mark, "raisedAt": store.Millis(clk.Now()), "state": "open",
		"evidence": document(map[string]any{"at": clk.Now(), "unit": "rows", "observed": minor, "limit": 1, "usual": 1})})
	has.add("suspicions", "key:"+mark)

	has.add("tenant", "Company of "+mark)
	has.add("apikey", "key of "+mark)
	members := &identity.Members{DB: w.db, Seal: w.sealer, Clock: clk, Index: func(_ context.Context, kind, value string) (string, error) { return kind + "|" + value, nil }}
	must(members.Join(ctx, id, "key:"+mark, identity.NewMember{ID: "m1", Role: identity.Owner, Name: personal.New("Name of " + mark), Email: personal.New(mark + "@example.com")}))
	has.add("members", "Name of "+mark, mark+"@example.com")
	put(store.Identity, "sessions", "session1", map[string]any{"member": "m1", "operator": mark, "createdAt": store.Millis(clk.Now()), "expires": store.Millis(clk.Now())})
	has.add("sessions", mark)

	must(w.log.AppendDirect(ctx, id, "1", ledger.Event{Type: ledger.TokenIssued, At: clk.Now(), Target: "event of " + mark}))
	has.add("log", "event of "+mark)
	_, err = w.exports.Request(ctx, id, "key:"+mark, "req-1", "")
	must(err)
	has.add("export", "key:"+mark)
	erasures := &privacy.Erasures{DB: w.db, Queue: memory.NewQueue(clk), Clock: clk, Rand: rand.Reader, CoolingOff: time.Hour}
	_, err = erasures.Request(ctx, id, "key:"+mark, "req-2", privacy.ConfirmErasure(id))
	must(err)
	has.add("erasure", "key:"+mark)
	must(erasures.Hold(ctx, id, "operator"))
	has.add("legal-hold", "held")
	return has
}

// breach opens an incident that reached one connection, and tells of it or not.
func (w *world) breach(t *testing.T, connection, nature string, told bool) {
	t.Helper()
	now := w.app.Clock.Now()
	log := &incident.Log{DB: w.db, Clock: w.app.Clock, Rand: rand.Reader}
	i, err := log.Open(ctx, incident.Incident{By: "operator", Nature: nature, Aware: now, From: now.Add(-time.Hour), Connection: connection, Tables: []store.Table{store.Connections}})
	if err == nil && told {
		_, err = log.Tell(ctx, i.ID, incident.Tenants, "operator", "mail")
	}
	if err != nil {
		t.Fatal(err)
	}
}

// archived is what the archive has in a file, or below a folder.
func archived(files map[string]string, names []string) string {
	var all strings.Builder
	for name, content := range files {
		if slices.ContainsFunc(names, func(n string) bool { return n == name || strings.HasSuffix(n, "/") && strings.HasPrefix(name, n) }) {
			all.WriteString(content)
		}
	}
	return all.String()
}

// TestAnExportHasEveryRecordOfItsTenantAndNoneOfAnother: two tenants whose ids, keys,
// SKUs and names of objects are the same or begin alike. Every kind of record that
// internal/privacy/kept says is in an export is planted, and found where it says.
func TestAnExportHasEveryRecordOfItsTenantAndNoneOfAnother(t *testing.T) {
	t.Parallel()
	for range 2 { // each is some hundred locked files
		seed := mathrand.Int()
		t.Logf("seed %d", seed)
		mark := func(of string, n int) string { return of + rapid.StringMatching("[a-z]{6}").Example(seed+n) }
		marks := map[tenant.ID]string{tenantA: mark("A1", 0), tenantB: mark("B2", 1)}
		minor := map[tenant.ID]int64{tenantA: 20_000 + int64(seed%9_999), tenantB: 40_000 + int64(seed%8_999)}
		w := named(t, marks)
		has := map[tenant.ID]planted{}
		for _, id := range []tenant.ID{tenantA, tenantB} {
			has[id] = w.plant(t, id, marks[id], minor[id])
		}
		w.breach(t, string(conn), "told of to both", true)
		w.breach(t, string(conn), "not told of yet", false)
		w.breach(t, "conn_of_somebody_else_entirely", "about somebody else", true)
		for id, other := range map[tenant.ID]tenant.ID{tenantA: tenantB, tenantB: tenantA} {
			files := w.exported(t, id)
			for name, content := range files {
				if strings.Contains(content, marks[other]) {
					t.Errorf("export of %s: %s shows %s of %s", id, name, marks[other], other)
				}
			}
			w.covered(t, id, has[id], files)
			if got := files["incidents.json"]; !strings.Contains(got, "told of to both") || strings.Contains(got, "not told") || strings.Contains(got, "somebody else") {
				t.Errorf("export of %s: incidents are %s", id, got)
			}
		}
	}
}

// covered compares what the stores hold of a tenant with its archive, kind by kind.
func (w *world) covered(t *testing.T, id tenant.ID, has planted, files map[string]string) {
	t.Helper()
	held := map[string]bool{}
	w.db.Each(func(owner tenant.ID, table store.Table, item store.Item) bool {
		k, ok := kept.Item(table, item.PK, owner == store.Directory)
		if !ok {
			t.Errorf("nobody says whether an export has %s %s", table, item.PK)
		}
		if owner == id || owner == store.Directory {
			held[k.Name] = true
		}
		return true
	})
	w.blobs.Each(func(owner tenant.ID, bucket store.Bucket, name string, _ []byte) bool {
		k, ok := kept.Object(bucket, name)
		if !ok {
			t.Errorf("nobody says whether an export has %s/%s", bucket, name)
		}
		if owner == id {
			held[k.Name] = true
		}
		return true
	})
	for _, k := range kept.Kinds() {
		if len(k.Files) == 0 || k.Directory {
			continue
		}
		if !held[k.Name] || len(has[k.Name]) == 0 {
			t.Errorf("nothing of kind %s was planted: this test would not see it missing", k.Name)
		}
		content := archived(files, k.Files)
		for _, mark := range has[k.Name] {
			if !strings.Contains(content, mark) {
				t.Errorf("export of %s: %q, of kind %s, is not in %v", id, mark, k.Name, k.Files)
			}
		}
	}
}

// named is a world whose tenants and keys are called after the marks.
func named(t *testing.T, marks map[tenant.ID]string) *world {
	t.Helper()
	w := setup(t)
	for id, mark := range marks {
		key := store.Key{PK: personal.CompanyPK, SK: "tenant"}
		if err := w.db.Delete(ctx, id, store.Identity, key); err != nil {
			t.Fatal(err)
		}
		if err := identity.NewTenants(w.db, w.sealer, w.app.Clock).Create(ctx, id, "operator", "Company of "+mark); err != nil {
			t.Fatal(err)
		}
		_, key2, err := w.keys.Create(ctx, id, "operator", "key of "+mark, identity.Scopes())
		if err != nil {
			t.Fatal(err)
		}
		w.key[id] = key2.Reveal()
	}
	return w
}
