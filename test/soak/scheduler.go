package soak

import (
	"container/heap"
	"context"
	"encoding/binary"
	"hash"
	"hash/fnv"
	"math/rand/v2"
	"runtime"
	"time"

	"pricemanager/internal/price"
)

// epoch is when every simulated world begins.
var epoch = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

// scheduler runs tasks one at a time in virtual time. Whichever goroutine holds
// the baton runs the scheduler's own code, so nothing here needs a lock.
type scheduler struct {
	now    time.Duration // since epoch
	events events
	seq    uint64
	rng    *rand.Rand
	cur    *task
	tasks  int
	ended  chan struct{}
	hash   hash.Hash64
	buf    [24]byte
	steps  int64
	over   bool // nothing more happens
}

// event wakes a task or calls a function at a time.
type event struct {
	at   time.Duration
	tie  uint64 // drawn from the seed: decides between events of the same time
	seq  uint64
	task *task
	gen  uint64
	call func()
}

type events []event

func (h events) Len() int { return len(h) }
func (h events) Less(i, j int) bool {
	a, b := &h[i], &h[j]
	switch {
	case a.at != b.at:
		return a.at < b.at
	case a.tie != b.tie:
		return a.tie < b.tie
	}
	return a.seq < b.seq
}
func (h events) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *events) Push(x any)   { *h = append(*h, x.(event)) }
func (h *events) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = event{}
	*h = old[:len(old)-1]
	return e
}

// process is what dies and freezes as a whole: one run of a function.
type process struct {
	s      *scheduler
	id     int64
	skew   time.Duration // its clock minus the true time
	dead   bool
	frozen time.Duration // nothing of it runs before
	tasks  []*task
	ended  bool
	froze  bool                        // it has stood still
	slowAt time.Duration               // when something last kept it waiting
	rang   map[price.ConnectionID]bool // lanes that it sent a doorbell for
}

// task is one goroutine of a process.
type task struct {
	p    *process
	wake chan struct{}
	gen  uint64 // counts its waits: an event of an earlier wait is void

	begun, stopsFrom, stopsTo time.Duration // when it read the stops, 0 for not at all
}

func newScheduler(seed uint64) *scheduler {
	return &scheduler{rng: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)), hash: fnv.New64a()}
}

func (s *scheduler) time() time.Time { return epoch.Add(s.now) }

func (s *scheduler) push(e event) {
	s.seq++
	e.seq, e.tie = s.seq, s.rng.Uint64()
	e.at = max(e.at, s.now)
	heap.Push(&s.events, e)
}

// after calls fn at a later time. It must not wait.
func (s *scheduler) after(d time.Duration, fn func()) { s.push(event{at: s.now + d, call: fn}) }

// note makes something that happened part of the history.
func (s *scheduler) note(what string, n int64) {
	binary.LittleEndian.PutUint64(s.buf[0:], uint64(s.now))
	binary.LittleEndian.PutUint64(s.buf[8:], uint64(n))
	_, _ = s.hash.Write(s.buf[:16])
	_, _ = s.hash.Write([]byte(what))
}

// spawn starts a task of a process.
func (s *scheduler) spawn(p *process, fn func()) {
	t := &task{p: p, wake: make(chan struct{}, 1), begun: s.now}
	p.tasks = append(p.tasks, t)
	s.tasks++
	s.push(event{at: s.now, task: t})
	go func() {
		<-t.wake
		defer s.exit(t) // also when the task was killed
		if !p.dead {
			fn()
		}
	}()
}

func (s *scheduler) exit(t *task) {
	p := t.p
	for i, x := range p.tasks {
		if x == t {
			p.tasks = append(p.tasks[:i], p.tasks[i+1:]...)
			break
		}
	}
	s.tasks--
	s.dispatch(nil)
}

// kill ends a process: none of its tasks gets any further.
func (s *scheduler) kill(p *process) {
	p.dead, p.frozen = true, 0
	for _, t := range p.tasks {
		if t != s.cur {
			s.push(event{at: s.now, task: t, gen: t.gen})
		}
	}
}

// run lets everything happen until nothing is left to happen, or it is over.
func (s *scheduler) run() {
	s.ended = make(chan struct{})
	s.dispatch(nil)
	<-s.ended
}

// dispatch passes the baton to the task whose turn is next, and returns once it
// is t's turn. With a nil t it returns at once: that goroutine is done.
func (s *scheduler) dispatch(t *task) {
	for {
		if len(s.events) == 0 || s.over {
			close(s.ended)
			if t != nil {
				<-t.wake // nobody will ever wake it; the world reports it as stuck
			}
			return
		}
		e := heap.Pop(&s.events).(event)
		if e.task != nil && e.task.gen != e.gen {
			continue
		}
		if e.task != nil && e.task.p.frozen > e.at {
			e.at = e.task.p.frozen
			s.push(e)
			continue
		}
		s.now = e.at
		s.steps++
		if e.call != nil {
			s.cur = nil // a call is nobody's task
			e.call()
			continue
		}
		e.task.gen++
		s.cur = e.task
		if e.task == t {
			return
		}
		e.task.wake <- struct{}{}
		if t != nil {
			<-t.wake
		}
		return
	}
}

// wait blocks the running task until somebody wakes it.
func (s *scheduler) wait() {
	t := s.cur
	s.dispatch(t)
	if t.p.dead {
		runtime.Goexit()
	}
}

// wakeUp ends the current wait of a task.
func (s *scheduler) wakeUp(t *task) { s.push(event{at: s.now, task: t, gen: t.gen}) }

// sleep lets the running task wait for d.
func (s *scheduler) sleep(d time.Duration) {
	s.push(event{at: s.now + d, task: s.cur, gen: s.cur.gen})
	s.wait()
}

// clockOf is the clock of one process: virtual, and a little off.
type clockOf struct{ p *process }

func (c clockOf) Now() time.Time { return c.p.s.time().Add(c.p.skew) }

func (c clockOf) Sleep(ctx context.Context, d time.Duration) error {
	if d > 0 {
		c.p.s.sleep(d)
	}
	return ctx.Err()
}

// WithDeadline gives a context with a virtual deadline. Nothing ends it: the
// adapters look at the deadline themselves.
func (c clockOf) WithDeadline(ctx context.Context, at time.Time) (context.Context, context.CancelFunc) {
	return bounded{ctx, at}, func() {}
}

type bounded struct {
	context.Context
	at time.Time
}

func (b bounded) Deadline() (time.Time, bool) { return b.at, true }

// left is how much time a context has by the clock of a process.
func (p *process) left(ctx context.Context) time.Duration {
	at, ok := ctx.Deadline()
	if !ok {
		return time.Hour
	}
	return at.Sub(clockOf{p}.Now())
}

// flight runs the engine's calls as tasks of its process.
type flight struct {
	p       *process
	results []func()
	waiter  *task
}

func (f *flight) Go(call func() func()) {
	f.p.s.spawn(f.p, func() {
		apply := call()
		f.results = append(f.results, apply)
		if f.waiter != nil {
			f.p.s.wakeUp(f.waiter)
			f.waiter = nil
		}
	})
}

func (f *flight) Wait(_ context.Context, until time.Time) (func(), bool) {
	s := f.p.s
	for len(f.results) == 0 {
		left := until.Sub(clockOf{f.p}.Now())
		if left <= 0 {
			return nil, false
		}
		if left < 1000*time.Hour {
			s.push(event{at: s.now + left, task: s.cur, gen: s.cur.gen})
		}
		f.waiter = s.cur
		s.wait()
		f.waiter = nil
	}
	apply := f.results[0]
	f.results = f.results[1:]
	return apply, true
}
