package runtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/runtime/metrics"
)

// RunFor is as long as an invocation that works on jobs may take, and so how long
// a run keeps its job from others at most (template.yaml, the functions' Timeout).
const RunFor = 5 * time.Minute

// Job is work that may take several runs, each in an invocation of its own.
type Job struct {
	What string // in a word, for the log: "plan"
	ID   string
	// Run goes on with the work until it is done or, some time before the deadline,
	// saves what there is.
	Run func(deadline time.Time) (done bool, err error)
	// Busy is what Run answers while another run has the job.
	Busy error
	// Ring has the job run after the delay.
	Ring func(delay time.Duration) error
}

// Work answers a message that has a job run.
//
// Crash points: what was saved stays saved. A run that dies before it has sent for
// the next is repeated by its own message.
func (a *App) Work(ctx context.Context, j Job) error {
	start := a.Clock.Now()
	deadline, ok := ctx.Deadline()
	if !ok { // Lambda gives one
		deadline = start.Add(RunFor)
	}
	done, err := j.Run(deadline)
	took := a.Clock.Now().Sub(start)
	a.Log.InfoContext(ctx, j.What+" worked on", j.What, j.ID, "done", done, "took", took)
	switch {
	case errors.Is(err, j.Busy):
		// This message may be a second delivery of the one that is being worked on; it
		// comes again when that must have ended.
		return j.Ring(RunFor)
	case err != nil:
		return fmt.Errorf("%s %s: %w", j.What, j.ID, err)
	case !done:
		a.Metrics.Emit(nil, metrics.Count("JobsHandedOn", 1))
		return j.Ring(0)
	}
	a.Metrics.Emit(nil, metrics.Count("JobsDone", 1), metrics.Millis("JobTime", took))
	return nil
}
