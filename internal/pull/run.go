package pull

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/fetch"
	"pricemanager/internal/fx"
	"pricemanager/internal/plan"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

const (
	// leaseMargin is how much longer than its run a lease holds: the clocks of two
	// machines may differ.
	leaseMargin = 5 * time.Second
	// handling is what a run keeps of its time to store a file that has come.
	handling = 45 * time.Second
	// mostChecksum bounds the file with the checksum, in bytes.
	mostChecksum = 4 << 10
	// mostFailures in a row pause a source: with the waits below after some
	// sixteen hours.
	mostFailures = 8
)

// waits are the times after a failure until the next try.
func waits() []time.Duration {
	return []time.Duration{5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour}
}

// Fetcher gets files: *fetch.Client.
type Fetcher interface {
	Get(ctx context.Context, r fetch.Request, out io.Writer) (fetch.Result, error)
}

var _ Fetcher = (*fetch.Client)(nil)

// Runner fetches what is due.
type Runner struct {
	DB     store.DB
	Sealer Sealer // of the addresses
	Files  store.Large
	Plans  *plan.Store
	Bell   plan.Bell
	Rates  *fx.Store
	Fetch  Fetcher
	// Input fills in what a plan is made with besides the file: the connections,
	// the mappings and the guards as they are.
	Input func(context.Context, *plan.Input) error
	// Failure hears what another server did wrong, for the log; nil for nobody.
	Failure func(context.Context, *fault.Fault)
	Clock   clock.Clock
	Spool   pricefile.Spool // for the file; nil is the system's own place
}

// Outcome is what a run came to.
type Outcome string

// The outcomes.
const (
	Nothing   Outcome = "nothing" // not due, not there, or another run has it
	Unchanged Outcome = "unchanged"
	Planned   Outcome = "planned"
	Taken     Outcome = "taken"     // rates, which are the tenant's now
	Failed    Outcome = "failed"    // the other server's doing; tried again later
	GaveUp    Outcome = "gave-up"   // failed once too often: the source is paused
	Overtaken Outcome = "overtaken" // changed or deleted meanwhile
)

// Run fetches a source that is due, before the deadline. An error is ours, and
// running again is right.
func (r *Runner) Run(ctx context.Context, t tenant.ID, id string, deadline time.Time) (Outcome, error) {
	now := r.Clock.Now()
	it, err := r.DB.Update(ctx, t, store.Offers, itemKey(id), store.Update{
		Set: map[string]any{aLease: store.Millis(deadline.Add(leaseMargin))}, Add: map[string]int64{aRun: 1},
		If: []store.Cond{store.Eq(aState, string(Active)), store.Le(aDue, store.Millis(now)), free(now)},
	})
	if errors.Is(err, store.ErrConflict) {
		return Nothing, nil
	}
	if err != nil {
		return "", fmt.Errorf("pull: lease: %w", err)
	}
	p, err := open(ctx, r.Sealer, t, it)
	if err != nil {
		return "", err
	}
	run := &run{Runner: r, tenant: t, it: it, Pull: p}
	out, err := run.work(ctx, deadline.Add(-handling))
	if errors.Is(err, store.ErrConflict) {
		return Overtaken, nil
	}
	return out, err
}

// run is one run of a source.
type run struct {
	*Runner
	Pull
	tenant tenant.ID
	it     store.Item // as leased
	anew   bool       // the file is wanted even when it did not change
}

func (r *run) work(ctx context.Context, until time.Time) (Outcome, error) {
	spool := r.Spool
	if spool == nil {
		spool = pricefile.TempFiles("")
	}
	file, err := spool()
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }() // a temporary file
	if err := r.insist(ctx); err != nil {
		return "", err
	}
	got, err := r.get(ctx, until, file)
	var f *fault.Fault
	switch {
	case errors.As(err, &f):
		return r.fail(ctx, f)
	case err != nil:
		return "", err
	case got.NotModified || r.same(got) && !r.anew:
		return r.unchanged(ctx, got)
	case r.Kind == Rates:
		return r.take(ctx, file, got)
	}
	id, err := r.plan(ctx, file, got)
	if err != nil {
		return "", err
	}
	// Last, so that a run that died before it is repeated with the same ids.
	set := r.found(got)
	set[aPlan] = id
	return Planned, r.end(ctx, set, r.next())
}

