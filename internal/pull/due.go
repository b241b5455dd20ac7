package pull

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

const (
	// duePK is the list in the directory of what is due when.
	duePK = "pulls-due"
	// rungAgain is after how long a source that was rung for and is still due is
	// rung for again: when its message or its run was lost.
	rungAgain = 15 * time.Minute
	// mostRung bounds a sweep, which has other things to do in its minute; the next
	// goes on with what is left.
	mostRung = 500
)

// reminder is the write that has the sweep ring for a source at a time. It goes
// with the write that makes the source due then. The key sorts by time; 13 digits
// of milliseconds last until 2286.
func reminder(t tenant.ID, id string, at time.Time) store.Write {
	return store.Write{Tenant: store.Directory, Table: store.Offers, Put: &store.Item{
		Key: store.Key{PK: duePK, SK: fmt.Sprintf("%013d/%s/%s", store.Millis(at), t, id)}, Attrs: map[string]any{}}}
}

// Job is the message that has a source fetched.
type Job struct {
	Kind   string    `json:"kind"`
	Tenant tenant.ID `json:"tenant"`
	Pull   string    `json:"pull"`
	Trace  string    `json:"trace,omitempty"`
}

// KindPull is the kind of a Job.
const KindPull = "pull"

// ParseJob reads a message; it checks that tenant and source are well formed.
func ParseJob(body []byte) (Job, error) {
	var j Job
	if err := json.Unmarshal(body, &j); err != nil {
		return Job{}, fmt.Errorf("pull: message: %w", err)
	}
	if j.Kind != KindPull || !j.Tenant.Valid() || !idForm.MatchString(j.Pull) {
		return Job{}, fmt.Errorf("pull: message of kind %q for source %q of tenant %q", j.Kind, j.Pull, j.Tenant)
	}
	return j, nil
}

// Bell rings for what is due.
type Bell struct {
	DB    store.DB
	Queue store.Queue
	Now   func() time.Time
	Trace func(context.Context) string // nil for none
}

// Due rings for the sources that have come due, mostRung of them at most, and
// returns for how many. What keeps one from being rung for does not keep the
// others.
func (b Bell) Due(ctx context.Context) (rung int, err error) {
	now := b.Now()
	var failed []error
	for after := ""; ; {
		page, err := b.DB.Query(ctx, store.Directory, store.Offers, store.Query{PK: duePK, After: after, Limit: 100})
		if err != nil {
			return rung, errors.Join(append(failed, fmt.Errorf("pull: look for what is due: %w", err))...)
		}
		for _, it := range page.Items {
			at, t, id, err := parseReminder(it.SK)
			if err == nil && at.After(now) || rung == mostRung {
				return rung, errors.Join(failed...)
			}
			var rang bool
			if err == nil {
				rang, err = b.ring(ctx, it.Key, at, t, id)
			}
			if err != nil {
				failed = append(failed, err)
			} else if rang {
				rung++
			}
		}
		if after = page.Next; after == "" {
			return rung, errors.Join(failed...)
		}
	}
}

func parseReminder(sk string) (at time.Time, t tenant.ID, id string, err error) {
	millis, rest, _ := strings.Cut(sk, "/")
	who, id, _ := strings.Cut(rest, "/")
	n, err := strconv.ParseInt(millis, 10, 64)
	if t = tenant.ID(who); err != nil || !t.Valid() || !idForm.MatchString(id) {
		return time.Time{}, "", "", fmt.Errorf("pull: malformed reminder %q", sk)
	}
	return time.UnixMilli(n).UTC(), t, id, nil
}

// ring deals with one reminder whose time has come. It is taken off the list when
// its source is not due any more; else it moves to a later time, so that a source
// is rung for until it was fetched.
//
// Crash points: between the message and the move it is rung for once more, which
// finds it being fetched or not due.
func (b Bell) ring(ctx context.Context, key store.Key, at time.Time, t tenant.ID, id string) (bool, error) {
	it, err := b.DB.Get(ctx, t, store.Offers, itemKey(id))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, fmt.Errorf("pull: read source: %w", err)
	}
	if err != nil || State(it.Str(aState)) != Active || it.Time(aDue).After(at) {
		return false, b.DB.Delete(ctx, store.Directory, store.Offers, key)
	}
	j := Job{Kind: KindPull, Tenant: t, Pull: id}
	if b.Trace != nil {
		j.Trace = b.Trace(ctx)
	}
	if err := store.SendJSON(ctx, b.Queue, j, 0); err != nil {
		return false, fmt.Errorf("pull: ring: %w", err)
	}
	err = b.DB.Transact(ctx, reminder(t, id, b.Now().Add(rungAgain)), store.Write{Tenant: store.Directory, Table: store.Offers, Key: key, Delete: true})
	if err != nil {
		return true, fmt.Errorf("pull: move reminder: %w", err)
	}
	return true, nil
}
