package plan

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/price"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// A plan of an uploaded file is made by a job that may take several runs: each
// goes on where the one before saved, and any may die at any moment.
//
// What keeps that right: a run works alone, under a lease that outlives it; what
// it saves is a checkpoint at the border of two row files, with all that was
// counted and hashed so far; and only the last write of all makes the item a plan
// with a token. Files that were written after the last checkpoint are written
// anew by the next run, from offers as they are then: the hashes in the header
// are those of the files that stayed.

// Attributes of the item of a plan that is being made.
const (
	aJob, aLease, aRun     = "job", "lease", "run" // hash of the task; end of the lease; how often it was taken
	aSlot, aCheckpoint     = "slot", "checkpoint"  // which checkpoint, and its hash
	aRead, aPlanned, aRows = "read", "planned", "rows"
	aProblem, aOutline     = "problem", "outline"
)

const (
	// saveEvery is how many rows are made between two checkpoints.
	saveEvery = 10 * segmentRows
	// leaseMargin is how much longer than its run a lease holds: the clocks of two
	// machines may differ.
	leaseMargin = 5 * time.Second
	// handOver is how long before its deadline a run stops: enough for the rows
	// between two borders and for a checkpoint.
	handOver = 30 * time.Second
)

// ErrBusy says that another run has the job. Its message is to come again later.
var ErrBusy = errors.New("plan: another run is making this plan")

// Progress says how far a plan that is being made is.
type Progress struct {
	RowsRead    int64 `json:"rowsRead"`    // gone through so far
	RowsPlanned int64 `json:"rowsPlanned"` // of them, those that change a price
	Rows        int64 `json:"rows"`        // in the file; 0 until it was read once, and when links add rows
}

// Problem is why no plan could be made of a file: a problem document's type and
// detail.
type Problem struct {
	Type   string `json:"type"`
	Detail string `json:"detail"`
}

// task is what a job is to do. It is fixed when the job begins, so that every run
// does the same.
type task struct {
	ID, Actor, File string
	Accountable     string `json:",omitempty"`
	Tenant          tenant.ID
	Upload          string // the blob with the content, "" for none
	Undo            string `json:",omitempty"` // the batch that is taken back, in place of content
	Rows            int64  `json:",omitempty"` // how many that has
	Agreed          bool   `json:",omitempty"` // see Taken
	Marketplace     price.MarketplaceID
	Mappings        pricefile.Mappings
	Policy          Policy
	Guards          string // hash
	Links, Rates    string // hashes
	Now             time.Time
	Connections     map[price.MarketplaceID]price.ConnectionID
	Visibility      time.Duration
}

func newTask(in Input, upload string) task {
	return task{ID: in.ID, Actor: in.Actor, Accountable: in.accountable(), File: in.File, Tenant: in.Tenant, Upload: upload, Marketplace: in.Marketplace, Mappings: in.Mappings, Policy: in.Policy,
		Guards: in.Guards.Hash(), Links: in.Links.LinksHash(), Rates: in.Links.RatesHash(), Now: in.Now.UTC().Truncate(time.Millisecond), Connections: in.Connections, Visibility: in.Visibility}
}

func (t task) input() Input {
	return Input{ID: t.ID, Actor: t.Actor, Accountable: t.Accountable, File: t.File, Tenant: t.Tenant, Marketplace: t.Marketplace, Mappings: t.Mappings, Policy: t.Policy,
		Now: t.Now, Connections: t.Connections, Visibility: t.Visibility}
}

func taskName(id string) string { return "plans/" + id + "/task.json" }

func checkpointName(id string, slot int64) string {
	return fmt.Sprintf("plans/%s/checkpoint-%d.json", id, slot)
}

// Begin stores a plan that is still to be made of an upload, in place of
// in.Content. Maker.Run makes it.
//
// Crash points: the task comes first, then the item. A caller that dies before it
// has sent for a run leaves a plan that stays at reading until it expires.
func (s *Store) Begin(ctx context.Context, in Input, upload string) (Stored, error) {
	return s.begin(ctx, in, newTask(in, upload))
}

