package product_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// correctedPrice: a file of prices is on its way, and stopped, when one of them
// turns out to be wrong. The correction takes its place.
func correctedPrice(t *testing.T, r *rig) {
	s := r.seller(t, "corrects", 20)
	ask[struct{}](t, s.api, http.StatusCreated, http.MethodPost, "/stops", `{"scope":"tenant"}`)
	bulk := s.change(t, "19.00")
	eventually(t, time.Minute, "the file is committed", func() bool { return s.batch(t, bulk).State == "sending" })
	wrong := s.skus[len(s.skus)-1]
	b := ask[batchDoc](t, s.api, http.StatusAccepted, http.MethodPost, "/corrections", fmt.Sprintf(
		`{"connection":%q,"marketplace":%q,"sku":%q,"seen":{"prices":{"price":{"amount":%q,"currency":"EUR"}}},"set":{"price":{"amount":"21.50","currency":"EUR"}}}`,
		s.conn, de, wrong, firstPrice))
	ask[struct{}](t, s.api, http.StatusOK, http.MethodDelete, "/stops/tenant", "")
	var done batchDoc
	eventually(t, 90*time.Second, "the correction and the file are done", func() bool {
		done = s.batch(t, b.ID)
		return done.State == "done" && s.batch(t, bulk).State == "done"
	})
	if done.Counts["observed"] != 1 {
		t.Errorf("the correction: %v, want it observed", done)
	}
	if n := s.batch(t, bulk).Counts["superseded"]; n != 1 {
		t.Errorf("%d rows of the file were superseded, want the corrected one", n)
	}
	for _, sku := range s.skus {
		want := "19.00"
		if sku == wrong {
			want = "21.50"
		}
		if shown := r.amazon.shows(t, s.account, de, sku); shown != want {
			t.Errorf("Amazon shows %s for %s, want %s", shown, sku, want)
		}
	}
}
