package spapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"pricemanager/internal/amazon"
)

// maxFeedIssues bounds what is kept of a report: twenty issues for each message.
const maxFeedIssues = 20 * amazon.MaxFeedMessages

// feedIssue is one issue of a processing report. MessageID is 0 when it is about
// the feed as a whole.
type feedIssue struct {
	MessageID int    `json:"messageId"`
	SKU       string `json:"sku"`
	Code      string `json:"code"`
	Severity  string `json:"severity"`
	Message   string `json:"message"`
	Attribute string `json:"attributeName"`
}

// feedReport is what a processing report says (listings feed processing report
// schema, version 2.0).
type feedReport struct {
	header struct {
		Seller string `json:"sellerId"`
		Feed   string `json:"feedId"`
	}
	summary struct {
		Processed int `json:"messagesProcessed"`
		Accepted  int `json:"messagesAccepted"`
		Invalid   int `json:"messagesInvalid"`
	}
	hasSummary bool
	issues     map[int][]amazon.Issue // by message id; 0 is the feed
	failed     map[int]bool           // messages with an issue of severity ERROR
}

const severityError = "ERROR"

// Result reads a processing report as a stream and tells the outcome of each
// patch. The report names only the messages with issues. That it names none for
// a message means "accepted" only if its summary accounts for all messages: else
// those without an error are Unsaid.
func (f Feeds) Result(ctx context.Context, a amazon.Account, r amazon.FeedReport, each func(amazon.FeedOutcome) error) error {
	content, err := f.c.download(ctx, a, opFeedDocument, r.Document)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }() // only read
	report, err := readFeedReport(content)
	if err == nil && (report.header.Seller != a.Seller || report.header.Feed != r.Feed) {
		err = fmt.Errorf("report is about feed %q of seller %q", report.header.Feed, report.header.Seller)
	}
	if err != nil {
		return storageError(opFeedDocument, amazon.Call{}, err)
	}
	rest := amazon.Unsaid
	if report.accountsFor(r.Messages) {
		rest = amazon.Accepted
	}
	for i := range r.Messages {
		out := amazon.FeedOutcome{Index: i, Status: rest, Issues: report.issues[i+1]}
		if report.failed[i+1] {
			out.Status = amazon.Invalid
		}
		if err := each(out); err != nil {
			return err
		}
	}
	return nil
}

// accountsFor reports whether the summary fits the number of messages and the
// errors listed.
func (r *feedReport) accountsFor(messages int) bool {
	for id := range r.failed {
		if id < 1 || id > messages { // of the feed as a whole, or of another one
			return false
		}
	}
	s := r.summary
	return r.hasSummary && s.Processed == messages && s.Invalid == len(r.failed) && s.Accepted == messages-s.Invalid
}

// readFeedReport reads a whole report: one that is cut is an error. Parts that
// nobody asked for, such as items, are skipped without being kept.
func readFeedReport(content io.Reader) (*feedReport, error) {
	report := &feedReport{issues: map[int][]amazon.Issue{}, failed: map[int]bool{}}
	err := report.read(json.NewDecoder(content))
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("processing report: %w", err)
	}
	return report, nil
}

func (r *feedReport) read(d *json.Decoder) error {
	if err := expect(d, json.Delim('{')); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		switch name {
		case "header":
			err = d.Decode(&r.header)
		case "summary":
			r.hasSummary = true
			err = d.Decode(&r.summary)
		case "issues":
			err = r.readIssues(d)
		default:
			err = skip(d)
		}
		if err != nil {
			return err
		}
	}
	if err := expect(d, json.Delim('}')); err != nil {
		return err
	}
	// Read to the end: only there does a compressed document prove to be whole.
	switch _, err := d.Token(); {
	case err == nil:
		return errors.New("something follows the report")
	case !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return err
	}
	return nil
}

func (r *feedReport) readIssues(d *json.Decoder) error {
	if err := expect(d, json.Delim('[')); err != nil {
		return err
	}
	for n := 0; d.More(); n++ {
		if n == maxFeedIssues {
			return errTooLarge
		}
		var is feedIssue
		if err := d.Decode(&is); err != nil {
			return err
		}
		kept := amazon.Issue{Code: is.Code, Message: is.Message, Severity: is.Severity}
		if is.Attribute != "" {
			kept.Attributes = []string{is.Attribute}
		}
		r.issues[is.MessageID] = append(r.issues[is.MessageID], kept)
		if is.Severity == severityError {
			r.failed[is.MessageID] = true
		}
	}
	return expect(d, json.Delim(']'))
}

func expect(d *json.Decoder, want json.Delim) error {
	got, err := d.Token()
	if err == nil && got != want {
		err = fmt.Errorf("found %v where %v belongs", got, want)
	}
	return err
}

// skip passes over one value.
func skip(d *json.Decoder) error {
	for depth := 0; ; {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}