// guardsChanged is the type of the problem of a plan that was not finished because
// the tenant's guards changed meanwhile.
const guardsChanged = "plan-guards-changed"

// insist has a file fetched and planned that did not change: when somebody asked for
// that, or when the guards changed under the plan of it, which nobody was there to
// ask for again.
func (r *run) insist(ctx context.Context) error {
	if r.anew = r.it.Bool(aForce); r.anew || r.Kind != Prices || r.LastPlan == "" {
		return nil
	}
	p, err := r.Plans.Load(ctx, r.tenant, r.LastPlan)
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	if err != nil {
		return fmt.Errorf("pull: read the last plan: %w", err)
	}
	r.anew = p.State == plan.Failed && p.Problem != nil && p.Problem.Type == guardsChanged
	return nil
}

// same says whether what came is the file before. Of rates also its date counts.
func (r *run) same(got fetch.Result) bool {
	return got.SHA256 == r.SHA256 && (r.Kind == Prices || got.LastModified == r.it.Str(aModified))
}

func (r *run) unchanged(ctx context.Context, got fetch.Result) (Outcome, error) {
	set := map[string]any{}
	if !got.NotModified {
		set[aETag], set[aModified] = got.ETag, got.LastModified
	}
	return Unchanged, r.end(ctx, set, r.next())
}

// found is what is noted of a new file that came to something.
func (r *run) found(got fetch.Result) map[string]any {
	return map[string]any{aETag: got.ETag, aModified: got.LastModified, aSum: got.SHA256, aSize: got.Size,
		aChanged: store.Millis(r.Clock.Now()), aMade: r.Made + 1}
}

func (r *run) next() time.Time { return r.Schedule.next(r.Next, r.Clock.Now()) }

// get fetches the file, and compares it with its checksum where there is one.
func (r *run) get(ctx context.Context, until time.Time, file pricefile.Temp) (fetch.Result, error) {
	ctx, cancel := clock.WithDeadline(ctx, r.Clock, until)
	defer cancel()
	req := fetch.Request{URL: r.URL, Max: plan.MaxUpload}
	if !r.anew {
		req.ETag, req.LastModified = r.it.Str(aETag), r.it.Str(aModified)
	}
	if r.Kind == Rates {
		// An ETag may be of the content alone, and the same rates of another day are
		// other rates.
		req.Max, req.ETag = fx.MaxTable, ""
	}
	got, err := r.Fetch.Get(ctx, req, file)
	if err != nil || got.NotModified {
		return got, err
	}
	switch page, err := webPage(file); {
	case err != nil:
		return got, err
	case page:
		return got, fault.New(fault.Unavailable, "pull-page", "The server answered with a web page in place of the file: to sign in, an error, or one that leads to the file. Give the address of the file itself.")
	case r.ChecksumURL == "":
		return got, nil
	}
	var text bytes.Buffer
	if _, err := r.Fetch.Get(ctx, fetch.Request{URL: r.ChecksumURL, Max: mostChecksum}, &text); err != nil {
		var f *fault.Fault
		if errors.As(err, &f) {
			return got, fault.New(f.Kind, "pull-checksum", "The checksum could not be fetched: %s", f.Public).Because(f)
		}
		return got, err
	}
	sum, err := checksum(text.String(), r.URL)
	if err != nil {
		return got, err
	}
	if sum != got.SHA256 {
		return got, fault.New(fault.Conflict, "pull-checksum", "The file's SHA-256 is %s and the checksum says %s: the file was cut, altered, or is being replaced.", got.SHA256, sum)
	}
	return got, nil
}

// webPage says whether what came is HTML, which no price file and no table of rates
// is: servers say 200 to errors too, and it would count as a new file.
func webPage(file io.ReaderAt) (bool, error) {
	head := make([]byte, 1024)
	n, err := file.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("pull: look at the file: %w", err)
	}
	text := bytes.ToLower(bytes.TrimLeft(bytes.TrimPrefix(head[:n], []byte("\ufeff")), " \t\r\n"))
	return bytes.HasPrefix(text, []byte("<!doctype html")) || bytes.HasPrefix(text, []byte("<html")), nil
}

