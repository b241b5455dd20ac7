// Package apply turns plans into batches, and batches into what takes them back:
// at once, as the plan of a rollback, or at a time that was agreed on beforehand, by
// itself.
//
// It owns nothing: plans are package plan's, batches and when they are due package
// lane's. What it promises is that a plan becomes one batch, and a batch is taken
// back by one batch at most, whatever is repeated and wherever a caller dies; each
// step says what happens when it does.
//
// It sends nothing to Amazon, decides nothing about prices (the guards do, when the
// way back is planned and again when it is sent), and knows no HTTP.
package apply

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"io"
	"strings"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/tenant"
)

// Applier applies plans.
type Applier struct {
	Plans   *plan.Store // with GuardsHash
	Batches *lane.Batches
	Bell    lane.Bell
}

// Order is what is to be applied, and how.
type Order struct {
	Plan, Token string
	Key         string // by which a repetition is known
	Batch       string // the batch's id, if this key did not make one before
	Actor       string
	Trace       string
	Now         bool      // the caller activates it at once
	At          time.Time // when it begins, zero for at once
	RevertAt    time.Time // when it is taken back, zero for never
	Reverts     string    // the batch that it takes back, "" for none
}

// priorities says what goes before the rows of files within a lane: corrections
// by hand first, then whatever takes a batch back.
var priorities = map[plan.Origin]int{
	plan.OfFile: lane.PriorityBulk, plan.OfRollback: lane.PriorityReversal, plan.OfCorrection: lane.PriorityEdit,
}

// Apply takes the plan's token, makes its batch, and rings. It returns the batch's
// id. Its faults are those of plan.Store.Claim, and plan-empty.
//
// Crash points: after the claim the plan belongs to a batch that does not exist
// yet; whoever repeats with the same key makes it then. After it is made the sweep
// finds it.
func (a Applier) Apply(ctx context.Context, t tenant.ID, o Order) (batch string, err error) {
	p, err := a.Plans.Claim(ctx, t, o.Plan, o.Token, o.Key, o.Batch)
	if err != nil {
		return "", err
	}
	rows := map[price.ConnectionID]int64{}
	for _, l := range p.Lanes {
		if l.Planned > 0 {
			rows[l.Connection] = l.Planned
		}
	}
	if len(rows) == 0 {
		return "", fault.New(fault.Conflict, "plan-empty", "The plan has no row that may be sent. Look at what was held and refused.")
	}
	return p.Batch, a.Batches.Create(ctx, t, lane.NewBatch{ID: p.Batch, Plan: p.ID, File: p.File, Actor: o.Actor,
		Strict: p.Policy == plan.AllOrNothing, Rows: rows, Priority: priorities[p.Origin], Now: o.Now, At: o.At,
		RevertAt: o.RevertAt, Reverts: o.Reverts, Trace: o.Trace}, a.Bell)
}

// NewBatchID returns a new id of a batch from 128 random bits.
func NewBatchID(random io.Reader) (string, error) {
	id, err := plan.NewID(random)
	if err != nil {
		return "", err
	}
	return "bat_" + id[len("plan_"):], nil
}

// revertID is the id of the one batch that takes a batch back by itself.
func revertID(t tenant.ID, batch string) string {
	sum := sha256.Sum256([]byte("revert of " + string(t) + "/" + batch))
	return "bat_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16]))
}
