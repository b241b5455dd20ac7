package plan

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Attributes of a plan item.
const (
	aHeader, aToken, aState, aExpires = "header", "token", "state", "expires"
	aBatch, aKey, aApplied, aTTL      = "batch", "key", "applied", "ttl"
)

// kept is how long a plan that was never applied stays readable after it has
// expired. An applied plan stays.
const kept = 7 * 24 * time.Hour

// State is where a stored plan is in its life.
type State string

// The states. Expired is not stored: it is reading, ready or blocked at a later
// time.
const (
	Reading State = "reading" // is being made of an upload; there is no token yet
	Failed  State = "failed"  // could not be made; Stored.Problem says why
	Ready   State = "ready"   // can be applied with its token
	Blocked State = "blocked" // cannot be applied; Header.Blocked says why
	Applied State = "applied" // became a batch
	Expired State = "expired" // too old to be applied
)

// Stored is a plan as it is stored, without its rows.
type Stored struct {
	Header
	Token string
	State State
	Batch string // the batch that it became, when applied
	// Progress is how far it is, of one that is being made, and Problem why there
	// is none, of one that failed. Neither has rows, and of the header only what
	// is known beforehand.
	Progress *Progress
	Problem  *Problem
	// Approved is who approved it, nil while nobody did.
	Approved *Approval
}

// Store keeps plans: the header in the offers table, the rows in the files
// bucket.
type Store struct {
	DB    store.DB
	Blobs store.Blobs
	Clock clock.Clock
	// GuardsHash names a tenant's guards as they are now. Only Claim needs it.
	GuardsHash func(context.Context, tenant.ID) (string, error)
	// Offers are what Claim compares small plans with; nil compares none.
	Offers Lookup
	// MostMarked and MostMarkedBytes are how many rows and bytes a file that Marked
	// gives back has at most, 0 for the package's own figures.
	MostMarked      int64
	MostMarkedBytes int
}

// plansPK groups all plans of a tenant: they are few, and listed together.
const plansPK = "plans"

func itemKey(id string) store.Key { return store.Key{PK: plansPK, SK: id} }

// Create makes a plan and stores it. Memory does not grow with the rows: files
// are written as they fill up.
//
// Crash points: rows come first, all of them, and the item last, so that a plan
// which can be read is whole. Files that were left without an item expire with the bucket;
// the caller repeats under a new id.
func (s *Store) Create(ctx context.Context, in Input, offers Lookup) (Stored, error) {
	files := s.puts(ctx, in.Tenant)
	h, token, err := build(ctx, in, offers, files.put)
	if err := cmp.Or(err, files.wait()); err != nil {
		return Stored{}, err
	}
	if err := s.keepContent(ctx, in); err != nil {
		return Stored{}, err
	}
	set, err := attrs(h, token)
	if err != nil {
		return Stored{}, err
	}
	if err := s.DB.Put(ctx, in.Tenant, store.Offers, store.Item{Key: itemKey(h.ID), Attrs: set}, store.Absent()); err != nil {
		return Stored{}, fmt.Errorf("plan: write plan: %w", err)
	}
	return Stored{Header: h, Token: token, State: stateOf(h)}, nil
}

// attrs are those of the item of a plan that was made.
func attrs(h Header, token string) (map[string]any, error) {
	header, _, err := seal(h)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		aHeader: header, aToken: token, aState: string(stateOf(h)), aExpires: store.Millis(h.Expires),
		aTTL: h.Expires.Add(kept).Unix(),
	}, nil
}

func stateOf(h Header) State {
	if h.Blocked != "" {
		return Blocked
	}
	return Ready
}

func notFound() error {
	return fault.New(fault.NotFound, "plan-not-found", "There is no such plan.").Because(store.ErrNotFound)
}

// Load returns a plan without its rows. A missing plan, and one of another
// tenant, is a fault of kind NotFound.
func (s *Store) Load(ctx context.Context, t tenant.ID, id string) (Stored, error) {
	if !idForm.MatchString(id) {
		return Stored{}, notFound()
	}
	it, err := s.DB.Get(ctx, t, store.Offers, itemKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return Stored{}, notFound()
	}
	if err != nil {
		return Stored{}, fmt.Errorf("plan: read plan: %w", err)
	}
	return s.open(it)
}

// List returns a page of the tenant's plans without their rows, in order of id,
// at most limit. after is the id to continue after, next is "" at the end.
func (s *Store) List(ctx context.Context, t tenant.ID, after string, limit int) (list []Stored, next string, err error) {
	page, err := s.DB.Query(ctx, t, store.Offers, store.Query{PK: plansPK, After: after, Limit: limit})
	if err != nil {
		return nil, "", fmt.Errorf("plan: list plans: %w", err)
	}
	for _, it := range page.Items {
		p, err := s.open(it)
		if err != nil {
			return nil, "", err
		}
		list = append(list, p)
	}
	return list, page.Next, nil
}

