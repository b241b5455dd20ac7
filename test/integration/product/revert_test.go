package product_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// shortSale is a batch that was applied together with the time of its end.
type shortSale struct {
	seller *seller
	batch  string
}

type revertingDoc struct {
	Revert struct{ State, Batch, Reason string }
}

// endsSoon has Amazon judge a sample of a plan first, which changes nothing, and
// applies the plan for a minute.
func (r *rig) endsSoon(t *testing.T) shortSale {
	t.Helper()
	s := r.seller(t, "shortsale", 3)
	p := s.plan(t, s.file("19.10"))
	type previewDoc struct {
		State, Reason string
		Valid         int
	}
	ask[previewDoc](t, s.api, http.StatusAccepted, http.MethodPost, "/plans/"+p.ID+"/preview", "")
	eventually(t, 2*time.Minute, "Amazon has judged the sample", func() bool {
		d := ask[previewDoc](t, s.api, http.StatusOK, http.MethodGet, "/plans/"+p.ID+"/preview", "")
		if d.State == "failed" {
			t.Fatalf("the preview failed: %s", d.Reason)
		}
		return d.State == "done" && d.Valid == 3
	})
	for _, sku := range s.skus {
		if shown := r.amazon.shows(t, s.account, de, sku); shown != firstPrice {
			t.Errorf("Amazon shows %s for %s after a preview", shown, sku)
		}
	}
	b := ask[batchDoc](t, s.api, http.StatusAccepted, http.MethodPost, "/batches",
		fmt.Sprintf(`{"plan":%q,"token":%q,"revertAt":%q}`, p.ID, p.Token, time.Now().Add(time.Minute).UTC().Format(time.RFC3339)))
	s.isObserved(t, b.ID, "19.10")
	return shortSale{s, b.ID}
}

// isTakenBack waits for what nobody asks for again: the schedule's minute, the plan of
// the way back, and its batch.
func (b shortSale) isTakenBack(t *testing.T) {
	var d revertingDoc
	eventually(t, 6*time.Minute, "the batch is taken back", func() bool {
		d = ask[revertingDoc](t, b.seller.api, http.StatusOK, http.MethodGet, "/batches/"+b.batch, "")
		return d.Revert.State != "waiting" && d.Revert.State != "begun"
	})
	if d.Revert.State != "reverted" || d.Revert.Reason != "" {
		t.Fatalf("it ended %+v", d.Revert)
	}
	b.seller.isObserved(t, d.Revert.Batch, firstPrice)
}
