package product_test

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/privacy"
	"pricemanager/internal/privacy/locked"
	"pricemanager/internal/secret"
)

// export asks for the tenant's export, waits for it, and returns the events of
// its ledger after verifying it offline with the published key.
func (s *seller) export(t *testing.T) []ledger.Event {
	t.Helper()
	e := ask[exportDoc](t, s.api, http.StatusAccepted, http.MethodPost, "/exports", "{}")
	eventually(t, time.Minute, "the export is done", func() bool {
		e = ask[exportDoc](t, s.api, http.StatusOK, http.MethodGet, "/exports/"+e.ID, "")
		if e.State == "failed" {
			t.Fatal("the export failed")
		}
		return e.State == "done"
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	status, archive := roundTrip(t, req)
	if status != http.StatusOK {
		t.Fatalf("download the export: status %d: %.300s", status, archive)
	}
	key := ask[struct{ Key string }](t, s.api, http.StatusOK, http.MethodGet, "/ledger/key", "").Key
	report, err := privacy.Verify(bytes.NewReader(archive), int64(len(archive)), secret.New(e.Password), ledger.VerifyOpts{Key: key})
	if err != nil || report.Tenant != s.tenant {
		t.Fatalf("the export of %s is of %s and verifies with: %v", s.tenant, report.Tenant, err)
	}
	return events(t, archive, secret.New(e.Password))
}

func events(t *testing.T, archive []byte, password secret.Value) (all []ledger.Event) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := locked.Find(z, "ledger.jsonl", password)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	lines.Scan() // the header
	for lines.Scan() {
		var leaf struct{ Event ledger.Event }
		if err := json.Unmarshal(lines.Bytes(), &leaf); err != nil {
			t.Fatal(err)
		}
		all = append(all, leaf.Event)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// history is what the ledger says about one batch: how often which type was
// recorded for each offer.
type history map[price.SKU]map[ledger.Type][]ledger.Event

// history waits until the ledger has the end of a batch, which is recorded after
// everything that happened in it, and sorts its events by offer.
func (s *seller) history(t *testing.T, batch string) history {
	t.Helper()
	var all []ledger.Event
	eventually(t, time.Minute, "the ledger has the end of "+batch, func() bool {
		all = s.export(t)
		return slices.ContainsFunc(all, func(e ledger.Event) bool { return e.Type == ledger.BatchCompleted && e.Batch == batch })
	})
	h := history{}
	for _, sku := range s.skus {
		target := "offer:" + price.OfferKey{Connection: s.conn, Marketplace: de, SKU: sku}.String()
		h[sku] = map[ledger.Type][]ledger.Event{}
		for _, e := range all {
			if e.Batch == batch && e.Target == target {
				h[sku][e.Type] = append(h[sku][e.Type], e)
			}
		}
	}
	return h
}

// isOnce fails the test unless every offer was desired once and observed once.
func (h history) isOnce(t *testing.T) {
	t.Helper()
	for sku, types := range h {
		for _, want := range []ledger.Type{ledger.ChangeDesired, ledger.ChangeObserved} {
			if n := len(types[want]); n != 1 {
				t.Errorf("the ledger has %d events %s of %s, want exactly one", n, want, sku)
			}
		}
	}
}

// count is the number of events of a type over all offers.
func (h history) count(of ledger.Type) (n int) {
	for _, types := range h {
		n += len(types[of])
	}
	return n
}
