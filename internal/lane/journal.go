package lane

import (
	"fmt"
	"strings"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/store"
)

// A work item is the journal of one batch in one lane. One write moves the
// cursor, counts, and names up to 25 intents at once, which is what keeps the
// cost of an intent at a twenty-fifth of a write.
const (
	aJournal, aHigh = "journal", "high"
	// intentsPerWrite is how many rows one journal write announces.
	intentsPerWrite = 25
)

// Intent says that a row may be sent, and may be on the wire until NotAfter.
// With a NotAfter of 0 it was withdrawn: the row was certainly not sent.
type Intent struct {
	Row         int64               `json:"r"` // index in the row files
	N           int64               `json:"n"`
	Marketplace price.MarketplaceID `json:"m"`
	SKU         price.SKU           `json:"sku"`
	Attempt     int                 `json:"a"`           // 1 is the first send, 2 the only resend
	NotAfter    int64               `json:"t"`           // Unix milliseconds
	Over        bool                `json:"o,omitempty"` // sent again because a feed wrote over it
	Apart       bool                `json:"s,omitempty"` // goes in steps, see widen.go
	Left        int                 `json:"l,omitempty"` // steps left when one was accepted, 0 when none is awaited
	Taken       int64               `json:"k,omitempty"` // when that was, Unix milliseconds
}

func (i Intent) notAfter() time.Time { return time.UnixMilli(i.NotAfter).UTC() }

// journal is a work item, decoded. Rows below Low are terminal and counted in
// Before; rows from Low to High have been announced; the rest is untouched.
type journal struct {
	Batch    string   `json:"-"`
	Rows     int64    `json:"rows"`
	Chunks   []int64  `json:"chunks"` // rows per row file, in order
	Low      int64    `json:"low"`
	High     int64    `json:"high"`
	Before   Counts   `json:"before,omitempty"` // terminal rows below Low
	Counts   Counts   `json:"counts,omitempty"` // all rows, as of this write
	Intents  []Intent `json:"intents,omitempty"`
	Priority int      `json:"priority"`          // smaller is sent first
	Created  int64    `json:"created"`           // Unix milliseconds; older batches go first
	At       int64    `json:"at,omitempty"`      // of this write, Unix milliseconds
	Last     int64    `json:"last,omitempty"`    // when a row was last sent, Unix milliseconds
	Stopped  int64    `json:"stopped,omitempty"` // rows held back by stops
	Tally    tally    `json:"tally,omitzero"`    // what the breaker has seen
	Route    Route    `json:"route,omitzero"`
	Feeds    []feed   `json:"feeds,omitempty"` // in the order in which they were planned
}

func lanePK(c price.ConnectionID) string { return "lane#" + string(c) }

const workPrefix = "work#"

func workKey(c price.ConnectionID, batch string) store.Key {
	return store.Key{PK: lanePK(c), SK: workPrefix + batch}
}

func decodeJournal(it store.Item) (journal, error) {
	var j journal
	if err := unmarshal(it.Bytes(aJournal), &j); err != nil {
		return journal{}, err
	}
	batch, ok := strings.CutPrefix(it.SK, workPrefix)
	if !ok {
		return journal{}, fmt.Errorf("lane: %q is not a work item", it.SK)
	}
	j.Batch = batch
	if j.Before == nil {
		j.Before = Counts{}
	}
	return j, nil
}

// chunkOf returns the row file that holds row, and the row's place in it.
func (j journal) chunkOf(row int64) (chunk int, place int64) {
	for i, n := range j.Chunks {
		if row < n {
			return i, row
		}
		row -= n
	}
	return len(j.Chunks), row
}
