package soak

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
)

// watch follows the stream of the offers table, and compares the ledger events
// of each record with what the record shows.
func (w *world) watch() {
	for {
		records := w.stream.Poll(200)
		if len(records) == 0 {
			return
		}
		for _, r := range records {
			w.record(r)
		}
		w.db.Trim(store.Offers, records[len(records)-1].Seq)
	}
}

func (w *world) record(r store.Record) {
	switch r.Key.PK {
	case "stop":
		w.stopRecord(r)
	case "open":
		w.markerRecord(r)
	}
	if r.Tenant == store.Directory {
		return
	}
	events := lane.Events(r)
	if w.audit != nil {
		w.audit.add(r, events)
	}
	w.fences(r)
	switch {
	case strings.HasPrefix(r.Key.PK, "offer#"):
		w.offerRecord(r, events)
	case r.Key.PK == "batches":
		w.batchRecord(r, events)
	case r.Key.SK == "lane":
		w.laneRecord(r)
	case strings.HasPrefix(r.Key.SK, "work#"):
		w.workRecord(r)
		w.journalRecord(r, events)
	}
}

// fences checks that nobody writes with a fence older than one already seen on
// the item, and that no lane is taken from a worker whose lease still runs.
func (w *world) fences(r store.Record) {
	if r.Old == nil || r.New == nil {
		return
	}
	if was, is := r.Old.Int("fence"), r.New.Int("fence"); is < was {
		w.staleWrites++
		w.breach(nil, "%s %s was written with fence %d after %d", r.Key.PK, r.Key.SK, is, was)
	}
	if r.Key.SK == "lane" && r.Old.Str("owner") != r.New.Str("owner") && r.Old.Int("until") > store.Millis(w.s.time().Add(skewMost)) {
		w.staleWrites++
		w.breach(nil, "%s was taken from %s, whose lease still ran", r.Key.PK, r.Old.Str("owner"))
	}
}

// skewMost is more than any clock is off.
const skewMost = 2500 * time.Millisecond

// place is a change as an offer item shows it.
type place struct {
	batch string
	row   int64
}

// held lists the changes of an offer item with their states.
func held(it *store.Item) (staged, current *place, state lane.State) {
	if it == nil {
		return nil, nil, ""
	}
	if b := it.Str("nb"); b != "" {
		staged = &place{b, it.Int("nrow")}
	}
	if b := it.Str("batch"); b != "" {
		current = &place{b, it.Int("row")}
	}
	return staged, current, lane.State(it.Str("st"))
}

var eventOf = map[lane.State]ledger.Type{
	lane.Accepted: ledger.ChangeAccepted, lane.Observed: ledger.ChangeObserved, lane.Rejected: ledger.ChangeRejected,
	lane.Unknown: ledger.ChangeUnknown, lane.Unconfirmed: ledger.ChangeUnconfirmed, lane.Held: ledger.ChangeHeld,
}

type wanted struct {
	typ ledger.Type
	place
}

// offerRecord works out, from the bare attributes, which transitions a write
// made, and compares them with the events that the engine says it means.
func (w *world) offerRecord(r store.Record, events []ledger.Event) {
	o := w.offerOf(r)
	oldStaged, oldCurrent, oldState := held(r.Old)
	staged, current, state := held(r.New)
	is := func(a, b *place) bool { return a != nil && b != nil && *a == *b }
	var want []wanted
	if oldStaged != nil && !is(oldStaged, staged) && !is(oldStaged, current) {
		want = append(want, wanted{ledger.ChangeSuperseded, *oldStaged})
	}
	if oldCurrent != nil && !oldState.Terminal() && !is(oldCurrent, current) {
		want = append(want, wanted{ledger.ChangeSuperseded, *oldCurrent})
	}
	if current != nil && (!is(oldCurrent, current) || oldState != state) {
		if t, ok := eventOf[state]; ok {
			want = append(want, wanted{t, *current})
		}
	}
	if staged != nil && !is(oldStaged, staged) {
		if saw := w.batches[staged.batch].saw(o, staged.row); r.Old.Int("ver") != saw {
			w.staleWrites++
			w.breach(o, "%s row %d was staged on version %d, its plan saw %d", staged.batch, staged.row, r.Old.Int("ver"), saw)
		}
		want = append(want, wanted{ledger.ChangeDesired, *staged})
	}
	for _, e := range events {
		if e.Batch == "" { // of the offer itself: what an import found
			continue
		}
		var doc struct {
			Row int64 `json:"row"`
		}
		_ = json.Unmarshal(e.After, &doc)
		at := slices.Index(want, wanted{e.Type, place{e.Batch, doc.Row}})
		if at < 0 {
			w.duplicateEvents++
			w.breach(o, "event %s of %s row %d was not due", e.Type, e.Batch, doc.Row)
			continue
		}
		want = slices.Delete(want, at, at+1)
		w.happened(o, w.batches[e.Batch], doc.Row, e.Type)
	}
	for _, m := range want {
		w.missingEvents++
		w.breach(o, "event %s of %s row %d is missing", m.typ, m.batch, m.row)
	}
	w.follow(o, r, staged, current, state)
}

func (w *world) offerOf(r store.Record) *offer {
	conn := strings.TrimPrefix(r.Key.PK[:strings.LastIndexByte(r.Key.PK, '#')], "offer#")
	m, sku, _ := strings.Cut(r.Key.SK, "#")
	k := price.OfferKey{Connection: price.ConnectionID(conn), Marketplace: price.MarketplaceID(m), SKU: price.SKU(sku)}
	return w.offers[string(r.Tenant)+"/"+k.String()]
}