func (s *Store) begin(ctx context.Context, in Input, task task) (Stored, error) {
	if err := in.check(); err != nil {
		return Stored{}, err
	}
	body, err := json.Marshal(task)
	if err != nil {
		return Stored{}, fmt.Errorf("plan: encode task: %w", err)
	}
	if err := s.Blobs.Put(ctx, in.Tenant, store.Files, taskName(in.ID), "application/json", body); err != nil {
		return Stored{}, fmt.Errorf("plan: write task: %w", err)
	}
	outline, err := json.Marshal(Header{ID: in.ID, Tenant: in.Tenant, Actor: in.Actor, Accountable: in.accountable(), File: in.File, Created: task.Now,
		Expires: task.Now.Add(Lifetime), Policy: in.Policy, Guards: task.Guards})
	if err != nil {
		return Stored{}, fmt.Errorf("plan: encode outline: %w", err)
	}
	it := store.Item{Key: itemKey(in.ID), Attrs: map[string]any{
		aOutline: outline, aState: string(Reading), aJob: digest(body), aTTL: task.Now.Add(Lifetime + kept).Unix(),
	}}
	if err := s.DB.Put(ctx, in.Tenant, store.Offers, it, store.Absent()); err != nil {
		return Stored{}, fmt.Errorf("plan: write plan: %w", err)
	}
	return s.open(it)
}

// Maker makes plans of uploads.
type Maker struct {
	*Store
	Offers Lookup
	// Guards puts the tenant's guards, breaker, approval and history into the input.
	Guards func(context.Context, *Input) error
	Spool  pricefile.Spool // for the content; nil is the system's own place
	// SaveEvery is how many rows are made between two checkpoints, 0 for the
	// package's own figure.
	SaveEvery int64
	// Undo lists what takes a batch back. Only plans of BeginUndo need it.
	Undo Undoing
}

// Run goes on making a plan until it is made or, some time before the deadline,
// saves what there is; then it reports false and wants to be run again. A plan
// that is there, failed, or does not exist any more is done. A file that cannot
// be understood makes a failed plan and no error.
func (m *Maker) Run(ctx context.Context, t tenant.ID, id string, deadline time.Time) (done bool, err error) {
	it, err := m.lease(ctx, t, id, deadline)
	if err != nil || it == nil {
		return err == nil, err
	}
	r := &run{Maker: m, tenant: t, id: id, number: it.Int(aRun), stop: deadline.Add(-handOver), slot: it.Int(aSlot), files: m.puts(ctx, t)}
	done, err = r.work(ctx, *it)
	if ferr := r.files.wait(); err == nil {
		err = ferr
	}
	var f *fault.Fault
	switch {
	case errors.As(err, &f):
		return true, r.fail(ctx, f)
	case err != nil || !done:
		// Only a courtesy to the next run: without it that waits for the lease to end.
		return false, errors.Join(err, r.release(context.WithoutCancel(ctx)))
	}
	return true, nil
}

// lease takes the job, nil when there is nothing left to do.
func (m *Maker) lease(ctx context.Context, t tenant.ID, id string, deadline time.Time) (*store.Item, error) {
	now := m.Clock.Now()
	it, err := m.DB.Update(ctx, t, store.Offers, itemKey(id), store.Update{
		Set: map[string]any{aLease: store.Millis(deadline.Add(leaseMargin))}, Add: map[string]int64{aRun: 1},
		If: []store.Cond{store.Eq(aState, string(Reading)), store.AnyOf(store.Missing(aLease), store.Le(aLease, store.Millis(now)))},
	})
	if err == nil {
		return &it, nil
	}
	if !errors.Is(err, store.ErrConflict) {
		return nil, fmt.Errorf("plan: lease: %w", err)
	}
	it, err = m.DB.Get(ctx, t, store.Offers, itemKey(id))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("plan: read plan: %w", err)
	case State(it.Str(aState)) == Reading:
		return nil, ErrBusy
	}
	return nil, nil
}

// run is one run of a job.
type run struct {
	*Maker
	tenant tenant.ID
	id     string
	number int64 // of the lease
	stop   time.Time
	slot   int64 // of the last checkpoint
	rows   int64 // in the file
	files  *puts
}

