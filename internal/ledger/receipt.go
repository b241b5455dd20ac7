package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"pricemanager/internal/fault"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

const receiptFormat = "pricemanager-receipt-1"

// Receipt is what a seller keeps of a batch: its events with their salts, and
// with what proves that each of them is in the ledger that the checkpoint signs.
// It proves what it shows. That nothing is left out only the export proves.
type Receipt struct {
	Format     string         `json:"format"`
	Tenant     string         `json:"tenant"`
	Batch      string         `json:"batch"`
	Key        string         `json:"key"`
	Checkpoint string         `json:"checkpoint"`
	Events     []ReceiptEvent `json:"events"`
	Next       string         `json:"next,omitempty"` // the rest of the receipt begins here; "" is all
}

// ReceiptEvent is one event of a receipt. Event holds the bytes that the leaf
// commits to.
type ReceiptEvent struct {
	Index int64            `json:"index"`
	Salt  []byte           `json:"salt"`
	Leaf  tlog.Hash        `json:"leaf"`
	Proof tlog.RecordProof `json:"proof"`
	Event json.RawMessage  `json:"event"`
}

// One page of a receipt is an answer of a function: within its 6 MB, and its time.
const (
	receiptEvents  = 500
	receiptBytes   = 3 << 20 // of events
	receiptScanned = 50_000  // leaves looked at
)

// late is how long after a change its event may be written: streams keep
// records for a day.
const late = 25 * time.Hour

// Receipt makes a page of the receipt of a batch that was under way between two
// times; to is zero for one that still is. after is Next of the page before.
func (l *Log) Receipt(ctx context.Context, t tenant.ID, batch string, from, to time.Time, after string) (Receipt, error) {
	head, err := l.Head(ctx, t)
	if err != nil {
		return Receipt{}, err
	}
	first, end, err := l.between(ctx, t, head, from, to)
	if err != nil {
		return Receipt{}, err
	}
	if after != "" {
		n, err := strconv.ParseInt(after, 10, 64)
		if err != nil || n < first || n > end {
			return Receipt{}, fault.New(fault.Invalid, "after", "after is %q, which is not the next of a page of this receipt: begin without it.", after)
		}
		first = n
	}
	r := Receipt{Format: receiptFormat, Tenant: string(t), Batch: batch, Events: []ReceiptEvent{}}
	if r.Checkpoint, r.Key, err = l.sign(ctx, t, head); err != nil {
		return Receipt{}, err
	}
	size := 0
	if first < end {
		err = l.walk(ctx, t, first, func(leaf Leaf) error {
			if leaf.Index >= end {
				return errStop
			}
			if len(r.Events) == receiptEvents || size > receiptBytes || leaf.Index-first == receiptScanned {
				r.Next = strconv.FormatInt(leaf.Index, 10)
				return errStop
			}
			if batchOf(leaf.Event) == batch {
				size += len(leaf.Event)
				r.Events = append(r.Events, ReceiptEvent{Index: leaf.Index, Salt: leaf.Salt, Leaf: leaf.Hash, Event: bytes.Clone(leaf.Event)})
			}
			return nil
		})
	}
	if err != nil {
		return Receipt{}, fmt.Errorf("ledger: receipt of %s of %s: %w", batch, t, err)
	}
	tree := l.hashes(ctx, t)
	for i := range r.Events {
		if r.Events[i].Proof, err = tlog.ProveRecord(head.Size, r.Events[i].Index, tree); err != nil {
			return Receipt{}, fmt.Errorf("ledger: receipt of %s of %s: %w", batch, t, err)
		}
		if r.Events[i].Proof == nil {
			r.Events[i].Proof = tlog.RecordProof{} // a list, also when a single leaf needs none
		}
	}
	return r, nil
}

func batchOf(event []byte) string {
	if !bytes.Contains(event, []byte(`"batch":`)) {
		return ""
	}
	var e struct {
		Batch string `json:"batch"`
	}
	if json.Unmarshal(event, &e) != nil {
		return ""
	}
	return e.Batch
}

