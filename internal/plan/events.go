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
	// Released says whose held rows these are, and who released them.
	Released *Released `json:"released,omitempty"`
}

// Events are the ledger events that a change of an item means: a plan was made, at
// once or by a job, or was approved; a mapping was remembered or forgotten. That a
// plan was applied is the batch's event, and that an old one expired is none.
func Events(r store.Record) []ledger.Event {
	if r.Table == store.Offers && r.Key.PK == mappingsPK {
		return mappingEvents(r)
	}
	id, ok := isPlan(r.Key)
	if ok && r.Table == store.Offers && r.New != nil && r.Old != nil && r.New.Str(aApprovedBy) != r.Old.Str(aApprovedBy) {
		return []ledger.Event{{Type: ledger.PlanApproved, At: r.New.Time(aApprovedAt), Actor: r.New.Str(aApprovedBy),
			Target: "plan:" + id, Source: string(store.Offers)}}
	}
	if r.Table != store.Offers || !ok || r.New == nil || r.New.Bytes(aHeader) == nil || r.Old != nil && r.Old.Bytes(aHeader) != nil {
		return nil
	}
	var h Header
	if err := json.Unmarshal(r.New.Bytes(aHeader), &h); err != nil {
		return nil // not written by this package
	}
	after, err := json.Marshal(created{h.File, h.Policy, r.New.Str(aToken), h.Summary, h.Released})
	if err != nil {
		return nil
	}
	return []ledger.Event{{
		Type: ledger.PlanCreated, At: h.Created, Actor: h.Actor, Target: "plan:" + id, After: after, Source: string(store.Offers),
	}}
}
