package plan_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// watched is a bucket that knows which row files are on their way to it. The
// first one arrives only once a second is under way.
type watched struct {
	store.Blobs
	mu         sync.Mutex
	open, most int
	files      map[string]int // puts by name
	early      []string       // what was written while row files were still open
	two        chan struct{}
}

func (w *watched) Put(ctx context.Context, t tenant.ID, b store.Bucket, name, typ string, body []byte) error {
	if !strings.HasSuffix(name, ".jsonl") {
		w.settled(name)
		return w.Blobs.Put(ctx, t, b, name, typ, body)
	}
	w.mu.Lock()
	w.open++
	w.most = max(w.most, w.open)
	w.files[name]++
	if w.open == 2 && w.two != nil {
		close(w.two)
		w.two = nil
	}
	two := w.two
	w.mu.Unlock()
	if two != nil {
		<-two
	}
	for range 100 {
		runtime.Gosched() // whoever does not wait gets far ahead
	}
	err := w.Blobs.Put(ctx, t, b, name, typ, body)
	w.mu.Lock()
	w.open--
	w.mu.Unlock()
	return err
}

// settled notes a write that must not happen while row files are open.
func (w *watched) settled(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open > 0 {
		w.early = append(w.early, fmt.Sprintf("%s with %d files open", what, w.open))
	}
}

type watchedDB struct {
	store.DB
	*watched
}

func (d watchedDB) Update(ctx context.Context, t tenant.ID, table store.Table, k store.Key, u store.Update) (store.Item, error) {
	d.settled("the item")
	return d.DB.Update(ctx, t, table, k, u)
}

func (d watchedDB) Put(ctx context.Context, t tenant.ID, table store.Table, it store.Item, conds ...store.Cond) error {
	d.settled("the item")
	return d.DB.Put(ctx, t, table, it, conds...)
}

func TestFilesAreWrittenBesideTheMakingAndCountedOnlyOnceTheyAreThere(t *testing.T) {
	t.Parallel()
	for name, share := range map[string]int64{"in one pass": 100, "written twice, since the breaker trips": 10} {
		for _, job := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, by a job %t", name, job), func(t *testing.T) {
				t.Parallel()
				k, in := manyRows(6_000)
				if in.Breaker.SharePercent = share; share < 100 {
					in.Breaker.DropPercent, in.Breaker.AtLeast = 30, 20
				}
				want := build(t, in, k)
				w := newWorld()
				seen := &watched{Blobs: w.blobs, files: map[string]int{}, two: make(chan struct{})}
				if job {
					w.begin(t, in)
					m := w.maker(k, forever, true, 0)
					m.Store = &plan.Store{DB: watchedDB{w.db, seen}, Blobs: seen, Clock: w.clock}
					m.SaveEvery = 3_000
					if done, err := m.Run(t.Context(), acme, planID, w.clock.Now().Add(runs)); err != nil || !done {
						t.Fatal(done, err)
					}
				} else {
					s := &plan.Store{DB: watchedDB{w.db, seen}, Blobs: seen, Clock: w.clock}
					if _, err := s.Create(t.Context(), in, k); err != nil {
						t.Fatal(err)
					}
				}
				if seen.most < 2 || seen.most > 8 || len(seen.early) > 0 || seen.open != 0 {
					t.Errorf("%d files at once, %d open at the end; too early: %q", seen.most, seen.open, seen.early)
				}
				// Six files of rows, and one for each lane; none of a lane when all is held.
				files, times := 8, 1
				if share < 100 {
					files, times = 6, 2
				}
				for name, n := range seen.files {
					if n != times {
						t.Errorf("%s was written %d times", name, n)
					}
				}
				if len(seen.files) != files {
					t.Errorf("%d files, want %d", len(seen.files), files)
				}
				w.samePlan(t, in, k, want)
			})
		}
	}
}

// A run that fails leaves no file behind that is still on its way: it could fall
// upon one of the run that follows.
func TestARunThatFailsWaitsForItsFiles(t *testing.T) {
	t.Parallel()
	k, in := manyRows(5_000)
	w := newWorld()
	w.begin(t, in)
	seen := &watched{Blobs: w.blobs, files: map[string]int{}}
	m := w.maker(k, forever, true, 0)
	m.Store = &plan.Store{DB: watchedDB{w.db, seen}, Blobs: seen, Clock: w.clock}
	m.SaveEvery = 1 << 40
	m.Offers = &brokenAfter{known: k, calls: 4}
	if done, err := m.Run(t.Context(), acme, planID, w.clock.Now().Add(runs)); err == nil || done {
		t.Fatal("the run did not fail")
	}
	if seen.open != 0 || len(seen.early) > 0 || len(seen.files) == 0 {
		t.Errorf("%d files, %d open; too early: %q", len(seen.files), seen.open, seen.early)
	}
	w.finish(t, k)
	w.samePlan(t, in, k, build(t, in, k))
}

// brokenAfter fails after so many look-ups.
type brokenAfter struct {
	*known
	calls int
}

func (b *brokenAfter) Offers(ctx context.Context, t tenant.ID, keys []price.OfferKey) (map[price.OfferKey]price.Offer, error) {
	if b.calls--; b.calls < 0 {
		return nil, errDead
	}
	return b.known.Offers(ctx, t, keys)
}
