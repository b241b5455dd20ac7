package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/lane"
)

func TestAScheduleSaysInUTCWhatWouldHappenWhenAndAsksForNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.plan("sku;marketplace;price\nSKU-1;DE;19,00\nSKU-2;DE;19,00\nSKU-9;DE;19,00\n")
	var d scheduleDoc
	w.get("/plans/"+p.ID+"/schedule", "activateAt=2026-11-23T06:00:00+01:00&revertAt=2026-11-30T00:00:00+01:00", &d)
	at, back := time.Date(2026, 11, 23, 5, 0, 0, 0, time.UTC), time.Date(2026, 11, 29, 23, 0, 0, 0, time.UTC)
	takes := 61 * time.Second // two rows at five a second, and the minute until a price shows
	if !d.Activate.At.Equal(at) || d.Activate.Rows != 2 || !d.Activate.ReadableBy.Equal(at.Add(takes)) || d.Activate.At.Location() != time.UTC {
		t.Errorf("activate %+v", d.Activate)
	}
	if d.Revert == nil || !d.Revert.At.Equal(back) || d.Revert.Rows != 2 || !d.Revert.ReadableBy.Equal(back.Add(takes)) || d.Revert.Note == "" ||
		len(d.Revert.Marketplaces) != 1 || d.Revert.Marketplaces[0] != (marketRowsDoc{de, "DE", 2}) {
		t.Errorf("revert %+v", d.Revert)
	}
	if !d.ApplyBy.Equal(p.ExpiresAt) || !d.Now.Equal(w.clock.Now()) {
		t.Errorf("now %s, to be applied by %s", d.Now, d.ApplyBy)
	}
	var now scheduleDoc
	w.get("/plans/"+p.ID+"/schedule", "", &now)
	if !now.Activate.At.Equal(w.clock.Now()) || now.Revert != nil {
		t.Errorf("without times: %+v", now)
	}
	list, _, err := lane.NewBatches(w.db, w.blobs).List(t.Context(), seller, "", 10)
	if err != nil || len(list) != 0 {
		t.Errorf("%d batches, %v", len(list), err)
	}
	if status, body := w.ask(theirs, http.MethodGet, "/plans/"+p.ID+"/schedule", "", "", ""); status != http.StatusNotFound {
		t.Errorf("another tenant's plan: %d %s", status, body)
	}
}

func TestTimesThatCannotBeAreRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.plan(oneRow)
	for query, want := range map[string]string{
		"activateAt=2026-11-22T08:59:59Z":                                    "within the next 28 days",
		"revertAt=2026-11-22T09:00:00Z":                                      "within the next 28 days",
		"revertAt=2026-12-20T09:00:01Z":                                      "within the next 28 days",
		"activateAt=2026-11-24T09:00:00Z&revertAt=2026-11-24T09:00:00Z":      "before it begins",
		"activateAt=2026-11-24T09:00:00+01:00&revertAt=2026-11-24T08:00:00Z": "before it begins",
		"revertAt=2026-11-24":                                                "not a time with its zone",
	} {
		if status, body := w.ask(mine, http.MethodGet, "/plans/"+p.ID+"/schedule", query, "", ""); status != http.StatusBadRequest || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s, want %q", query, status, body, want)
		}
	}
}

func TestAScheduledApplyIsAnsweredTheSameAgainAndNoOtherIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.plan(oneRow)
	ask := func(key, token, at string) (int, string) {
		return w.ask(mine, http.MethodPost, "/batches", "", key, `{"plan":"`+p.ID+`","token":"`+token+`"`+at+`}`)
	}
	const at = `,"activateAt":"2026-11-22T18:00:00+01:00"`
	status, first := ask("k1", p.Token, at)
	if status != http.StatusAccepted {
		t.Fatalf("%d %s", status, first)
	}
	b := w.batchOf(first)
	for range 2 {
		if status, body := ask("k1", p.Token, at); status != http.StatusAccepted || w.batchOf(body).ID != b.ID {
			t.Errorf("repeated: %d %s", status, body)
		}
		for _, other := range []string{"", `,"activateAt":"2026-11-25T18:00:00+01:00"`, `,"activateAt":"soon"`} {
			if status, body := ask("k1", p.Token, other); status != http.StatusConflict || !strings.Contains(body, "idempotency-key-reused") || !strings.Contains(body, b.ID) {
				t.Errorf("to begin %q: %d %s", other, status, body)
			}
		}
		if status, body := ask("k2", p.Token, at); status == http.StatusAccepted {
			t.Errorf("by another key: %d %s", status, body)
		}
		if status, body := ask("k1", p.Token+"x", at); status == http.StatusAccepted {
			t.Errorf("by another token: %d %s", status, body)
		}
		w.clock.Advance(12 * time.Hour) // its time has passed
	}
}

func TestARevertIsAskedForPutOffAndCalledOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.plan(oneRow)
	status, body := w.ask(mine, http.MethodPost, "/batches", "", "k1", `{"plan":"`+p.ID+`","token":"`+p.Token+`","revertAt":"2026-11-25T00:00:00+01:00"}`)
	if status != http.StatusAccepted {
		t.Fatalf("%d %s", status, body)
	}
	b := w.batchOf(body)
	at := time.Date(2026, 11, 24, 23, 0, 0, 0, time.UTC)
	if b.Revert == nil || !b.Revert.At.Equal(at) || b.Revert.By != "key:good" {
		t.Fatalf("revert %+v", b.Revert)
	}
	path := "/batches/" + b.ID + "/revert"
	if status, body := w.ask(theirs, http.MethodPut, path, "", "", `{"at":"2026-11-26T00:00:00Z"}`); status != http.StatusNotFound {
		t.Errorf("another tenant's batch: %d %s", status, body)
	}
	if status, body := w.ask(theirs, http.MethodDelete, path, "", "", ""); status != http.StatusNotFound {
		t.Errorf("another tenant's batch: %d %s", status, body)
	}
	if status, body := w.ask(mine, http.MethodPut, path, "", "", `{}`); status != http.StatusBadRequest {
		t.Errorf("without a time: %d %s", status, body)
	}
	w.clock.Advance(24 * time.Hour)
	if status, body := w.ask(mine, http.MethodPut, path, "", "", `{"at":"2026-12-21T08:00:00Z"}`); status != http.StatusBadRequest || !strings.Contains(body, "28 days after it was made") {
		t.Errorf("when its files are gone: %d %s", status, body)
	}
	if status, body := w.ask(second, http.MethodPut, path, "", "", `{"at":"2026-11-26T00:00:00Z"}`); status != http.StatusOK || !strings.Contains(body, `"at":"2026-11-26T00:00:00Z","state":"waiting","by":"key:second"`) {
		t.Errorf("put off: %d %s", status, body)
	}
	if status, body := w.ask(mine, http.MethodDelete, path, "", "", ""); status != http.StatusOK || !strings.Contains(body, `"state":"cancelled"`) {
		t.Errorf("called off: %d %s", status, body)
	}
	if status, body := w.ask(mine, http.MethodDelete, path, "", "", ""); status != http.StatusConflict {
		t.Errorf("called off twice: %d %s", status, body)
	}
}