// happened counts an event of a change; none comes twice but unknown, which
// each lost answer may bring.
func (w *world) happened(o *offer, b *batch, row int64, t ledger.Type) {
	ch := b.change(o, row)
	ch.events[string(t)]++
	if ch.events[string(t)] > 1 && t != ledger.ChangeUnknown {
		w.duplicateEvents++
		w.breach(o, "event %s of %s row %d came %d times", t, b.id, row, ch.events[string(t)])
	}
	switch t {
	case ledger.ChangeObserved:
		ch.state = lane.Observed
		// A price that Amazon had all along may be observed without an effect.
		if ch.effects == 0 && o.shelf.actual.Our.Minor() != ch.cents {
			w.wrongFinalPrices++
			w.breach(o, "%s row %d was observed, but never took effect: Amazon has %s", b.id, row, o.shelf.actual.Our)
		}
	case ledger.ChangeDesired:
		w.stagedRows++
		o.staged = append(o.staged, ch)
		ch.place, ch.state = len(o.staged), lane.Desired
	case ledger.ChangeSuperseded:
		ch.state = lane.Superseded
	default:
		for s, typ := range eventOf {
			if typ == t {
				ch.state = s
			}
		}
	}
	if o.reserved == ch && ch.state.Terminal() {
		o.reserved = nil
	}
}

// saw is the version of the offer that the plan of a row saw.
func (b *batch) saw(o *offer, row int64) int64 {
	rows := b.planned[o.key.Connection]
	return rows[row-rows[0].N].Version
}

// change finds a row of a batch.
func (b *batch) change(o *offer, row int64) *change {
	rows := b.rows[o.key.Connection] // numbered one after the other
	return rows[row-rows[0].n]
}

// follow keeps what the product knows of an offer and has under way for it.
func (w *world) follow(o *offer, r store.Record, staged, current *place, state lane.State) {
	if r.Old == nil || !bytes.Equal(r.New.Bytes("known"), r.Old.Bytes("known")) {
		var known price.Prices
		if err := json.Unmarshal(r.New.Bytes("known"), &known); err != nil {
			panic(err)
		}
		if last := &o.known[len(o.known)-1]; !known.EqualField(price.FieldOur, last.prices) {
			last.until = w.s.now
			o.known = append(o.known[max(0, len(o.known)-4):], knownAt{prices: known})
		}
	}
	o.current = o.current[:0]
	if current != nil && !state.Terminal() {
		o.current = append(o.current, w.batches[current.batch].change(o, current.row))
	}
	if staged != nil && w.batches[staged.batch].state != lane.Refused {
		o.current = append(o.current, w.batches[staged.batch].change(o, staged.row))
	}
}

var batchEventOf = map[lane.BatchState]ledger.Type{
	lane.Staging: ledger.BatchCreated, lane.Sending: ledger.BatchActivated, lane.Refused: ledger.BatchRefused, lane.Done: ledger.BatchCompleted,
}

func (w *world) batchRecord(r store.Record, events []ledger.Event) {
	b := w.batches[r.Key.SK]
	state := lane.BatchState(r.New.Str("state"))
	due := state != b.state
	if due != (len(events) == 1) || (due && events[0].Type != batchEventOf[state]) {
		w.missingEvents++
		w.breach(nil, "batch %s went from %q to %q with events %v", b.id, b.state, state, events)
	}
	b.state, b.since = state, w.s.now
	for _, e := range events {
		if b.events[string(e.Type)]++; b.events[string(e.Type)] > 1 {
			w.duplicateEvents++
			w.breach(nil, "event %s of batch %s came again", e.Type, b.id)
		}
	}
	if state == lane.Staging {
		return
	}
	for _, rows := range b.rows {
		for _, ch := range rows {
			if ch.offer.reserved == ch && ch.ended() {
				ch.offer.reserved = nil
			}
		}
	}
}

// journalRecord checks that each intent is told exactly once, when it is made.
func (w *world) journalRecord(r store.Record, events []ledger.Event) {
	if r.New == nil {
		return
	}
	b := w.batches[strings.TrimPrefix(r.Key.SK, "work#")]
	conn := price.ConnectionID(strings.TrimPrefix(r.Key.PK, "lane#"))
	var j struct {
		Intents []lane.Intent `json:"intents"`
	}
	if err := json.Unmarshal(r.New.Bytes("journal"), &j); err != nil {
		panic(err)
	}
	var due []wanted
	for _, i := range j.Intents {
		ch := b.change(w.conns[conn].offers[offerID{i.Marketplace, i.SKU}], i.N)
		if ch.attempts[i.Attempt] == 0 {
			due = append(due, wanted{place: place{fmt.Sprint(i.Attempt), i.N}})
		}
	}
	for _, e := range events {
		var doc struct {
			Row     int64 `json:"row"`
			Attempt int   `json:"attempt"`
		}
		_ = json.Unmarshal(e.After, &doc)
		o := w.offers[string(r.Tenant)+"/"+strings.TrimPrefix(e.Target, "offer:")]
		ch := b.change(o, doc.Row)
		if ch.attempts[doc.Attempt]++; ch.attempts[doc.Attempt] > 1 {
			w.duplicateEvents++
			w.breach(o, "event %s of %s row %d attempt %d came again", e.Type, b.id, doc.Row, doc.Attempt)
		}
		due = slices.DeleteFunc(due, func(d wanted) bool { return d.place == place{fmt.Sprint(doc.Attempt), doc.Row} })
	}
	for _, d := range due {
		w.missingEvents++
		w.breach(nil, "batch %s row %d attempt %s is announced without an event", b.id, d.row, d.batch)
	}
}
