package pull

import (
	"encoding/json"

	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
)

// fetched is what the ledger keeps of a new file: enough to prove which it was.
type fetched struct {
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
	Plan   string `json:"plan,omitempty"` // of prices; of rates there is rates.changed
}

// told is the source of an item as the ledger keeps it and shows it to whoever it
// is disclosed to: of its addresses the hosts, as the item has it in clear. Nil
// when it cannot be read.
func told(it *store.Item) json.RawMessage {
	var s Source
	if json.Unmarshal(it.Bytes(aSource), &s) != nil {
		return nil
	}
	return s.hostsOnly().encode()
}

// Events are the ledger events that a change of a source's item means: it was set,
// changed or deleted, it paused, or a new file was fetched.
func Events(r store.Record) []ledger.Event {
	if r.Table != store.Offers || r.Key.PK != pullsPK || r.New == nil {
		return nil
	}
	e := ledger.Event{Actor: r.New.Str(aActor), At: r.New.Time(aAt), Target: "pull:" + r.Key.SK, Source: string(store.Offers), After: told(r.New)}
	switch {
	case r.Old == nil:
		e.Type = ledger.PullCreated
		return []ledger.Event{e}
	case r.New.Int(aRevision) != r.Old.Int(aRevision):
		e.Type, e.Before = ledger.PullChanged, told(r.Old)
		if State(r.New.Str(aState)) == deleted {
			e.Type, e.After = ledger.PullDeleted, nil
		}
		return []ledger.Event{e}
	}
	// The rest is the source's own doing.
	e.Actor, e.At = "pull:"+r.Key.SK, r.New.Time(aChecked)
	switch {
	case r.New.Int(aMade) != r.Old.Int(aMade):
		after, err := json.Marshal(fetched{r.New.Str(aSum), r.New.Int(aSize), r.New.Str(aPlan)})
		if err != nil {
			return nil
		}
		e.Type, e.After = ledger.PullFetched, after
	case State(r.New.Str(aState)) == Paused && State(r.Old.Str(aState)) != Paused:
		e.Type, e.After = ledger.PullPaused, r.New.Bytes(aProblem)
	default:
		return nil
	}
	return []ledger.Event{e}
}
