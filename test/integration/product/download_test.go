package product_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/ledger"
)

// downloadDoc is a download as far as the tests read it.
type downloadDoc struct {
	ID     string `json:"id"`
	State  string `json:"state"`
	Reason string `json:"reason"`
	Rows   int    `json:"rows"`
	Files  []struct {
		URL string `json:"url"`
	} `json:"files"`
}

// takenAway: every table leaves as files with links, made by a function of its own;
// tables of offers are price files that change nothing when they are uploaded again;
// and the ledger says who took them.
func takenAway(t *testing.T, r *rig) {
	s := r.seller(t, "tables", 6)
	other := r.customer(t, "others", 1)
	const at = "20.40"
	batch := s.change(t, at)
	s.isObserved(t, batch, at)
	taken := 0
	for _, format := range []string{"csv", "xlsx", "json"} {
		for way, file := range map[string]string{
			"as a download": s.download(t, fmt.Sprintf(`{"what":"offers","format":%q}`, format), other),
			"at once":       s.get(t, fmt.Sprintf("/offers/export?connection=%s&format=%s", s.conn, format)),
		} {
			taken++
			if p := s.plan(t, file); p.Summary.Unchanged != len(s.skus) || p.Summary.Rows != len(s.skus) {
				t.Errorf("offers %s as %s come back as %+v, want %d unchanged rows", way, format, p.Summary, len(s.skus))
			}
		}
	}
	eventually(t, time.Minute, "the ledger has the prices that were read back", func() bool {
		taken++
		return strings.Count(s.download(t, fmt.Sprintf(`{"what":"history","batch":%q}`, batch), other), ",change.observed,") == len(s.skus)
	})
	taken++
	if rows := s.download(t, fmt.Sprintf(`{"what":"batch","batch":%q}`, batch), other); strings.Count(rows, ",observed,") != len(s.skus) {
		t.Errorf("the rows of the batch are %s", rows)
	}
	eventually(t, time.Minute, "the ledger says who took tables away", func() bool {
		n := 0
		for _, e := range s.export(t) {
			if e.Type == ledger.TableExported && strings.HasPrefix(e.Actor, "key:") {
				n++
			}
		}
		return n == taken
	})
}

// download asks for a table, waits for it, and returns its one file. The other
// tenant does not find it.
func (s *seller) download(t *testing.T, what string, other *seller) string {
	t.Helper()
	d := ask[downloadDoc](t, s.api, http.StatusAccepted, http.MethodPost, "/downloads", what)
	eventually(t, time.Minute, "the download is done", func() bool {
		d = ask[downloadDoc](t, s.api, http.StatusOK, http.MethodGet, "/downloads/"+d.ID, "")
		return d.State != "running"
	})
	if d.State != "done" || len(d.Files) != 1 {
		t.Fatalf("%s became %+v", what, d)
	}
	if status, text := other.api.request(t, http.MethodGet, "/downloads/"+d.ID, nil); status != http.StatusNotFound {
		t.Errorf("another tenant is answered %d %s", status, text)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.Files[0].URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	status, file := roundTrip(t, req)
	if status != http.StatusOK {
		t.Fatalf("download: status %d: %.300s", status, file)
	}
	return string(file)
}

// get returns what a route answers. API Gateway decodes what is no text only for
// callers that say what they accept, as browsers and curl do.
func (s *seller) get(t *testing.T, path string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.api.base+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.api.key.Reveal())
	req.Header.Set("Accept", "*/*")
	status, text := roundTrip(t, req)
	if status != http.StatusOK {
		t.Fatalf("%s: status %d: %.300s", path, status, text)
	}
	return string(text)
}