// update changes the item as long as the lease is ours.
func (r *run) update(ctx context.Context, u store.Update) error {
	u.If = append(u.If, store.Eq(aState, string(Reading)), store.Eq(aRun, r.number))
	_, err := r.DB.Update(ctx, r.tenant, store.Offers, itemKey(r.id), u)
	if err != nil {
		return fmt.Errorf("plan: save job: %w", err)
	}
	return nil
}

func (r *run) release(ctx context.Context) error {
	return r.update(ctx, store.Update{Remove: []string{aLease}})
}

// jobAttrs are of no use once a job is over.
func jobAttrs() []string {
	return []string{aJob, aLease, aRun, aSlot, aCheckpoint, aRead, aPlanned, aRows}
}

func (r *run) fail(ctx context.Context, f *fault.Fault) error {
	typ := f.Type
	if typ == "" {
		typ = string(f.Kind)
	}
	text, err := json.Marshal(Problem{typ, f.Public})
	if err != nil {
		return fmt.Errorf("plan: encode problem: %w", err)
	}
	return r.update(ctx, store.Update{Set: map[string]any{aState: string(Failed), aProblem: text}, Remove: jobAttrs()})
}

// work makes rows from the last checkpoint on.
func (r *run) work(ctx context.Context, it store.Item) (done bool, err error) {
	body, err := r.read(ctx, r.tenant, taskName(r.id), it.Str(aJob))
	if err != nil {
		return false, err
	}
	var task task
	if err := json.Unmarshal(body, &task); err != nil {
		return false, fmt.Errorf("plan: task of %s: %w", r.id, err)
	}
	in := task.input()
	if err := r.Guards(ctx, &in); err != nil {
		return false, err
	}
	if in.Guards.Hash() != task.Guards {
		return false, fault.New(fault.Conflict, "plan-guards-changed", "Your guards changed while the plan was being made. Plan the file again.")
	}
	file, err := r.source(ctx, &in, task)
	if err != nil {
		return false, err
	}
	defer func() { _ = file.Close() }() // temporary files only
	begin := func() *builder { return newBuilder(in, file, r.lookup(task), r.files.put) }
	b := begin()
	if hash := it.Str(aCheckpoint); hash != "" {
		c, err := r.saved(ctx, hash)
		if err != nil {
			return false, err
		}
		in.tripped = c.Tripped
		b = begin()
		b.restore(c)
	} else if err := r.update(ctx, store.Update{Set: map[string]any{aRows: r.rows}}); err != nil {
		return false, err
	}
	whole, err := r.make(ctx, b)
	if trips := (errTripped)(nil); errors.As(err, &trips) {
		// As build does: once more from the first row, which a checkpoint remembers.
		in.tripped = trips
		b = begin()
		if err := r.save(ctx, b); err != nil {
			return false, err
		}
		whole, err = r.make(ctx, b)
	}
	return whole, err
}

// source opens what the task makes a plan of.
func (r *run) source(ctx context.Context, in *Input, task task) (source, error) {
	if task.Undo != "" {
		r.rows = task.Rows
		return r.undoing(ctx, in, task), nil
	}
	if err := madeBy(in.Links, task.Links, task.Rates, "while the plan was being made"); err != nil {
		return nil, err
	}
	content, err := r.fetch(ctx, task.Upload)
	if err != nil {
		return nil, err
	}
	file, err := in.open(content, r.Spool)
	if err != nil {
		return nil, errors.Join(err, content.Close())
	}
	if r.rows = int64(file.Count()); in.Links.Any() {
		r.rows = 0 // how many they add shows at the end
	}
	return in.follow(uploaded{file, content}), nil
}

// uploaded is a price file with the temporary file that it is read from.
type uploaded struct {
	*pricefile.File
	content content
}

func (u uploaded) Close() error { return errors.Join(u.File.Close(), u.content.Close()) }

// make reads to the end and makes the plan, or saves when it is late and reports
// false.
func (r *run) make(ctx context.Context, b *builder) (whole bool, err error) {
	last := b.n
	whole, err = b.read(ctx, func() (bool, error) {
		late := !r.Clock.Now().Before(r.stop)
		if !late && b.n-last < cmp.Or(r.SaveEvery, saveEvery) {
			return true, nil
		}
		last = b.n
		return !late, r.save(ctx, b)
	})
	if err != nil || !whole {
		return false, err
	}
	h, token, err := b.finish()
	if err != nil {
		return false, err
	}
	return true, r.finish(ctx, h, token)
}

