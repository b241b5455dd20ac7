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

// reportAtOnce is how many offers are looked up at a time for a page (DynamoDB,
// BatchGetItem: at most 100 keys).
const reportAtOnce = 100

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
	if _, err := s.db.Get(ctx, t, store.Offers, batchKey(id)); err != nil {
		return nil, "", err
	}
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
		rows, place, err = s.reportChunk(ctx, t, id, name, place, limit, state)
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

// reportChunk reports the rows of one row file from a place on. It returns where
// to go on, 0 at the end of the file.
func (s *Batches) reportChunk(ctx context.Context, t tenant.ID, id, name string, place, limit int, state State) (out []RowReport, next int, err error) {
	body, err := s.blobs.Get(ctx, t, store.Files, name)
	if err != nil {
		return nil, 0, err
	}
	rows, err := decodeRows(body)
	if err != nil {
		return nil, 0, err
	}
	for place < len(rows) {
		part := rows[place:min(place+reportAtOnce, len(rows))]
		found, err := s.reportRows(ctx, t, id, name, part)
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

func (s *Batches) reportRows(ctx context.Context, t tenant.ID, id, name string, rows []Row) ([]RowReport, error) {
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
	recs, err := NewOffers(s.db).records(ctx, t, keys)
	if err != nil {
		return nil, err
	}
	for i, r := range rows {
		out[i] = RowReport{Row: r, Connection: conn, State: Superseded, chunk: chunk}
		if c, _ := recs[keys[i]].wants(id, r.N); c != nil {
			out[i].State, out[i].At, out[i].Submission, out[i].Issue = c.State, c.At, c.Submission, c.Issue
		}
	}
	return out, nil
}

const movedIssue = "the offer changed after the plan was made; make a new plan to see the difference"
