package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Finding is one thing that is suspicious, with what shows it: which events of the
// ledger, how many, and what is usual. It names ids, and nothing of a person.
type Finding struct {
	ID      string
	Kind    Kind
	Subject string    // who or what the events are about: an actor of the ledger, or a connection
	At      time.Time // of the event that was one too many
	Raised  time.Time // when it was found

	Unit                   string // of the next three
	Observed, Limit, Usual int64
	Events, First, Last    int64  // events that count, and the leaves of the first and the last of them
	Batch                  string // id, of price moves

	State      State
	AnsweredBy string    // "" while it is open
	AnsweredAt time.Time // zero while it is open
}

// State is what became of a finding.
type State string

// The states of a finding. One that was ours can still turn out not to be.
const (
	Open  State = "open"
	Ours  State = "was-me"
	Theft State = "not-me"
)

const (
	findingsPK = "suspicions"
	aKind      = "kind"
	aSubject   = "subject"
	aRaised    = "raisedAt"
	aEvidence  = "evidence"
	aState     = "state"
	aBy        = "by"
	aAnswered  = "answeredAt"
	// keptFor is how long findings are shown; the ledger has each for good.
	keptFor = 400 * 24 * time.Hour
)

// evidence is how what shows a finding is kept, and what the ledger has of it.
type evidence struct {
	At       time.Time `json:"at"`
	Unit     string    `json:"unit"`
	Observed int64     `json:"observed"`
	Limit    int64     `json:"limit"`
	Usual    int64     `json:"usual"`
	Events   int64     `json:"events"`
	First    int64     `json:"firstLeaf"`
	Last     int64     `json:"lastLeaf"`
	Batch    string    `json:"batch,omitempty"`
}

// item is the finding in the store. Its key is the leaf that it was found at and its
// kind: the same leaf never raises the same twice.
func (f *Finding) item() (store.Item, error) {
	b, err := json.Marshal(evidence{f.At.UTC(), f.Unit, f.Observed, f.Limit, f.Usual, f.Events, f.First, f.Last, f.Batch})
	if err != nil {
		return store.Item{}, fmt.Errorf("watch: evidence: %w", err)
	}
	return store.Item{Key: store.Key{PK: findingsPK, SK: f.ID}, Attrs: map[string]any{
		aKind: string(f.Kind), aSubject: f.Subject, aRaised: store.Millis(f.Raised), aEvidence: b, aState: string(Open),
		"ttl": f.Raised.Add(keptFor).Unix(),
	}}, nil
}

func findingOf(it store.Item) (Finding, error) {
	var e evidence
	if err := json.Unmarshal(it.Bytes(aEvidence), &e); err != nil {
		return Finding{}, fmt.Errorf("watch: finding %s: %w", it.SK, err)
	}
	return Finding{ID: it.SK, Kind: Kind(it.Str(aKind)), Subject: it.Str(aSubject), At: e.At, Raised: it.Time(aRaised),
		Unit: e.Unit, Observed: e.Observed, Limit: e.Limit, Usual: e.Usual, Events: e.Events, First: e.First, Last: e.Last, Batch: e.Batch,
		State: State(it.Str(aState)), AnsweredBy: it.Str(aBy), AnsweredAt: it.Time(aAnswered)}, nil
}

// Findings keeps the findings of tenants.
type Findings struct {
	DB    store.DB
	Clock clock.Clock
}

// List returns the tenant's findings, the newest first, at most limit. after continues
// a list where next said; next is "" at the end.
func (s *Findings) List(ctx context.Context, t tenant.ID, after string, limit int) (list []Finding, next string, err error) {
	page, err := s.DB.Query(ctx, t, store.Offers, store.Query{PK: findingsPK, After: after, Limit: limit, Reverse: true})
	if err != nil {
		return nil, "", fmt.Errorf("watch: list findings: %w", err)
	}
	for _, it := range page.Items {
		f, err := findingOf(it)
		if err != nil {
			return nil, "", err
		}
		list = append(list, f)
	}
	return list, page.Next, nil
}

// Get returns one finding. A missing one and another tenant's are the same NotFound.
func (s *Findings) Get(ctx context.Context, t tenant.ID, id string) (Finding, error) {
	it, err := s.DB.Get(ctx, t, store.Offers, store.Key{PK: findingsPK, SK: id})
	if errors.Is(err, store.ErrNotFound) {
		return Finding{}, fault.New(fault.NotFound, "suspicion-not-found", "There is no such suspicion. GET /suspicions lists them.").Because(err)
	}
	if err != nil {
		return Finding{}, fmt.Errorf("watch: read finding: %w", err)
	}
	return findingOf(it)
}

// answer writes what a member said, once. Saying the same again changes nothing, and
// theft is never taken back.
func (s *Findings) answer(ctx context.Context, t tenant.ID, id, actor string, said State) (Finding, error) {
	from := []store.Cond{store.Eq(aState, string(Open))}
	if said == Theft {
		from = append(from, store.Eq(aState, string(Ours)))
	}
	it, err := s.DB.Update(ctx, t, store.Offers, store.Key{PK: findingsPK, SK: id}, store.Update{
		Set: map[string]any{aState: string(said), aBy: actor, aAnswered: store.Millis(s.Clock.Now())},
		If:  []store.Cond{store.AnyOf(from...)},
	})
	if err == nil {
		return findingOf(it)
	}
	if !errors.Is(err, store.ErrConflict) {
		return Finding{}, fmt.Errorf("watch: answer finding: %w", err)
	}
	f, err := s.Get(ctx, t, id)
	if err == nil && f.State != said {
		err = fault.New(fault.Conflict, "suspicion-answered", "It was answered already: %s. What that froze goes on when the stop is lifted: DELETE /stops/tenant.", f.State)
	}
	return f, err
}

var _ ledger.Mapper = Events

// Events are the ledger events that a change of a finding means: it was raised, or
// answered. That an old one expired is none.
func Events(r store.Record) []ledger.Event {
	if r.Table != store.Offers || r.Key.PK != findingsPK || r.New == nil {
		return nil
	}
	e := ledger.Event{Type: ledger.SuspicionRaised, At: r.New.Time(aRaised), Actor: "system:audit-stream", Target: "suspicion:" + r.Key.SK, Source: string(store.Offers)}
	doc := map[string]any{"kind": r.New.Str(aKind), "subject": r.New.Str(aSubject), "evidence": json.RawMessage(r.New.Bytes(aEvidence))}
	if r.Old != nil {
		if r.Old.Str(aState) == r.New.Str(aState) {
			return nil
		}
		e.Type, e.At, e.Actor = ledger.SuspicionAnswered, r.New.Time(aAnswered), r.New.Str(aBy)
		doc = map[string]any{"answer": r.New.Str(aState)}
	}
	var err error
	if e.After, err = json.Marshal(doc); err != nil {
		return nil // not written by this package
	}
	return []ledger.Event{e}
}

// Raised says whether a change is a new finding, and of which kind.
func Raised(r store.Record) (Kind, bool) {
	if r.Table != store.Offers || r.Key.PK != findingsPK || r.Old != nil || r.New == nil {
		return "", false
	}
	return Kind(r.New.Str(aKind)), true
}
