package product_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/guard"
	"pricemanager/internal/price"
)

// upload sends a price file to the files bucket by the form that the API gives,
// and has it planned.
func (s *seller) upload(t *testing.T, content string) planDoc {
	t.Helper()
	form := ask[struct {
		Upload, URL string
		Fields      map[string]string
	}](t, s.api, http.StatusCreated, http.MethodPost, "/uploads", `{"file":"sales.csv","contentType":"text/csv"}`)
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, value := range form.Fields {
		if err := w.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	file, err := w.CreateFormFile("file", "sales.csv")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, form.URL, &body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", w.FormDataContentType())
	if status, text := roundTrip(t, req); status/100 != 2 {
		t.Fatalf("upload: %d %.500s", status, text)
	}
	p := ask[planDoc](t, s.api, http.StatusAccepted, http.MethodPost, "/plans?marketplace=DE", fmt.Sprintf(`{"upload":%q}`, form.Upload))
	eventually(t, time.Minute, "the upload is planned", func() bool {
		p = ask[planDoc](t, s.api, http.StatusOK, http.MethodGet, "/plans/"+p.ID, "")
		return p.State != "reading"
	})
	return p
}

// setGuards replaces the default guards.
func (s *seller) setGuards(t *testing.T, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.api.base+"/guards", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.api.key.Reveal())
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("If-Match", `"`+guard.Default().Hash()+`"`)
	if status, text := roundTrip(t, req); status != http.StatusOK {
		t.Fatalf("guards: %d %.500s", status, text)
	}
}

// uploadedSale: under the Omnibus guard a sale in an uploaded file is held or let
// through by the prices that the ledger has seen, which the function that plans
// uploads may read and nothing else of the ledger.
func uploadedSale(t *testing.T, r *rig) {
	s := r.seller(t, "sells", 2)
	s.setGuards(t, `{"rules":[{"omnibus":true}]}`)
	notices := ask[struct{ Items []struct{ What string } }](t, s.api, http.StatusOK, http.MethodGet, "/guards/notices", "")
	if len(notices.Items) != 1 || notices.Items[0].What != "settings" {
		t.Errorf("notices: %+v", notices)
	}
	// The price is known from now on, so that the thirty days before a sale in thirty
	// days are, as far as they have passed; those before a sooner one are not.
	known := time.Now().UTC().Truncate(time.Second).Add(time.Second)
	line := func(sku price.SKU, start time.Time) string {
		return fmt.Sprintf("%s;19.00;%s;%s\n", sku, start.Format(time.RFC3339), start.AddDate(0, 0, 5).Format(time.RFC3339))
	}
	file := "sku;sale price;sale start;sale end\n" + line(s.skus[0], known.AddDate(0, 0, 30)) + line(s.skus[1], known.AddDate(0, 0, 20))
	var p planDoc
	eventually(t, time.Minute, "the ledger has heard of the prices", func() bool {
		p = s.upload(t, file)
		if p.State != "ready" && p.State != "blocked" {
			t.Fatalf("the plan is %s", p.State)
		}
		return p.Summary.Planned > 0
	})
	if p.Summary.Planned != 1 || p.Summary.Held != 1 {
		t.Errorf("got %+v, want one sale planned and one held", p.Summary)
	}
	link := ask[struct{ URL string }](t, s.api, http.StatusOK, http.MethodGet, "/plans/"+p.ID+"/file", "")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	status, text := roundTrip(t, req)
	lines := strings.Split(string(text), "\r\n")
	if status != http.StatusOK || len(lines) != 4 || !strings.HasSuffix(lines[1], ";") || !strings.Contains(lines[2], "held: sale price: This offer was not observed") {
		t.Errorf("the marked file: %d %q", status, lines)
	}
}
