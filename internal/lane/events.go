package lane

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
)

// Events are the ledger events that a change of an item of this room means:
// exactly one per change and transition, because each transition is exactly one
// write of one item.
func Events(r store.Record) []ledger.Event {
	if r.Table != store.Offers || r.New == nil {
		return nil
	}
	switch {
	case strings.HasPrefix(r.Key.PK, "offer#"):
		return offerEvents(r)
	case r.Key.PK == batchesPK:
		return batchEvents(r)
	case strings.HasPrefix(r.Key.PK, "lane#") && strings.HasPrefix(r.Key.SK, workPrefix):
		return sentEvents(r)
	case r.Key.PK == stopPK:
		return stopEvents(r)
	case strings.HasPrefix(r.Key.PK, "lane#") && r.Key.SK == "lane":
		return laneEvents(r)
	}
	return nil
}

const system = "system:price-sync"

var stateEvents = map[State]ledger.Type{
	Accepted: ledger.ChangeAccepted, Observed: ledger.ChangeObserved, Rejected: ledger.ChangeRejected,
	Unknown: ledger.ChangeUnknown, Unconfirmed: ledger.ChangeUnconfirmed, Held: ledger.ChangeHeld,
}

func offerEvents(r store.Record) []ledger.Event {
	var old record
	if r.Old != nil {
		old = mustOffer(*r.Old)
	}
	now := mustOffer(*r.New)
	var out []ledger.Event
	add := func(t ledger.Type, c *Change, before, after any) {
		out = append(out, ledger.Event{
			Type: t, At: r.At, Actor: system, Target: "offer:" + now.Key.String(), Batch: c.Batch,
			Before: raw(before), After: raw(after), Source: string(store.Offers),
		})
	}
	// What was under way and is no longer there was superseded.
	for _, c := range []*Change{old.change, old.staged} {
		if c == nil || c.State.Terminal() {
			continue
		}
		if still, _ := now.wants(c.Batch, c.Row); still == nil {
			add(ledger.ChangeSuperseded, c, nil, stateDoc{Row: c.Row, By: successor(now)})
		}
	}
	if c := now.change; c != nil {
		was := Desired
		if old.change != nil && old.change.Batch == c.Batch && old.change.Row == c.Row {
			was = old.change.State
		}
		if t, ok := stateEvents[c.State]; ok && c.State != was {
			doc := stateDoc{Row: c.Row, Submission: c.Submission, Issue: c.Issue}
			var before any
			switch c.State {
			case Observed:
				before, doc.Prices = only(c.Edit, c.Old), only(c.Edit, now.Known)
				doc.Visible = r.New.Int(aReadBy)
			case Accepted, Rejected, Unknown, Unconfirmed, Held:
				before, doc.Prices = only(c.Edit, c.Old), only(c.Edit, c.Edit.Apply(c.Old))
			case Desired, Sent, Superseded:
			}
			add(t, c, before, doc)
		}
	}
	if c := now.staged; c != nil && (old.staged == nil || old.staged.Batch != c.Batch || old.staged.Row != c.Row) {
		add(ledger.ChangeDesired, c, only(c.Edit, now.Known), stateDoc{Row: c.Row, Prices: only(c.Edit, c.Edit.Apply(now.Known))})
	}
	differ := fieldsThatDiffer(old.Known, now.Known)
	if c := now.change; c != nil && c.State == Observed && (old.change == nil || old.change.State != Observed || old.change.Batch != c.Batch) {
		// That was said above, of the fields that the change touched. The same read may
		// show others anew: what a change brought that this one took over from, or
		// what somebody else did.
		differ = slices.DeleteFunc(differ, func(f price.Field) bool { return slices.Contains(c.Edit.Touched(), f) })
	} else if old.ReadAt.IsZero() {
		differ = price.Fields() // read for the first time, whatever it shows
	}
	if !now.ReadAt.IsZero() && len(differ) > 0 {
		typ := ledger.OfferImported
		if r.Old != nil && r.New.Int(aDriftAt) != r.Old.Int(aDriftAt) {
			typ = ledger.OfferDrifted // changed at Amazon by somebody else
		}
		add(typ, &Change{}, old.Known, now.Known)
	}
	return out
}

