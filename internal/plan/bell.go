package plan

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Job is the message that has a plan made.
type Job struct {
	Kind   string    `json:"kind"`
	Tenant tenant.ID `json:"tenant"`
	Plan   string    `json:"plan"`
	Trace  string    `json:"trace,omitempty"`
}

// KindPlan is the kind of a Job.
const KindPlan = "plan"

// ParseJob reads a message; it checks that tenant and plan are well formed.
func ParseJob(body []byte) (Job, error) {
	var j Job
	if err := json.Unmarshal(body, &j); err != nil {
		return Job{}, fmt.Errorf("plan: message: %w", err)
	}
	if j.Kind != KindPlan || !j.Tenant.Valid() || !idForm.MatchString(j.Plan) {
		return Job{}, fmt.Errorf("plan: message of kind %q for plan %q of tenant %q", j.Kind, j.Plan, j.Tenant)
	}
	return j, nil
}

// Bell sends for runs of jobs.
type Bell struct {
	Queue store.Queue
	Trace func(context.Context) string // nil for none
}

// Ring has the job run after the delay.
func (b Bell) Ring(ctx context.Context, j Job, delay time.Duration) error {
	j.Kind = KindPlan
	if j.Trace == "" && b.Trace != nil {
		j.Trace = b.Trace(ctx)
	}
	if err := store.SendJSON(ctx, b.Queue, j, delay); err != nil {
		return fmt.Errorf("plan: send for a run: %w", err)
	}
	return nil
}
