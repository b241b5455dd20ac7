package fakeamazon

import (
	"encoding/json"
	"slices"
	"time"

	"pricemanager/internal/price"
	"pricemanager/test/contract"
)

// codeInternal is the issue code of a message that Amazon could not process.
const codeInternal = "4000000"

// feedIssue is an issue of the processing report.
type feedIssue struct {
	Message   int       `json:"messageId,omitempty"`
	SKU       price.SKU `json:"sku,omitempty"`
	Code      string    `json:"code,omitempty"`
	Severity  string    `json:"severity"`
	Text      string    `json:"message"`
	Attribute string    `json:"attributeName,omitempty"`
}

// feedReport is the processing report (listings-feed-processing-report-schema-v2).
type feedReport struct {
	Header struct {
		Seller  string      `json:"sellerId"`
		Version string      `json:"version"`
		Feed    string      `json:"feedId"`
		Report  *feedAsksOf `json:"report,omitempty"`
	} `json:"header"`
	Issues  []feedIssue `json:"issues"`
	Summary feedSummary `json:"summary"`
	Items   []item      `json:"items,omitempty"`
}

type feedSummary struct {
	Errors    int          `json:"errors"`
	Warnings  int          `json:"warnings"`
	Processed int          `json:"messagesProcessed"`
	Accepted  int          `json:"messagesAccepted"`
	Invalid   int          `json:"messagesInvalid"`
	Items     *itemSummary `json:"itemSummary,omitempty"`
}

type itemSummary struct {
	Items    int `json:"items"`
	Errors   int `json:"errors"`
	Warnings int `json:"warnings"`
}

// feedContent is the processing report as it is downloaded. It is made when it
// is first looked at; what it says about items is as they are then.
func (f *Fake) feedContent(job *feedJob, now time.Time) []byte {
	if job.content != nil {
		return job.content
	}
	asked := f.uploads[job.Input].parsed().Header.Report
	out := feedReport{Issues: append([]feedIssue{}, job.Issues...)}
	out.Header.Seller, out.Header.Version, out.Header.Feed, out.Header.Report = job.Seller, "2.0", job.ID, asked
	if job.Problem != "" {
		out.Issues = []feedIssue{{Code: codeMalformed, Severity: "ERROR", Text: job.Problem}}
	}
	for _, is := range out.Issues {
		if is.Severity == "ERROR" {
			out.Summary.Errors++
		}
	}
	out.Summary.Accepted, out.Summary.Invalid = len(job.Accepted), job.Invalid
	out.Summary.Processed = len(job.Accepted) + job.Invalid
	if asked != nil && job.Problem == "" {
		out.items(f, job, asked.IncludedData, now)
	}
	text, err := json.Marshal(out)
	if err != nil {
		panic(err) // the fake's own types
	}
	if err := f.spec.CheckDocument(contract.DocumentFeedReport, text); err != nil {
		f.log.violate(&Request{Seq: job.seq, Op: opMessage, Seller: job.Seller}, now, "fake", "%v", err)
	}
	text = f.unaskedLocked(text)
	if !f.cfg.Feeds.Plain {
		text = zipped(text)
	}
	job.content = text
	return text
}

// items adds the listings that the feed changed. One that does not exist has
// none, though its message was accepted.
func (r *feedReport) items(f *Fake, job *feedJob, parts []string, now time.Time) {
	r.Summary.Items = &itemSummary{}
	for _, sku := range slices.Compact(slices.Sorted(slices.Values(job.Accepted))) {
		shown, ok := f.view(selection{job.key(), job.Marketplaces, parts}, sku, now)
		if !ok {
			continue
		}
		r.Items = append(r.Items, shown)
		r.Summary.Items.Items++
		if shown.Issues != nil {
			r.Summary.Items.Errors += len(*shown.Issues) // the fake knows no milder ones
		}
	}
}
