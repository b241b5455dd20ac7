package plan

import (
	"encoding/json"

	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
)

// created is what the ledger keeps of a plan: enough to prove later which plan
// it was.
type created struct {
	File    string  `json:"file"`
	Policy  Policy  `json:"policy"`
	Token   string  `json:"token"`
	Summary Summary `json:"summary"`
}

// Events are the ledger events that a change of a plan's item means: a plan was
// made. That it was applied is the batch's event, and that an old one expired
// is none.
func Events(r store.Record) []ledger.Event {
	id, ok := isPlan(r.Key)
	if r.Table != store.Offers || !ok || r.Old != nil || r.New == nil {
		return nil
	}
	var h Header
	if err := json.Unmarshal(r.New.Bytes(aHeader), &h); err != nil {
		return nil // not written by this package
	}
	after, err := json.Marshal(created{h.File, h.Policy, r.New.Str(aToken), h.Summary})
	if err != nil {
		return nil
	}
	return []ledger.Event{{
		Type: ledger.PlanCreated, At: h.Created, Actor: h.Actor, Target: "plan:" + id, After: after, Source: string(store.Offers),
	}}
}
