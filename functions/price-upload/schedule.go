package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/web"
)

// times are when a batch is to begin, and to be taken back; zero for at once, and
// for never.
type times struct{ activate, revert time.Time }

// times checks what a caller asks for.
func (h *handler) times(activateAt, revertAt string) (t times, err error) {
	if t.activate, err = h.moment("activateAt", activateAt); err != nil {
		return times{}, err
	}
	if t.revert, err = h.moment("revertAt", revertAt); err != nil {
		return times{}, err
	}
	return t, ordered(t.revert, t.activate, h.app.Clock.Now())
}

// moment reads a time that is yet to come; "" is the zero time.
func (h *handler) moment(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	kind := map[bool]string{true: "activate-at", false: "revert-at"}[name == "activateAt"]
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fault.New(fault.Invalid, kind, "%s %q is not a time with its zone. Write it like 2030-03-01T00:00:00Z or 2030-03-01T00:00:00+01:00.", name, text)
	}
	if wait := at.Sub(h.app.Clock.Now()); wait <= 0 || wait > lane.LongestWait {
		return time.Time{}, fault.New(fault.Invalid, kind, "%s %s is not within the next %d days. Leave it out to begin at once, and to take nothing back.",
			name, at.UTC().Format(time.RFC3339), lane.LongestWait/(24*time.Hour))
	}
	return at.UTC(), nil
}

// ordered refuses to take a batch back before it begins, or when its files are gone.
func ordered(revert, activate, created time.Time) error {
	switch {
	case revert.IsZero():
		return nil
	case !revert.After(activate):
		return fault.New(fault.Invalid, "revert-at", "The batch is to be taken back at %s, before it begins at %s. Choose a later time.",
			revert.Format(time.RFC3339), activate.UTC().Format(time.RFC3339))
	case revert.Sub(created) > lane.LongestWait:
		return fault.New(fault.Invalid, "revert-at", "A batch can be taken back until %d days after it was made, which is at %s.",
			lane.LongestWait/(24*time.Hour), created.Add(lane.LongestWait).UTC().Format(time.RFC3339))
	}
	return nil
}

// scheduleDoc says what would happen when, if a plan were applied now. All times
// are UTC.
type scheduleDoc struct {
	Now time.Time `json:"now"`
	// ApplyBy is until when the plan can be applied, whenever the batch begins.
	ApplyBy  time.Time   `json:"applyBy"`
	Activate stepDoc     `json:"activate"`
	Revert   *revertStep `json:"revert,omitempty"`
}

// stepDoc is one of the two things that happen.
type stepDoc struct {
	At   time.Time `json:"at"`
	Rows int64     `json:"rows"`
	// ReadableBy is when the last price should be readable at Amazon.
	ReadableBy   time.Time       `json:"readableBy"`
	Marketplaces []marketRowsDoc `json:"marketplaces"`
}

type revertStep struct {
	stepDoc
	Note string `json:"note"`
}

type marketRowsDoc struct {
	Marketplace price.MarketplaceID `json:"marketplace"`
	Country     string              `json:"country,omitempty"`
	Rows        int64               `json:"rows"`
}

// revertNote is what the numbers of rows that would be taken back cannot say.
const revertNote = "At most so many: rows whose price was changed since, or never set, stay as they are then, and your guards of that time judge each."

// planSchedule shows what would happen when, before anything is asked for.
func (h *handler) planSchedule(ctx context.Context, r *web.Request) (*web.Response, error) {
	when, err := h.times(r.Query.Get("activateAt"), r.Query.Get("revertAt"))
	if err != nil {
		return nil, err
	}
	p, err := h.plans.Load(ctx, r.Tenant, r.Params["id"])
	if err != nil {
		return nil, err
	}
	if p.State != plan.Ready && p.State != plan.Applied {
		return nil, fault.New(fault.Conflict, "plan-not-applicable", "Only a plan that can be applied has a schedule; this one is %s.", p.State)
	}
	now := h.app.Clock.Now().UTC()
	activate := stepDoc{At: now, Rows: p.Summary.Planned, Marketplaces: []marketRowsDoc{}}
	if !when.activate.IsZero() {
		activate.At = when.activate
	}
	for _, m := range p.Summary.Marketplaces {
		if m.Planned > 0 {
			known, _ := price.MarketplaceByID(m.Marketplace)
			activate.Marketplaces = append(activate.Marketplaces, marketRowsDoc{m.Marketplace, known.Country, m.Planned})
		}
	}
	takes := time.Duration(p.Summary.ETASeconds) * time.Second
	activate.ReadableBy = activate.At.Add(takes)
	d := scheduleDoc{Now: now, ApplyBy: p.Expires, Activate: activate}
	if !when.revert.IsZero() {
		back := activate
		back.At, back.ReadableBy = when.revert, when.revert.Add(takes)
		d.Revert = &revertStep{back, revertNote}
	}
	return web.JSON(http.StatusOK, d)
}

// cancelBatch takes back a batch that waits for its time.
func (h *handler) cancelBatch(ctx context.Context, r *web.Request) (*web.Response, error) {
	err := h.batches.Cancel(ctx, r.Tenant, r.Params["id"], r.Principal.Actor, h.app.Clock.Now())
	if errors.Is(err, store.ErrConflict) {
		return nil, fault.New(fault.Conflict, "batch-begun", "The batch does not wait for a time any more. Stop it to keep the rest from being sent, or roll it back.")
	}
	if err != nil {
		return nil, missingBatch(err)
	}
	b, err := h.batches.Get(ctx, r.Tenant, r.Params["id"])
	if err != nil {
		return nil, missingBatch(err)
	}
	return h.answerBatch(ctx, r, http.StatusOK, b)
}