// between returns the leaves that were appended between two times, with room for
// clocks that differ and for records that came late.
func (l *Log) between(ctx context.Context, t tenant.ID, head Head, from, to time.Time) (first, end int64, err error) {
	end = head.Size
	if first, err = l.appendedFrom(ctx, t, head.Size, from.Add(-skew)); err != nil || to.IsZero() {
		return first, end, err
	}
	end, err = l.appendedFrom(ctx, t, head.Size, to.Add(late))
	return first, end, err
}

// appendedFrom returns the first leaf that was appended at a time or later: size
// when there is none.
func (l *Log) appendedFrom(ctx context.Context, t tenant.ID, size int64, at time.Time) (int64, error) {
	lo, hi := int64(0), size // every leaf before lo is older, none from hi on
	for lo < hi {
		mid := lo + (hi-lo)/2
		page, err := l.db.Query(ctx, t, store.Ledger, store.Query{PK: logPK, Reverse: true, After: itemKey(mid + 1).SK, Limit: 1})
		if err != nil {
			return 0, fmt.Errorf("ledger: append with leaf %d of %s: %w", mid, t, err)
		}
		if len(page.Items) == 0 {
			return 0, fmt.Errorf("ledger: leaf %d of %s is missing", mid, t)
		}
		seg, err := parseSegment(page.Items[0])
		if err != nil {
			return 0, err
		}
		if seg.at.Before(at) {
			lo = max(seg.after.size, mid+1)
		} else {
			hi = seg.first
		}
	}
	return min(lo, size), nil
}

// ReceiptReport is what VerifyReceipt found out.
type ReceiptReport struct {
	Batch      string
	Events     int
	Whole      bool // there are no further pages
	Checkpoint Checkpoint
	KeyGiven   bool
}

// VerifyReceipt checks a receipt from its bytes alone, with the key that the
// reader trusts, or, when that is "", with its own. The error is a *Problem that
// names the first bad event.
func VerifyReceipt(b []byte, key string) (ReceiptReport, error) {
	bad := func(format string, args ...any) (ReceiptReport, error) {
		return ReceiptReport{}, &Problem{Index: -1, Reason: fmt.Sprintf(format, args...)}
	}
	var r Receipt
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return bad("not a receipt: %v", err)
	}
	if d.More() {
		return bad("something follows the receipt")
	}
	if r.Format != receiptFormat {
		return bad("the format is %q, want %q", r.Format, receiptFormat)
	}
	keys := r.Key
	if key != "" {
		if ok, err := trusts(key, r.Key); err != nil {
			return ReceiptReport{}, err
		} else if !ok {
			return bad("the receipt names another key than the one you trust")
		}
		keys = key
	}
	c, err := OpenCheckpoint(r.Checkpoint, keys)
	if err != nil {
		return bad("%v", err)
	}
	if string(c.Tenant) != r.Tenant {
		return bad("the receipt is of %q, its checkpoint of %s", r.Tenant, c.Tenant)
	}
	before := int64(-1)
	for _, e := range r.Events {
		if err := e.check(r.Batch, c, before); err != nil {
			return ReceiptReport{}, &Problem{Index: max(e.Index, 0), Reason: err.Error()}
		}
		before = e.Index
	}
	return ReceiptReport{Batch: r.Batch, Events: len(r.Events), Whole: r.Next == "", Checkpoint: c, KeyGiven: key != ""}, nil
}

func (e ReceiptEvent) check(batch string, c Checkpoint, before int64) error {
	switch {
	case e.Index <= before:
		return errors.New("this event is there twice, or in another order")
	case e.Index >= c.Size:
		return fmt.Errorf("the checkpoint covers only %d events", c.Size)
	case len(e.Salt) != saltSize || leafHash(e.Salt, e.Event) != e.Leaf:
		return errors.New("event or salt was changed: they do not fit the leaf")
	case batchOf(e.Event) != batch:
		return errors.New("this event is of another batch")
	}
	if err := tlog.CheckRecord(e.Proof, c.Size, c.Root, e.Index, e.Leaf); err != nil {
		return errors.New("the proof does not lead from this event to the signed checkpoint")
	}
	return nil
}