// stateDoc is what an event says about a change.
type stateDoc struct {
	Row        int64         `json:"row"`
	Prices     *price.Prices `json:"prices,omitempty"`
	Submission string        `json:"submission,omitempty"`
	Issue      string        `json:"issue,omitempty"`
	By         string        `json:"by,omitempty"`        // the batch that superseded it
	Attempt    int           `json:"attempt,omitempty"`   // 1 is the first send
	NotAfter   *time.Time    `json:"not_after,omitempty"` // the request is over by then
	Visible    int64         `json:"visible_ms,omitempty"`
}

func successor(r record) string {
	switch {
	case r.staged != nil:
		return r.staged.Batch
	case r.change != nil:
		return r.change.Batch
	}
	return ""
}

// only returns the prices of the fields that the edit touches.
func only(e price.Edit, p price.Prices) *price.Prices {
	var out price.Edit
	for _, f := range e.Touched() {
		out.Set.CopyField(f, p)
	}
	return &out.Set
}

func raw(v any) json.RawMessage {
	if v == nil {
		return nil
	}
	return mustJSON(v)
}

// sentEvents are the intents that are new in a journal. One that is only given
// more time, because its row did not get its turn, is not new.
func sentEvents(r store.Record) []ledger.Event {
	type id struct {
		row     int64
		attempt int
	}
	seen := map[id]bool{}
	if r.Old != nil {
		if old, err := decodeJournal(*r.Old); err == nil {
			for _, i := range old.Intents {
				seen[id{i.Row, i.Attempt}] = true
			}
		}
	}
	j, err := decodeJournal(*r.New)
	if err != nil {
		return nil
	}
	conn := price.ConnectionID(strings.TrimPrefix(r.Key.PK, "lane#"))
	var out []ledger.Event
	for _, i := range j.Intents {
		if seen[id{i.Row, i.Attempt}] {
			continue
		}
		until := i.notAfter()
		key := price.OfferKey{Connection: conn, Marketplace: i.Marketplace, SKU: i.SKU}
		out = append(out, ledger.Event{
			Type: ledger.ChangeSent, At: r.At, Actor: system, Target: "offer:" + key.String(), Batch: j.Batch,
			After: raw(stateDoc{Row: i.N, Attempt: i.Attempt, NotAfter: &until}), Source: string(store.Offers),
		})
	}
	return append(out, feedEvents(r, j, conn)...)
}

var batchTypes = map[BatchState]ledger.Type{
	Scheduled: ledger.BatchScheduled, Staging: ledger.BatchCreated, Sending: ledger.BatchActivated, Refused: ledger.BatchRefused, Done: ledger.BatchCompleted,
}

func batchEvents(r store.Record) []ledger.Event {
	now, err := decodeBatch(*r.New)
	if err != nil {
		return nil
	}
	if r.Old != nil && r.Old.Str(aBatchState) == string(now.State) {
		return revertEvents(r, now)
	}
	actor := system
	if now.State == Scheduled || now.State == Staging && now.At.IsZero() {
		actor = now.Actor
	}
	after := map[string]any{"plan": now.Plan, "rows": now.Rows, "moved": now.Moved, "reason": now.Reason}
	if now.Revert != nil && r.Old == nil {
		after["revert_at"] = now.Revert.At.UTC()
	}
	if now.Reverts != "" {
		after["reverts"] = now.Reverts
	}
	return []ledger.Event{{
		Type: batchTypes[now.State], At: r.At, Actor: actor, Target: "batch:" + now.ID, Batch: now.ID,
		After:  raw(after),
		Source: string(store.Offers),
	}}
}

func laneEvents(r store.Record) []ledger.Event {
	var was string
	var suspected bool
	if r.Old != nil {
		was, suspected = r.Old.Str(aParked), r.Old.Int(aForeign) != 0
	}
	var out []ledger.Event
	add := func(t ledger.Type, after any) {
		out = append(out, ledger.Event{Type: t, At: r.At, Actor: system, Target: "lane:" + strings.TrimPrefix(r.Key.PK, "lane#"),
			After: raw(after), Source: string(store.Offers)})
	}
	switch is := r.New.Str(aParked); {
	case was == is:
	case is == "":
		add(ledger.LaneResumed, nil)
	default:
		add(ledger.LaneParked, map[string]string{"reason": is})
	}
	switch since := r.New.Int(aForeign); {
	case suspected == (since != 0):
	case suspected:
		add(ledger.QuotaCleared, nil)
	default:
		add(ledger.QuotaSuspected, map[string]any{"operation": "patchListingsItem", "since": time.UnixMilli(since).UTC()})
	}
	return out
}
