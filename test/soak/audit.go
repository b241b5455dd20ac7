package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	reconcile "pricemanager/internal/audit"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// audit passes the stream of the offers table through the ledger's own ingest,
// as the function behind the stream does: several shards at different speeds,
// several instances, batches that come again, workers that die half-way. In the
// end each event must be in its ledger once, and the trees must verify.
type audit struct {
	w      *world
	shards [4]shard
	idle   []*ingest // instances that wait for a batch, warm
	kms    *memkms.KMS
	rand   *rand.ChaCha8
	handed int64 // the newest record handed over
	wanted map[tenant.ID]*told
	due    func(*shard) // hand: what it does belongs to nobody who adds a record
}

// shard is the part of the stream with the records of some items.
type shard struct {
	log   []store.Record
	done  int // records of log that are in the ledgers
	awake bool
	tries int // without getting any further
}

// told are the events of a tenant: those of one item in their order, and how
// often each intent was told, whose journals are items of their own.
type told struct {
	items map[string][]uint64
	sent  map[uint64]int
}

func newTold() *told { return &told{items: map[string][]uint64{}, sent: map[uint64]int{}} }

func (t *told) add(e ledger.Event) {
	h := fnv.New64a()
	fmt.Fprint(h, e.Type, e.Target, e.Batch, e.At.UnixMilli())
	_, _ = h.Write(e.After)
	if e.Type == ledger.ChangeSent {
		t.sent[h.Sum64()]++
		return
	}
	t.items[e.Target] = append(t.items[e.Target], h.Sum64())
}

// ingest is one instance of the function: what it keeps between batches.
type ingest struct {
	p    *process // the run under way
	pump ledger.Pump
}

func (w *world) newAudit(seed uint64) *audit {
	var s [32]byte
	copy(s[:], strconv.FormatUint(seed, 10))
	a := &audit{w: w, rand: rand.NewChaCha8(s), wanted: map[tenant.ID]*told{}}
	a.kms, a.due = memkms.New(a.rand), a.hand
	return a
}

// add takes a record from the stream, and what it means.
func (a *audit) add(r store.Record, events []ledger.Event) {
	a.unlost(r, len(events) > 0)
	if len(events) > 0 {
		t := a.wanted[r.Tenant]
		if t == nil {
			t = newTold()
			a.wanted[r.Tenant] = t
		}
		for _, e := range events {
			t.add(e)
		}
	}
	h := fnv.New32a()
	fmt.Fprint(h, r.Tenant, r.Key.PK, r.Key.SK)
	s := &a.shards[h.Sum32()%uint32(len(a.shards))]
	s.log = append(s.log, r)
	a.rouse(s)
}

// unlost holds what finds lost records to its rule: what an item says anew, it says
// by an event.
func (a *audit) unlost(r store.Record, told bool) {
	if told || r.New == nil {
		return
	}
	var before map[reconcile.Digest]ledger.Event
	if r.Old != nil {
		before = reconcile.Facts(lane.Events, r.Tenant, r.Table, *r.Old)
	}
	for d, e := range reconcile.Facts(lane.Events, r.Tenant, r.Table, *r.New) {
		if _, ok := before[d]; !ok {
			a.w.breach(nil, "%s of %s would be taken for lost, and there is no event of it", e.Type, e.Target)
		}
	}
}

func (a *audit) rouse(s *shard) {
	if !s.awake {
		s.awake = true
		a.w.s.after(a.w.between(time.Second, 12*time.Second), func() { a.due(s) })
	}
}

// drained reports whether everything has been handed over.
func (a *audit) drained() bool {
	for i := range a.shards {
		if a.shards[i].done < len(a.shards[i].log) {
			return false
		}
	}
	return true
}

// kept is how far back a stream may begin again.
const kept = 400

// hand gives a batch of the shard to an instance.
func (a *audit) hand(s *shard) {
	w := a.w
	if cut := s.done - kept; cut > kept {
		s.log, s.done = slices.Clone(s.log[cut:]), kept
	}
	from := s.done
	if w.hit(50_000) {
		from = max(0, from-w.s.rng.IntN(kept))
	}
	batch := s.log[from:min(from+1+w.s.rng.IntN(400), len(s.log))]
	first, _ := strconv.ParseInt(batch[0].Seq, 10, 64)
	last, _ := strconv.ParseInt(batch[len(batch)-1].Seq, 10, 64)
	w.faults[RecordRepeated] += int64(min(s.done-from, len(batch)))
	if first < a.handed {
		w.faults[RecordReordered]++
	}
	a.handed = max(a.handed, last)
	if s.tries++; s.tries > 100 {
		w.breach(nil, "the stream's record %s does not get into the ledger", batch[0].Seq)
		return
	}
	got := 0
	w.start(func(p *process, _ *lane.Engine) {
		in := a.instance(p)
		failed, err := in.pump.Handle(context.Background(), batch)
		got = len(batch)
		if len(failed) > 0 {
			w.trace(p, "ledger: %v", err)
			got = slices.IndexFunc(batch, func(r store.Record) bool { return r.Seq == failed[0] })
		}
		in.p = nil
		a.idle = append(a.idle, in)
	}, func(bool) {
		if w.hit(20_000) {
			w.faults[RecordRepeated] += int64(got)
			got = 0 // nobody hears that it was done
		}
		if from+got > s.done {
			s.done, s.tries = from+got, 0
		}
		s.awake = false
		if s.done < len(s.log) {
			a.rouse(s)
		}
	})
}

