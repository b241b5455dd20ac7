package history

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
)

// Entry is one event about one offer.
type Entry struct {
	Leaf   int64 // its index in the tenant's ledger
	At     time.Time
	Type   ledger.Type
	Key    price.OfferKey
	Batch  string // "" for a price that was read without a change of ours
	Row    int64  // of the plan; only with a batch
	Before *price.Prices
	After  *price.Prices
	// Submission and Issue are Amazon's answer, By the batch that took over.
	Submission string
	Issue      string
	By         string
	Attempt    int           // 1 is the first send
	Visible    time.Duration // accepted to readable
}

// State is the state of a change that the event is about; false for an event that
// is about no change.
func (e Entry) State() (lane.State, bool) {
	state, ok := strings.CutPrefix(string(e.Type), "change.")
	return lane.State(state), ok
}

// outcome is what the ledger's events say about a change.
type outcome struct {
	Row        int64         `json:"row"`
	Prices     *price.Prices `json:"prices"`
	Submission string        `json:"submission"`
	Issue      string        `json:"issue"`
	By         string        `json:"by"`
	Attempt    int           `json:"attempt"`
	VisibleMS  int64         `json:"visible_ms"`
}

const offerTarget = "offer:"

// target returns how the ledger names the offer.
func target(k price.OfferKey) string { return offerTarget + k.String() }

// parseTarget is the inverse of target. Neither a connection nor a marketplace
// has a slash; an SKU may.
func parseTarget(s string) (price.OfferKey, bool) {
	rest, ok := strings.CutPrefix(s, offerTarget)
	conn, rest, a := strings.Cut(rest, "/")
	market, sku, b := strings.Cut(rest, "/")
	return price.OfferKey{Connection: price.ConnectionID(conn), Marketplace: price.MarketplaceID(market), SKU: price.SKU(sku)}, ok && a && b
}

func hashOf(target string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(target))
	return h.Sum32()
}

// read makes an Entry of an event about an offer.
func read(leaf int64, e ledger.Event) (Entry, error) {
	key, ok := parseTarget(e.Target)
	if !ok {
		return Entry{}, fmt.Errorf("history: leaf %d is about %q, which is no offer", leaf, e.Target)
	}
	out := Entry{Leaf: leaf, At: e.At, Type: e.Type, Key: key, Batch: e.Batch}
	fail := func(err error) (Entry, error) { return Entry{}, fmt.Errorf("history: leaf %d: %w", leaf, err) }
	if len(e.Before) > 0 && string(e.Before) != "null" {
		out.Before = &price.Prices{}
		if err := json.Unmarshal(e.Before, out.Before); err != nil {
			return fail(err)
		}
	}
	if e.Batch == "" {
		if len(e.After) == 0 {
			return out, nil
		}
		out.After = &price.Prices{}
		if err := json.Unmarshal(e.After, out.After); err != nil {
			return fail(err)
		}
		return out, nil
	}
	var o outcome
	if err := json.Unmarshal(e.After, &o); err != nil {
		return fail(err)
	}
	out.Row, out.After, out.Submission, out.Issue, out.By = o.Row, o.Prices, o.Submission, o.Issue, o.By
	out.Attempt, out.Visible = o.Attempt, time.Duration(o.VisibleMS)*time.Millisecond
	return out, nil
}
