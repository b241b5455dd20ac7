package lane

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// ReportPage is the most rows a page of a report has: those of one row file.
const ReportPage = rowsPerChunk

// reportAtOnce is the least number of offers looked up at a time for a page
// (DynamoDB, BatchGetItem: at most 100 keys).
const reportAtOnce = 100

// Outcome is how a row ended, or what was last heard of it.
type Outcome struct {
	State      State
	At         time.Time
	Submission string
	Issue      string
}

// Past remembers outcomes: an offer itself only knows its latest change.
type Past interface {
	// Outcomes returns what became of the rows, by their number, of a batch that
	// was created at a time. Rows that nothing is known of are not in the answer.
	Outcomes(ctx context.Context, t tenant.ID, batch string, created time.Time, keys []price.OfferKey) (map[price.OfferKey]map[int64]Outcome, error)
}

// WithPast has reports tell how rows ended whose offer a later batch has changed
// since. Without it, all that is known of those is that they are superseded.
func (s *Batches) WithPast(p Past) *Batches {
	return &Batches{db: s.db, blobs: s.blobs, past: p}
}

// ErrCursor is returned for a cursor that no page gave.
var ErrCursor = errors.New("lane: no such cursor")

// RowReport is what became of one row of a batch.
type RowReport struct {
	Row
	Connection price.ConnectionID
	State      State
	At         time.Time
	Submission string
	Issue      string

	chunk int // the row file that holds it, -1 for one that moved
	place int // and where in it
}

// Report lists what became of the rows of a batch: those in a state, or with ""
// all. A page has at most limit rows, up to ReportPage, and may have fewer, or
// none, where few rows are in that state: no page looks at more than one row
// file. after is the cursor of the page before ("" at the beginning), next is ""
// at the end.
func (s *Batches) Report(ctx context.Context, t tenant.ID, id, after string, limit int, state State) (rows []RowReport, next string, err error) {
	it, err := s.db.Get(ctx, t, store.Offers, batchKey(id))
	if err != nil {
		return nil, "", err
	}
	look := reporter{s, t, id, it.Time(aCreated)}
	names, err := s.blobs.List(ctx, t, store.Files, "batches/"+id+"/")
	if err != nil {
		return nil, "", err
	}
	// A cursor names the row file that is done, or the next place in it.
	done, place := after, 0
	if name, from, ok := strings.Cut(after, ":"); ok {
		if place, err = strconv.Atoi(from); err != nil || place < 0 || !slices.Contains(names, name) {
			return nil, "", fmt.Errorf("%w: %q", ErrCursor, after)
		}
		done = name
	}
	for i, name := range names {
		if name < done || name == done && place == 0 {
			continue
		}
		if name != done {
			place = 0
		}
		rows, place, err = look.chunk(ctx, name, place, limit, state)
		switch {
		case err != nil:
			return nil, "", err
		case place > 0:
			next = name + ":" + strconv.Itoa(place)
		case i+1 < len(names):
			next = name
		}
		return rows, next, nil
	}
	return nil, "", nil
}

// reporter reports rows of one batch.
type reporter struct {
	*Batches
	tenant  tenant.ID
	batch   string
	created time.Time
}

// chunk reports the rows of one row file from a place on. It returns where to go
// on, 0 at the end of the file.
func (s reporter) chunk(ctx context.Context, name string, place, limit int, state State) (out []RowReport, next int, err error) {
	body, err := s.blobs.Get(ctx, s.tenant, store.Files, name)
	if err != nil {
		return nil, 0, err
	}
	rows, err := decodeRows(body)
	if err != nil {
		return nil, 0, err
	}
	// Many rows are looked up in a history at the price of one, so the whole page
	// goes at once; only with a state in mind nobody knows how many that takes.
	size := max(reportAtOnce, limit)
	if state != "" {
		size = len(rows)
	}
	for place < len(rows) {
		part := rows[place:min(place+size, len(rows))]
		found, err := s.rows(ctx, name, part)
		if err != nil {
			return nil, 0, err
		}
		for _, r := range found {
			r.place = place
			place++
			if state != "" && r.State != state {
				continue
			}
			if out = append(out, r); len(out) == limit && place < len(rows) {
				return out, place, nil
			}
		}
	}
	return out, 0, nil
}

func (s reporter) rows(ctx context.Context, name string, rows []Row) ([]RowReport, error) {
	parts := strings.Split(name, "/") // batches/<id>/<connection>/<chunk>
	conn := price.ConnectionID(parts[2])
	out := make([]RowReport, len(rows))
	if strings.HasPrefix(parts[3], "moved-") {
		for i, r := range rows {
			out[i] = RowReport{Row: r, Connection: conn, State: Held, Issue: movedIssue, chunk: -1}
		}
		return out, nil
	}
	chunk, err := strconv.Atoi(strings.TrimSuffix(parts[3], ".jsonl"))
	if err != nil {
		return nil, fmt.Errorf("lane: %q is not a row file", name)
	}
	keys := make([]price.OfferKey, len(rows))
	for i, r := range rows {
		keys[i] = price.OfferKey{Connection: conn, Marketplace: r.Marketplace, SKU: r.SKU}
	}
	recs, err := NewOffers(s.db).records(ctx, s.tenant, keys)
	if err != nil {
		return nil, err
	}
	var overtaken []price.OfferKey
	for i, r := range rows {
		out[i] = RowReport{Row: r, Connection: conn, State: Superseded, chunk: chunk}
		if c, _ := recs[keys[i]].wants(s.batch, r.N); c != nil {
			out[i].State, out[i].At, out[i].Submission, out[i].Issue = c.State, c.At, c.Submission, c.Issue
		} else {
			overtaken = append(overtaken, keys[i])
		}
	}
	if len(overtaken) == 0 || s.past == nil {
		return out, nil
	}
	past, err := s.past.Outcomes(ctx, s.tenant, s.batch, s.created, overtaken)
	if err != nil {
		return nil, err
	}
	for i, r := range rows {
		if o, ok := past[keys[i]][r.N]; ok && o.State.Terminal() {
			out[i].State, out[i].At, out[i].Submission, out[i].Issue = o.State, o.At, o.Submission, o.Issue
		}
	}
	return out, nil
}

const movedIssue = "the offer changed after the plan was made; make a new plan to see the difference"