// plan keeps the file as an upload and begins a plan of it.
//
// Crash points: upload, plan and message each come after what they need; the ids
// are the same the next time, and a plan that is there is not begun again, since
// a run may be at it.
func (r *run) plan(ctx context.Context, file pricefile.Temp, got fetch.Result) (string, error) {
	upload, id := r.derive("upl_", got.SHA256), r.derive("plan_", got.SHA256)
	_, err := r.Plans.Load(ctx, r.tenant, id)
	if fault.KindOf(err) == fault.NotFound {
		name := plan.UploadName(upload)
		if err := r.Files.PutFrom(ctx, r.tenant, store.Files, name, "application/octet-stream", io.NewSectionReader(file, 0, got.Size)); err != nil {
			return "", fmt.Errorf("pull: keep file: %w", err)
		}
		in := plan.Input{ID: id, Tenant: r.tenant, Actor: "pull:" + r.ID, Accountable: r.Accountable, File: r.file(), Marketplace: r.Marketplace, Policy: r.Policy, Now: r.Clock.Now()}
		if err := r.Input(ctx, &in); err != nil {
			return "", fmt.Errorf("pull: input of the plan: %w", err)
		}
		_, err = r.Plans.Begin(ctx, in, name)
	}
	if err != nil {
		return "", fmt.Errorf("pull: begin plan: %w", err)
	}
	return id, r.Bell.Ring(ctx, plan.Job{Tenant: r.tenant, Plan: id}, 0)
}

// derive makes the id of what this file of the source leads to.
func (r *run) derive(kind, sum string) string {
	h := sha256.Sum256(fmt.Appendf(nil, "%s %s %s %d %d %s", kind, r.tenant, r.ID, r.Revision, r.Made, sum))
	return kind + letters(h[:16])
}

// fail notes what the other server did, and when to try again.
func (r *run) fail(ctx context.Context, f *fault.Fault) (Outcome, error) {
	if r.Failure != nil {
		r.Failure(ctx, f)
	}
	typ := f.Type
	if typ == "" {
		typ = string(f.Kind)
	}
	problem, err := json.Marshal(plan.Problem{Type: typ, Detail: f.Public})
	if err != nil {
		return "", fmt.Errorf("pull: encode problem: %w", err)
	}
	set := map[string]any{aProblem: problem, aFailures: r.Failures + 1}
	if r.Failures+1 >= mostFailures {
		set[aState] = string(Paused)
		return GaveUp, r.end(ctx, set, r.next())
	}
	return Failed, r.end(ctx, set, r.Clock.Now().Add(waits()[r.Failures]))
}

// end writes what the run came to.
func (r *run) end(ctx context.Context, set map[string]any, next time.Time) error {
	if err := r.DB.Transact(ctx, r.ending(set, next)...); err != nil {
		return fmt.Errorf("pull: end run: %w", err)
	}
	return nil
}

// ending are the writes of what the run came to, as long as the source is the one
// it began with and the lease is ours, together with the next reminder.
func (r *run) ending(set map[string]any, next time.Time) []store.Write {
	u := store.Update{Set: set, Remove: []string{aLease}, If: []store.Cond{
		store.Eq(aState, string(Active)), store.Eq(aRevision, r.Revision), store.Eq(aRun, r.it.Int(aRun))}}
	if _, bad := set[aProblem]; !bad {
		set[aFailures] = int64(0)
		u.Remove = append(u.Remove, aProblem, aForce)
	}
	if r.Kind == Rates {
		u.Remove = append(u.Remove, aPlan) // of when it had prices
	}
	set[aChecked], set[aDue] = store.Millis(r.Clock.Now()), store.Millis(next)
	return []store.Write{{Tenant: r.tenant, Table: store.Offers, Key: itemKey(r.ID), Update: &u}, reminder(r.tenant, r.ID, next)}
}
