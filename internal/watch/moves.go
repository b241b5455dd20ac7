package watch

import (
	"encoding/json"
	"slices"

	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
)

const (
	// keepPercent: a price that falls below so much of what it was falls far.
	keepPercent = 70
	// fewRows: a smaller batch says nothing about shares.
	fewRows = 20
	// maxBatches bounds the batches that are watched at once, the newest ones.
	maxBatches = 16
	// Shares of rows that fall far, in thousandths, up to which nothing is suspicious:
	// once the tenant's usual share is known, and before.
	knownFloor, unknownFloor = 250, 500
)

// moves watches what batches do to prices: how many of a batch's rows fall far,
// against the tenant's earlier batches.
type moves struct {
	Open   []batch `json:"open,omitempty"`   // in the order they were first seen
	Shares []int64 `json:"shares,omitempty"` // of finished batches, in thousandths
}

type batch struct {
	ID     string `json:"id"`
	Actor  string `json:"actor,omitempty"`  // who applied it
	Rows   int64  `json:"rows"`             // that change our price
	Far    int64  `json:"far"`              // of them, how many fall far
	First  int64  `json:"first"`            // leaf of the first one
	Raised int64  `json:"raised,omitempty"` // the limit that it was above
}

func (m *moves) take(e ledger.Event, leaf int64) *Finding {
	switch e.Type {
	case ledger.BatchScheduled, ledger.BatchCreated:
		if b := m.batch(e.Batch); b.Actor == "" {
			b.Actor = clip(e.Actor)
		}
	case ledger.ChangeDesired:
		before, after := ourPrices(e)
		if before == nil || after == nil {
			return nil
		}
		b := m.batch(e.Batch)
		b.Rows++
		if fallsFar(*before, *after) {
			if b.Far == 0 {
				b.First = leaf
			}
			b.Far++
		}
	case ledger.BatchActivated:
		return m.judge(m.batch(e.Batch), e, leaf)
	case ledger.BatchCompleted, ledger.BatchRefused:
		b := m.batch(e.Batch)
		found := m.judge(b, e, leaf) // rows may come later than the batch's own events
		if b.Rows >= fewRows {
			share := b.Far * 1000 / b.Rows
			if b.Raised > 0 {
				share = min(share, b.Raised) // as series.learn
			}
			m.Shares = remember(m.Shares, share)
		}
		m.Open = slices.DeleteFunc(m.Open, func(x batch) bool { return x.ID == clip(e.Batch) })
		return found
	}
	return nil
}

// batch returns the batch of that id, making room for a new one.
func (m *moves) batch(id string) *batch {
	id = clip(id)
	for i := range m.Open {
		if m.Open[i].ID == id {
			return &m.Open[i]
		}
	}
	if len(m.Open) == maxBatches {
		m.Open = slices.Delete(m.Open, 0, 1)
	}
	m.Open = append(m.Open, batch{ID: id})
	return &m.Open[len(m.Open)-1]
}

func (m *moves) judge(b *batch, e ledger.Event, leaf int64) *Finding {
	usual := baselineOf(m.Shares)
	limit := int64(unknownFloor)
	if usual.known {
		limit = max(knownFloor, usual.Median+deviations*usual.Deviation)
	}
	if b.Raised > 0 || b.Rows < fewRows || b.Far*1000 <= limit*b.Rows {
		return nil
	}
	b.Raised = limit
	return &Finding{Kind: PriceMoves, Subject: b.Actor, At: e.At, Unit: "thousandths of the rows", Observed: b.Far * 1000 / b.Rows,
		Limit: limit, Usual: usual.Median, Events: b.Far, First: b.First, Last: leaf, Batch: b.ID}
}

// ourPrices are our price before and after a change, nil where there is none.
func ourPrices(e ledger.Event) (before, after *price.Money) {
	var was price.Prices
	var is struct {
		Prices price.Prices `json:"prices"`
	}
	if json.Unmarshal(e.Before, &was) != nil || json.Unmarshal(e.After, &is) != nil {
		return nil, nil
	}
	return was.Our, is.Prices.Our
}

// fallsFar compares exactly; prices of two currencies, or too large to compare, do
// not fall.
func fallsFar(was, is price.Money) bool {
	floor, err := was.Mul(keepPercent)
	if err != nil || was.Currency() != is.Currency() {
		return false
	}
	now, err := is.Mul(100)
	return err == nil && now.Cmp(floor) < 0
}
