package main

import (
	"net/http"
	"strings"
	"testing"

	"pricemanager/internal/lane"
	"pricemanager/internal/store"
)

// Whoever asks for rows after a month is not told that there are none.
func TestRowsThatAreNoLongerKeptAreSaidToBeGone(t *testing.T) {
	t.Parallel()
	w := newRecorded(t)
	_, err := w.db.Update(t.Context(), seller, store.Offers, store.Key{PK: "batches", SK: appliedAs}, store.Update{Set: map[string]any{"state": string(lane.Done)}})
	if err != nil {
		t.Fatal(err)
	}
	asks := func() (out []string) {
		t.Helper()
		for _, ask := range [][2]string{{http.MethodGet, "/rows"}, {http.MethodGet, "/export"}, {http.MethodPost, "/rollback"}} {
			status, body := w.ask(mine, ask[0], "/batches/"+appliedAs+ask[1], "", "", "")
			if status == http.StatusGone && strings.Contains(body, "/problems/rows-gone") && strings.Contains(body, "30 days") {
				out = append(out, ask[1])
			}
		}
		status, body := w.ask(mine, http.MethodPost, "/downloads", "", "", `{"what":"batch","batch":"`+appliedAs+`"}`)
		if status == http.StatusGone && strings.Contains(body, "30 days") {
			out = append(out, "download")
		}
		return out
	}
	if gone := asks(); len(gone) != 0 {
		t.Errorf("on the first day %v are gone", gone)
	}
	w.clock.Advance(lane.RowsFor)
	if gone := asks(); len(gone) != 4 {
		t.Errorf("after a month only %v are said to be gone", gone)
	}
	if status, body := w.ask(mine, http.MethodGet, "/batches/"+appliedAs, "", "", ""); status != http.StatusOK {
		t.Errorf("the batch itself: %d %s", status, body)
	}
}

func TestABatchThatWasRefusedHasNothingToRollBack(t *testing.T) {
	t.Parallel()
	w := newRecorded(t)
	_, err := w.db.Update(t.Context(), seller, store.Offers, store.Key{PK: "batches", SK: appliedAs}, store.Update{Set: map[string]any{"state": string(lane.Refused)}})
	if err != nil {
		t.Fatal(err)
	}
	if status, body := w.ask(mine, http.MethodPost, "/batches/"+appliedAs+"/rollback", "", "", ""); status != http.StatusConflict || !strings.Contains(body, "nothing of it was sent") {
		t.Errorf("%d %s", status, body)
	}
}