// open reads an item and checks that its header is the one its token stands for.
func (s *Store) open(it store.Item) (Stored, error) {
	out := Stored{Token: it.Str(aToken), State: State(it.Str(aState)), Batch: it.Str(aBatch)}
	if out.State == Reading || out.State == Failed {
		return s.openUnmade(it, out)
	}
	if tokenOf(it.Bytes(aHeader)) != out.Token {
		return Stored{}, fmt.Errorf("plan: header of %s was altered", it.SK)
	}
	if err := json.Unmarshal(it.Bytes(aHeader), &out.Header); err != nil {
		return Stored{}, fmt.Errorf("plan: header of %s: %w", it.SK, err)
	}
	if by := it.Str(aApprovedBy); by != "" {
		out.Approved = &Approval{By: by, At: it.Time(aApprovedAt)}
	}
	if out.State != Applied && !s.Clock.Now().Before(out.Expires) {
		out.State = Expired
	}
	return out, nil
}

// openUnmade reads the item of a plan that is being made or could not be.
func (s *Store) openUnmade(it store.Item, out Stored) (Stored, error) {
	if err := json.Unmarshal(it.Bytes(aOutline), &out.Header); err != nil {
		return Stored{}, fmt.Errorf("plan: outline of %s: %w", it.SK, err)
	}
	if out.State == Reading {
		out.Progress = &Progress{RowsRead: it.Int(aRead), RowsPlanned: it.Int(aPlanned), Rows: it.Int(aRows)}
		if !s.Clock.Now().Before(out.Expires) {
			out.State = Expired
		}
		return out, nil
	}
	out.Problem = &Problem{}
	if err := json.Unmarshal(it.Bytes(aProblem), out.Problem); err != nil {
		return Stored{}, fmt.Errorf("plan: problem of %s: %w", it.SK, err)
	}
	return out, nil
}

// made refuses to go on with a plan that has no rows and no token.
func (p Stored) made() error {
	switch {
	case p.Progress != nil:
		return fault.New(fault.Conflict, "plan-not-ready", "The plan is still being made: %d of %d rows so far. Ask for it until its state is %s.", p.Progress.RowsRead, p.Progress.Rows, Ready)
	case p.Problem != nil:
		return fault.New(fault.Conflict, "plan-failed", "No plan could be made of the file: %s", p.Problem.Detail)
	}
	return nil
}

// read returns a file of the plan whose hash the header knows.
func (s *Store) read(ctx context.Context, t tenant.ID, name, hash string) ([]byte, error) {
	body, err := s.Blobs.Get(ctx, t, store.Files, name)
	if err != nil {
		return nil, fmt.Errorf("plan: read %s: %w", name, err)
	}
	if digest(body) != hash {
		return nil, fmt.Errorf("plan: %s was altered", name)
	}
	return body, nil
}

// pageSegments is how many row files one page looks through at most.
const pageSegments = 20

// Page is a part of a plan's rows. Next is the cursor of the rest, "" at the
// end; a page that looked for a rare verdict may be empty and still have one.
type Page struct {
	Rows []Row
	Next string
}

// Rows returns up to limit rows after the cursor ("" begins), only those with
// the verdict unless that is "".
func (s *Store) Rows(ctx context.Context, t tenant.ID, id, after string, limit int, verdict price.Verdict) (Page, error) {
	p, err := s.Load(ctx, t, id)
	if err != nil {
		return Page{}, err
	}
	if err := p.made(); err != nil {
		return Page{}, err
	}
	from := int64(0)
	if after != "" {
		if from, err = strconv.ParseInt(after, 10, 64); err != nil || from < 0 {
			return Page{}, fault.New(fault.Invalid, "cursor", "The cursor %q is not one that we gave out.", after)
		}
	}
	out := Page{Rows: []Row{}}
	first := int(min(from/segmentRows, int64(len(p.Segments))))
	for i := first; i < len(p.Segments); i++ {
		if i-first == pageSegments {
			out.Next = strconv.Itoa(i * segmentRows)
			return out, nil
		}
		body, err := s.read(ctx, t, segmentName(id, i), p.Segments[i])
		if err != nil {
			return Page{}, err
		}
		rows, err := decode[Row](body)
		if err != nil {
			return Page{}, err
		}
		for _, r := range rows {
			if r.N <= from || verdict != "" && r.Verdict != verdict {
				continue
			}
			if len(out.Rows) == limit {
				out.Next = strconv.FormatInt(out.Rows[limit-1].N, 10)
				return out, nil
			}
			out.Rows = append(out.Rows, r)
		}
	}
	return out, nil
}

// LaneRows returns the planned rows of one connection from index from (not
// Row.N: the position among the connection's rows, from 0), at most limit;
// fewer than limit means the end.
func (s *Store) LaneRows(ctx context.Context, t tenant.ID, id string, c price.ConnectionID, from int64, limit int) ([]LaneRow, error) {
	p, err := s.Load(ctx, t, id)
	if err != nil {
		return nil, err
	}
	var out []LaneRow
	for _, lane := range p.Lanes {
		if lane.Connection != c {
			continue
		}
		for i := max(from, 0) / chunkRows; i < int64(len(lane.Chunks)) && len(out) < limit; i++ {
			body, err := s.read(ctx, t, laneName(id, c, int(i)), lane.Chunks[i])
			if err != nil {
				return nil, err
			}
			rows, err := decode[LaneRow](body)
			if err != nil {
				return nil, err
			}
			rows = rows[min(max(from-i*chunkRows, 0), int64(len(rows))):]
			out = append(out, rows[:min(len(rows), limit-len(out))]...)
		}
	}
	return out, nil
}

// isPlan reports whether the item is a plan, and its id.
func isPlan(k store.Key) (id string, ok bool) { return k.SK, k.PK == plansPK }