// instance returns a warm instance or a new one, for this run.
func (a *audit) instance(p *process) *ingest {
	var in *ingest
	if n := len(a.idle); n > 0 && a.w.hit(900_000) {
		in, a.idle = a.idle[n-1], a.idle[:n-1]
	} else {
		in = &ingest{}
		db, clk := dbFor{in, a.w}, clockFor{in}
		in.pump = ledger.Pump{
			Log:     ledger.New(db, envelope.New(a.kms, db, clk), clk, a.rand),
			Mappers: map[store.Table]ledger.Mapper{store.Offers: lane.Events},
		}
	}
	in.p = p
	return in
}

// dbFor and clockFor are those of the run that an instance has under way.
type dbFor struct {
	in *ingest
	w  *world
}

var _ store.DB = dbFor{}

func (d dbFor) now() dbOf { return dbOf{d.w, d.in.p} }

func (d dbFor) Get(ctx context.Context, t tenant.ID, tab store.Table, k store.Key) (store.Item, error) {
	return d.now().Get(ctx, t, tab, k)
}

func (d dbFor) BatchGet(ctx context.Context, t tenant.ID, tab store.Table, keys []store.Key) ([]store.Item, error) {
	return d.now().BatchGet(ctx, t, tab, keys)
}

func (d dbFor) Query(ctx context.Context, t tenant.ID, tab store.Table, q store.Query) (store.Page, error) {
	return d.now().Query(ctx, t, tab, q)
}

func (d dbFor) Put(ctx context.Context, t tenant.ID, tab store.Table, it store.Item, conds ...store.Cond) error {
	return d.now().Put(ctx, t, tab, it, conds...)
}

func (d dbFor) Update(ctx context.Context, t tenant.ID, tab store.Table, k store.Key, u store.Update) (store.Item, error) {
	return d.now().Update(ctx, t, tab, k, u)
}

func (d dbFor) Delete(ctx context.Context, t tenant.ID, tab store.Table, k store.Key, conds ...store.Cond) error {
	return d.now().Delete(ctx, t, tab, k, conds...)
}

func (d dbFor) Transact(ctx context.Context, writes ...store.Write) error {
	return d.now().Transact(ctx, writes...)
}

type clockFor struct{ in *ingest }

func (c clockFor) Now() time.Time { return clockOf{c.in.p}.Now() }

func (c clockFor) Sleep(ctx context.Context, d time.Duration) error {
	return clockOf{c.in.p}.Sleep(ctx, d)
}

// judge compares the ledgers with what the stream told.
func (a *audit) judge() {
	w := a.w
	clk := trueClock{w.s}
	signer, err := ledger.NewSigner(secret.New("a signing secret of the simulation"))
	if err != nil {
		panic(err)
	}
	log := ledger.New(w.db, envelope.New(a.kms, w.db, clk), clk, a.rand).
		WithSigner(func(context.Context) (*ledger.Signer, error) { return signer, nil })
	for _, t := range w.sellers {
		want := a.wanted[t.id]
		if want == nil {
			continue
		}
		var export bytes.Buffer
		if _, err := log.WriteExport(context.Background(), t.id, &export); err != nil {
			w.missingEvents++
			w.breach(nil, "the ledger of %s cannot be exported: %v", t.id, err)
			continue
		}
		got := newTold()
		for i, line := range bytes.Split(bytes.TrimSpace(export.Bytes()), []byte("\n")) {
			var leaf struct {
				Event ledger.Event `json:"event"`
			}
			if err := json.Unmarshal(line, &leaf); i > 0 && err == nil {
				got.add(leaf.Event)
			}
		}
		if _, err := ledger.Verify(&export, ledger.VerifyOpts{}); err != nil {
			w.missingEvents++
			w.breach(nil, "the ledger of %s does not verify: %v", t.id, err)
		}
		a.compare(t.id, want, got)
	}
}

func (a *audit) compare(t tenant.ID, want, got *told) {
	w := a.w
	odd := func(what string, wanted, found int) {
		w.missingEvents += int64(max(wanted-found, 0))
		w.duplicateEvents += int64(max(found-wanted, 0))
		if wanted == found {
			w.missingEvents++
		}
		w.breach(nil, "the ledger of %s has %d events of %s, want %d, in their order", t, found, what, wanted)
	}
	for target, events := range want.items {
		if !slices.Equal(events, got.items[target]) {
			odd(target, len(events), len(got.items[target]))
		}
	}
	for target, events := range got.items {
		if want.items[target] == nil {
			odd(target, 0, len(events))
		}
	}
	for id, n := range want.sent {
		if got.sent[id] != n {
			odd("an intent", n, got.sent[id])
		}
	}
	for id, n := range got.sent {
		if want.sent[id] == 0 {
			odd("an intent", 0, n)
		}
	}
}
