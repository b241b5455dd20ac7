package lane

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// BatchState is where a batch is in its life.
type BatchState string

// The batch states.
const (
	Staging BatchState = "staging" // rows are being staged; nothing counts yet
	Sending BatchState = "sending" // committed: lanes send and read back
	Done    BatchState = "done"    // every row is in a terminal state
	Refused BatchState = "refused" // refused before the commit; nothing was sent
)

// Attributes of a batch item.
const (
	aBatchState, aPlan, aFile, aActor, aCreated = "state", "plan", "file", "actor", "created"
	aPolicy, aConns, aRows, aReason, aTrace     = "policy", "conns", "rows", "reason", "trace"
	aStagedTo, aMoved, aFinished                = "stagedto", "moved", "finished"
	aPriority                                   = "priority"
)

// Row is one planned row as it travels from the plan to the lane.
type Row struct {
	N           int64               `json:"n"`    // index within the plan, unique per batch
	Line        int                 `json:"line"` // line in the seller's file
	Marketplace price.MarketplaceID `json:"m"`
	SKU         price.SKU           `json:"sku"`
	Version     int64               `json:"v"` // offer version that the plan saw
	Edit        price.Edit          `json:"edit"`
	Old         price.Prices        `json:"old"`
	Release     []price.Code        `json:"rel,omitempty"` // what a person released the row from
}

// Counts is the number of rows per state.
type Counts map[State]int64

func (c Counts) add(o Counts) {
	for s, n := range o {
		c[s] += n
	}
}

// Total is the number of rows in any state.
func (c Counts) Total() (n int64) {
	for _, v := range c {
		n += v
	}
	return n
}

// Batch is an applied plan.
type Batch struct {
	ID       string
	Plan     string
	File     string
	Actor    string
	State    BatchState
	Created  time.Time
	At       time.Time // when it begins, zero for at once
	Finished time.Time
	// Strict: one moved row refuses the whole batch (all or nothing).
	Strict bool
	// Priority decides which batch of a lane is sent first: PriorityBulk and below.
	Priority int
	Reason   string // why it was refused
	// Rows per connection, as planned.
	Rows map[price.ConnectionID]int64
	// Moved are rows held at staging because their offer had moved.
	Moved  int64
	Counts Counts
	// Routes say by which way each connection's rows go to Amazon, and Feeds which
	// feeds that made, those of a connection in the order of their submission.
	Routes map[price.ConnectionID]Route
	Feeds  []FeedView
	// Staged is how many rows were looked at so far, while it is being staged.
	Staged int64
	// Left is the number of rows not yet sent, per connection.
	Left map[price.ConnectionID]int64
	// Revert says when it is taken back by itself, and what came of that; nil for
	// never. Reverts is the batch that it takes back, "" for none.
	Revert  *Revert
	Reverts string

	stagedTo map[price.ConnectionID]int64 // rows staged so far
	chunks   map[price.ConnectionID][]int64
	trace    string
}

// RowsFor is how long the rows of a batch can be listed, and it can be rolled back,
// from when it began (template.yaml, FilesBucket).
const RowsFor = 30 * 24 * time.Hour

// RowsGone reports whether the rows of a batch that was sent are no longer kept.
func (b *Batch) RowsGone(now time.Time) bool {
	began := b.Created
	if b.At.After(began) {
		began = b.At
	}
	return (b.State == Sending || b.State == Done) && !now.Before(began.Add(RowsFor))
}

// connections lists the batch's connections, in the same order every time.
func (b *Batch) connections() []price.ConnectionID { return slices.Sorted(maps.Keys(b.Rows)) }

// batchesPK groups all batches of a tenant: they are few, and listed together.
const batchesPK = "batches"

func batchKey(id string) store.Key { return store.Key{PK: batchesPK, SK: id} }

func doneAttr(c price.ConnectionID) string   { return "d_" + string(c) }
func stagedAttr(c price.ConnectionID) string { return aStagedTo + "_" + string(c) }

