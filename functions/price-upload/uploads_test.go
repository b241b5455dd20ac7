package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"pricemanager/internal/plan"
	"pricemanager/internal/store"
)

// Uploads that the recorded events name: one whose content has arrived, and one
// whose has not.
const (
	arrived = "upl_aaaaaaaaaaaaaaaaaaaaaaaaaa"
	awaited = "upl_bbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func (w *world) recordUploads() {
	w.t.Helper()
	for _, id := range []string{arrived, awaited} {
		err := w.db.Put(w.t.Context(), seller, store.Offers, store.Item{Key: store.Key{PK: "uploads", SK: id}, Attrs: map[string]any{
			"file": "large.csv", "ttl": w.clock.Now().Unix() + 3600,
		}})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	if err := w.blobs.Put(w.t.Context(), seller, store.Files, plan.UploadName(arrived), "text/csv", []byte("sku;price\nSKU-1;18,50\n")); err != nil {
		w.t.Fatal(err)
	}
}

func TestAnUploadIsPlannedWithoutPassingThroughTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	status, body := w.ask(mine, http.MethodPost, "/uploads", "", "", `{"file":" large.csv ","contentType":"text/csv"}`)
	var up uploadDoc
	if err := json.Unmarshal([]byte(body), &up); err != nil || status != http.StatusCreated || up.File != "large.csv" || up.MaxBytes != plan.MaxUpload {
		t.Fatal(status, body, err)
	}
	if up.Fields["Content-Type"] != "text/csv" || up.Fields["key"] != string(seller)+"/"+plan.UploadName(up.Upload) {
		t.Errorf("fields %v", up.Fields)
	}
	name := `{"upload":"` + up.Upload + `"}`
	if status, body := w.ask(mine, http.MethodPost, "/plans", "", "", name); status != http.StatusConflict || !strings.Contains(body, "upload-incomplete") {
		t.Errorf("before the content arrived: %d %s", status, body)
	}
	if err := w.blobs.Submit(store.Form{URL: up.URL, Fields: up.Fields}, []byte("sku;price\nSKU-1;18,50\n")); err != nil {
		t.Fatal(err)
	}
	if status, body := w.ask(theirs, http.MethodPost, "/plans", "", "", name); status != http.StatusNotFound || !strings.Contains(body, "upload-not-found") {
		t.Errorf("another tenant: %d %s", status, body)
	}
	status, body = w.ask(mine, http.MethodPost, "/plans", "marketplace=DE", "", name)
	var p planDoc
	if err := json.Unmarshal([]byte(body), &p); err != nil || status != http.StatusAccepted || p.State != plan.Reading || p.Token != "" || p.Progress == nil || p.Summary != nil || p.File != "large.csv" {
		t.Fatal(status, body, err)
	}
	if status, body := w.ask(mine, http.MethodGet, "/plans/"+p.ID, "", "", ""); status != http.StatusOK || !strings.Contains(body, `"progress":{"rowsRead":0,"rowsPlanned":0,"rows":0}`) {
		t.Errorf("%d %s", status, body)
	}
	if status, body := w.ask(mine, http.MethodPost, "/batches", "", "k1", `{"plan":"`+p.ID+`","token":""}`); status != http.StatusConflict || !strings.Contains(body, "plan-not-ready") {
		t.Errorf("applied before it was made: %d %s", status, body)
	}
	sent := w.planQueue.Receive(10, 0)
	if len(sent) != 1 {
		t.Fatalf("%d messages", len(sent))
	}
	if job, err := plan.ParseJob(sent[0].Body); err != nil || job.Plan != p.ID || job.Tenant != seller {
		t.Errorf("%+v, %v", job, err)
	}
}

// A file of JSON lines is a file, whatever its columns are called.
func TestOnlyABodyOfOneMemberNamesAnUpload(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"upload":"upl_x"}`: "upl_x", " {\n\"upload\": \"\"}\n": "",
	} {
		if id, ok := uploaded([]byte(body)); !ok || id != want {
			t.Errorf("%s is not an upload", body)
		}
	}
	for _, body := range []string{"", "null", "{}", `{"upload":null}`, `{"upload":1}`, `{"sku":"A","upload":"u"}`, `[{"upload":"u"}]`,
		`{"upload":"u"}` + "\n" + `{"upload":"v"}`, "upload\nu\n", `{"upload":"` + strings.Repeat("u", 100) + `"}`} {
		if _, ok := uploaded([]byte(body)); ok {
			t.Errorf("%s is an upload", body)
		}
	}
}