// finish makes the item a plan: the one write after which there is a token. All
// files are there before.
func (r *run) finish(ctx context.Context, h Header, token string) error {
	if err := r.files.wait(); err != nil {
		return err
	}
	set, err := attrs(h, token)
	if err != nil {
		return err
	}
	return r.update(ctx, store.Update{Set: set, Remove: append(jobAttrs(), aOutline)})
}

// save writes a checkpoint, beside the one that counts until the item is updated.
// The files that it counts are there before.
func (r *run) save(ctx context.Context, b *builder) error {
	if err := r.files.wait(); err != nil {
		return err
	}
	body, err := json.Marshal(b.checkpoint())
	if err != nil {
		return fmt.Errorf("plan: encode checkpoint: %w", err)
	}
	slot := 1 - r.slot
	if err := r.Blobs.Put(ctx, r.tenant, store.Files, checkpointName(r.id, slot), "application/json", body); err != nil {
		return fmt.Errorf("plan: write checkpoint: %w", err)
	}
	r.slot = slot
	return r.update(ctx, store.Update{Set: map[string]any{
		aSlot: slot, aCheckpoint: digest(body), aRead: b.n, aPlanned: b.total.Planned, aRows: r.rows,
	}})
}

// saved is the last checkpoint.
func (r *run) saved(ctx context.Context, hash string) (checkpoint, error) {
	body, err := r.read(ctx, r.tenant, checkpointName(r.id, r.slot), hash)
	if err != nil {
		return checkpoint{}, err
	}
	var c checkpoint
	if err := json.Unmarshal(body, &c); err != nil {
		return checkpoint{}, fmt.Errorf("plan: checkpoint of %s: %w", r.id, err)
	}
	return c, nil
}

// checkpoint is a builder at the border of two row files.
type checkpoint struct {
	Rows     int64
	Total    Counts
	Markets  map[price.MarketplaceID]*Counts
	Risk     map[price.Currency]price.Money
	Segments []string
	Lanes    map[price.ConnectionID]laneSoFar
	// Of the breaker.
	Tripped errTripped `json:",omitempty"`
	Watched map[price.MarketplaceID]watchedSoFar
	Leader  price.Verdict `json:",omitempty"`
	Most    string
}

// watchedSoFar is what the breaker counted of a marketplace; no amount is nil.
type watchedSoFar struct {
	Changing, Dropping int64
	Risk               *price.Money
}

// laneSoFar is a lane with a file that is not full yet.
type laneSoFar struct {
	Rows   int64
	Hashes []string
	Begun  []byte
}

func (b *builder) checkpoint() checkpoint {
	c := checkpoint{Rows: b.n, Total: b.total, Markets: b.markets, Risk: b.risk, Segments: b.segments.hashes, Lanes: map[price.ConnectionID]laneSoFar{},
		Tripped: b.in.tripped, Watched: map[price.MarketplaceID]watchedSoFar{}, Most: b.breaker.most, Leader: b.leader}
	for m, w := range b.breaker.markets {
		so := watchedSoFar{Changing: w.changing, Dropping: w.dropping}
		if w.risk != (price.Money{}) {
			so.Risk = &w.risk
		}
		c.Watched[m] = so
	}
	for id, w := range b.lanes {
		c.Lanes[id] = laneSoFar{w.rows, w.hashes, w.buf}
	}
	return c
}

// restore puts a new builder where the checkpoint was taken.
func (b *builder) restore(c checkpoint) {
	b.n, b.total, b.markets, b.risk = c.Rows, c.Total, c.Markets, c.Risk
	b.segments.rows, b.segments.hashes = c.Rows, c.Segments
	b.in.tripped = c.Tripped
	for id, so := range c.Lanes {
		w := b.newLane(id)
		w.rows, w.hashes, w.buf = so.Rows, so.Hashes, so.Begun
		b.lanes[id] = w
	}
	b.breaker.most, b.leader = c.Most, c.Leader
	for m, so := range c.Watched {
		w := &watched{changing: so.Changing, dropping: so.Dropping}
		if so.Risk != nil {
			w.risk = *so.Risk
		}
		b.breaker.markets[m] = w
	}
}