func decodeBatch(it store.Item) (Batch, error) {
	b := Batch{
		ID: it.SK, Plan: it.Str(aPlan), File: it.Str(aFile), Actor: it.Str(aActor),
		State: BatchState(it.Str(aBatchState)), Created: it.Time(aCreated), At: it.Time(aAt), Finished: it.Time(aFinished),
		Strict: it.Bool(aPolicy), Priority: int(it.Int(aPriority)), Reason: it.Str(aReason), Moved: it.Int(aMoved), trace: it.Str(aTrace),
		Counts: Counts{}, Left: map[price.ConnectionID]int64{}, Routes: map[price.ConnectionID]Route{},
		stagedTo: map[price.ConnectionID]int64{}, chunks: map[price.ConnectionID][]int64{},
		Revert: decodeRevert(it), Reverts: it.Str(aReverts),
	}
	if err := unmarshal(it.Bytes(aRows), &b.Rows); err != nil {
		return Batch{}, err
	}
	for c := range b.Rows {
		var st stagedSoFar
		if err := unmarshal(it.Bytes(stagedAttr(c)), &st); err != nil {
			return Batch{}, err
		}
		b.stagedTo[c], b.chunks[c] = st.To, st.Chunks
		if b.State == Staging {
			b.Staged += st.To
		}
	}
	return b, nil
}

// stagedSoFar is the staging cursor of one connection: rows looked at, and how
// many rows each chunk written so far holds.
type stagedSoFar struct {
	To     int64   `json:"to"`
	Chunks []int64 `json:"chunks"`
}

// Batches reads batches.
type Batches struct {
	db    store.DB
	blobs store.Blobs
	past  Past // nil: not told
}

// NewBatches returns the batches kept in db and blobs.
func NewBatches(db store.DB, blobs store.Blobs) *Batches { return &Batches{db: db, blobs: blobs} }

// Get returns a batch with its counts, or store.ErrNotFound. While it is being
// sent the counts are those of the lanes' last journal writes, at most 25 rows
// or a few seconds old.
func (s *Batches) Get(ctx context.Context, t tenant.ID, id string) (Batch, error) {
	it, err := s.db.Get(ctx, t, store.Offers, batchKey(id))
	if err != nil {
		return Batch{}, err
	}
	b, err := decodeBatch(it)
	if err != nil {
		return Batch{}, err
	}
	for c := range b.Rows {
		if done := it.Bytes(doneAttr(c)); done != nil {
			var n Counts
			if err := unmarshal(done, &n); err != nil {
				return Batch{}, err
			}
			b.Counts.add(n)
			var r routed
			if err := unmarshal(it.Bytes(routeAttr(c)), &r); err != nil {
				return Batch{}, err
			}
			b.went(c, r)
			continue
		}
		if b.State != Sending {
			continue
		}
		w, err := s.db.Get(ctx, t, store.Offers, workKey(c, id))
		if errors.Is(err, store.ErrNotFound) {
			continue // finished between the two reads; the next look has it
		}
		if err != nil {
			return Batch{}, err
		}
		j, err := decodeJournal(w)
		if err != nil {
			return Batch{}, err
		}
		b.Counts.add(j.Counts)
		b.went(c, routed{j.Route, j.Feeds})
		b.Left[c] = j.Rows - j.High
	}
	b.Counts[Held] += b.Moved
	if b.State == Staging || b.State == Scheduled {
		for c, n := range b.Rows {
			b.Counts[Desired] += n
			b.Left[c] = n
		}
		b.Counts[Desired] -= b.Moved // they are held
	}
	return b, nil
}

// List returns a page of the tenant's batches, in order of id, at most limit.
// after is the id to continue after, next is "" at the end. Counts are not
// filled in; Get has them.
func (s *Batches) List(ctx context.Context, t tenant.ID, after string, limit int) (list []Batch, next string, err error) {
	page, err := s.db.Query(ctx, t, store.Offers, store.Query{PK: batchesPK, After: after, Limit: limit})
	if err != nil {
		return nil, "", fmt.Errorf("lane: list batches: %w", err)
	}
	for _, it := range page.Items {
		b, err := decodeBatch(it)
		if err != nil {
			return nil, "", err
		}
		list = append(list, b)
	}
	return list, page.Next, nil
}

// rowsPerChunk is how many rows one object of a batch's row files holds.
const rowsPerChunk = 2500

func chunkName(batch string, c price.ConnectionID, chunk int) string {
	return fmt.Sprintf("batches/%s/%s/%05d.jsonl", batch, c, chunk)
}

func movedName(batch string, c price.ConnectionID, from int64) string {
	return fmt.Sprintf("batches/%s/%s/moved-%09d.jsonl", batch, c, from)
}

func encodeRows(rows []Row) []byte {
	var b bytes.Buffer
	for _, r := range rows {
		b.Write(mustJSON(r))
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func decodeRows(b []byte) ([]Row, error) {
	var rows []Row
	sc := bufio.NewScanner(bytes.NewReader(b))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var r Row
		if err := json.Unmarshal(sc.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("lane: row file: %w", err)
		}
		rows = append(rows, r)
	}
	return rows, sc.Err()
}
