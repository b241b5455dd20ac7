package preview

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// State is where a preview is in its life.
type State string

// The states.
const (
	Waiting State = "waiting" // for its turn, or for the rest of its answers
	Done    State = "done"    // every row of the sample has Amazon's answer
	Failed  State = "failed"  // not all have; Reason says why
)

// Document is what Amazon says to a sample of a plan.
type Document struct {
	Plan     string     `json:"plan"`
	State    State      `json:"state"`
	Reason   string     `json:"reason,omitempty"` // what it waits for, or why it failed
	AskedBy  string     `json:"askedBy"`
	AskedAt  time.Time  `json:"askedAt"`
	Finished *time.Time `json:"finishedAt,omitempty"`
	Planned  int64      `json:"planned"` // rows that the sample is of
	Valid    int        `json:"valid"`
	Invalid  int        `json:"invalid"`
	Rows     []Row      `json:"rows"`
}

// Verdict is Amazon's answer about a row.
type Verdict string

// The verdicts; "" is none yet.
const (
	Valid   Verdict = "valid"
	Invalid Verdict = "invalid"
)

// Row is one row of the sample.
type Row struct {
	Line        int                 `json:"row"` // in the file
	Connection  price.ConnectionID  `json:"connection"`
	Marketplace price.MarketplaceID `json:"marketplace"`
	SKU         price.SKU           `json:"sku"`
	AtRisk      *price.Money        `json:"atRisk,omitempty"`
	Verdict     Verdict             `json:"verdict,omitempty"`
	Issues      []Issue             `json:"issues,omitempty"`
}

// Issue is one of Amazon's findings.
type Issue struct {
	Code     string `json:"code"` // Amazon's
	Severity string `json:"severity"`
	Message  string `json:"message"` // Amazon's
	// Meaning is what to make of it, "" where we know no better than Amazon.
	Meaning string `json:"meaning,omitempty"`
	// Columns are those of the file whose prices the row would set.
	Columns []string `json:"columns"`
}

// meanings are Amazon's codes about prices, in the seller's words.
var meanings = map[string]string{
	"18155":    "The minimum price is above the price. Raise the price, or lower the minimum in the same file.",
	"90220":    "The listing lacks something that Amazon requires of this product. Complete it at Amazon; the price alone cannot.",
	"99010":    "The listing lacks something that Amazon requires together with what it has. Complete it at Amazon.",
	"99022":    "Amazon misses the value of a price. Tell our support: the file is not at fault.",
	"4000001":  "Amazon does not take a value of this row. Look at the price, its currency and its dates.",
	"4000000":  "Amazon could not judge the row just now. Ask again.",
	"90000900": "Amazon does not know what was sent. Tell our support: the file is not at fault.",
}

func issues(list []amazon.Issue, columns []string) []Issue {
	out := make([]Issue, len(list))
	for i, x := range list {
		out[i] = Issue{x.Code, x.Severity, x.Message, meanings[x.Code], columns}
	}
	return out
}

// stored is a document with what is needed to go on.
type stored struct {
	Document
	Edits   []price.Edit // of Rows
	Columns [][]string
}

// Attributes of the item.
const (
	previewsPK              = "previews"
	aState, aDoc            = "state", "doc"
	aLease, aTTL            = "lease", "ttl"
	aNext, aTaken           = "next", "n"
	keptAfter               = 7 * 24 * time.Hour // a plan that was not applied is gone then too
	accountsPK, application = "previewed", "application"
)

func key(plan string) store.Key { return store.Key{PK: previewsPK, SK: plan} }

// Service keeps documents.
type Service struct {
	DB    store.DB
	Plans *plan.Store
	Clock clock.Clock
}

// Get returns the document of a plan. None, and another tenant's plan, are a fault of
// kind NotFound.
func (s *Service) Get(ctx context.Context, t tenant.ID, id string) (Document, error) {
	it, err := s.DB.Get(ctx, t, store.Offers, key(id))
	if errors.Is(err, store.ErrNotFound) {
		return Document{}, fault.New(fault.NotFound, "preview-not-found", "There is no preview of this plan. Ask for one with POST /plans/{id}/preview.").Because(err)
	}
	if err != nil {
		return Document{}, fmt.Errorf("preview: read: %w", err)
	}
	doc, err := decode(it)
	return doc.Document, err
}

func decode(it store.Item) (stored, error) {
	var doc stored
	if err := json.Unmarshal(it.Bytes(aDoc), &doc); err != nil {
		return stored{}, fmt.Errorf("preview: document of %s: %w", it.SK, err)
	}
	return doc, nil
}

// Ask chooses the sample of a plan and has Amazon asked. While an earlier preview of
// the plan waits, asking again only rings again.
//
// Crash points: the document comes first; one that nobody rang for waits until it is
// asked for again.
func (s *Service) Ask(ctx context.Context, t tenant.ID, id, actor string, bell lane.Bell) (Document, error) {
	p, err := s.Plans.Load(ctx, t, id)
	if err != nil {
		return Document{}, err
	}
	if p.State != plan.Ready {
		return Document{}, fault.New(fault.Conflict, "plan-not-applicable", "Only a plan that can be applied has a preview; this one is %s.", p.State)
	}
	doc := stored{Document: Document{Plan: id, State: Waiting, AskedBy: actor, AskedAt: s.Clock.Now().UTC().Truncate(time.Millisecond), Planned: p.Summary.Planned}}
	if err := s.sample(ctx, p, &doc); err != nil {
		return Document{}, err
	}
	body, err := json.Marshal(doc)
	if err != nil {
		return Document{}, fmt.Errorf("preview: encode: %w", err)
	}
	err = s.DB.Put(ctx, t, store.Offers, store.Item{Key: key(id), Attrs: map[string]any{
		aState: string(Waiting), aDoc: body, aTTL: p.Expires.Add(keptAfter).Unix(),
	}}, store.AnyOf(store.Absent(), store.Ne(aState, string(Waiting))))
	if errors.Is(err, store.ErrConflict) {
		was, err := s.Get(ctx, t, id)
		if err != nil {
			return Document{}, err
		}
		return was, bell.Preview(ctx, t, id, 0)
	}
	if err != nil {
		return Document{}, fmt.Errorf("preview: write: %w", err)
	}
	return doc.Document, bell.Preview(ctx, t, id, 0)
}
