package product_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// uploadedFile: a large price file goes by a presigned POST past the API, and is
// planned by a function of its own in several runs, because each has hardly any
// time. What comes of it is the plan of the whole file.
func uploadedFile(t *testing.T, r *rig) {
	const rows, at = 3_000, "20.90"
	s := r.seller(t, "uploads", 30)
	// 30 s less what a run keeps for handing on: each makes one file of rows.
	r.shorten(t, "price-plan", 30)
	form := ask[struct {
		Upload, URL string
		Fields      map[string]string
	}](t, s.api, http.StatusCreated, http.MethodPost, "/uploads", `{"file":"large.csv","contentType":"text/csv"}`)
	content := s.among(rows, at)
	if status, text := post(t, form.URL, form.Fields, content); status/100 != 2 {
		t.Fatalf("presigned POST: status %d: %.300s", status, text)
	}
	type doc struct {
		planDoc
		Progress *struct{ RowsRead, Rows int } `json:"progress"`
	}
	p := ask[doc](t, s.api, http.StatusAccepted, http.MethodPost, "/plans", fmt.Sprintf(`{"upload":%q}`, form.Upload))
	last := 0
	eventually(t, time.Minute, "the plan is made", func() bool {
		p = ask[doc](t, s.api, http.StatusOK, http.MethodGet, "/plans/"+p.ID, "")
		if p.Progress == nil {
			return true
		}
		if p.Progress.RowsRead < last || p.Progress.RowsRead > rows {
			t.Fatalf("the plan went from %d rows to %+v", last, p.Progress)
		}
		last = p.Progress.RowsRead
		return false
	})
	if sum := p.Summary; p.State != "ready" || sum.Rows != rows || sum.Planned != len(s.skus) || sum.Refused != rows-len(s.skus) {
		t.Fatalf("the plan is %s: %+v", p.State, sum)
	}
	if made, handedOn := r.planRuns(t, p.ID); made != 1 || handedOn < rows/1_000-1 {
		t.Errorf("%d runs made the plan and %d handed it on, want several", made, handedOn)
	}
	s.isObserved(t, s.apply(t, p.planDoc).ID, at)
}

// among is a file of n rows that has the seller's offers spread over it; nobody
// has the others.
func (s *seller) among(n int, to string) string {
	var b strings.Builder
	b.WriteString("sku,marketplace,price,currency\n")
	every := n / len(s.skus)
	for i := range n {
		sku := fmt.Sprintf("NOBODYS-%05d", i)
		if i%every == every-1 && i/every < len(s.skus) {
			sku = string(s.skus[i/every])
		}
		fmt.Fprintf(&b, "%s,DE,%s,EUR\n", sku, to)
	}
	return b.String()
}

// post sends content with the form of an upload.
func post(t *testing.T, url string, fields map[string]string, content string) (int, []byte) {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range fields {
		if err := form.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	part, err := form.CreateFormFile("file", "large.csv")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, &body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	return roundTrip(t, req)
}

// shorten gives a function another timeout, in seconds, until the test ends.
func (r *rig) shorten(t *testing.T, function string, timeout int32) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // it is given back when the test has ended
	client, name := lambda.NewFromConfig(r.Config()), aws.String(r.Function(function))
	now, err := client.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: name})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: name, Timeout: &timeout}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := client.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: name, Timeout: now.Timeout}); err != nil {
			t.Error(err)
		}
	})
}

// planRuns counts by the log how many runs of price-plan finished a plan, and how
// many left something for the next.
func (r *rig) planRuns(t *testing.T, plan string) (last, handedOn int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var in struct {
			Msg, Plan string
			Done      bool
		}
		if at := bytes.IndexByte(line, '{'); at < 0 || json.Unmarshal(line[at:], &in) != nil || in.Msg != "plan worked on" || in.Plan != plan {
			continue
		}
		if in.Done {
			last++
		} else {
			handedOn++
		}
	}
	return last, handedOn
}
