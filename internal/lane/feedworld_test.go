package lane

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
)

// mill is Amazon's side of feeds: it keeps each feed in the queue, then in
// progress, and applies its patches to the shop when it is done.
type mill struct {
	shop *shop
	mu   sync.Mutex

	queued, takes time.Duration // from creation to IN_PROGRESS, and to the end
	end           amazon.FeedStatus
	effect        func(price.SKU) bool                  // nil: every patch takes effect
	verdict       func(price.SKU) amazon.FeedOutcome    // nil: every patch is accepted
	submit        func(n int) (make bool, answer error) // nil: made, and answered
	overAt        time.Duration                         // when the effect comes, if not at the end

	feeds  []*milled
	polls  int
	cancel int
}

type milled struct {
	id      string
	patches []amazon.Patch
	created time.Time
	status  amazon.FeedStatus
}

var _ amazon.Feeds = (*mill)(nil)

func (m *mill) Submit(ctx context.Context, _ amazon.Account, _ []price.MarketplaceID, patches []amazon.Patch) (string, error) {
	if err := m.shop.clock.Sleep(ctx, m.shop.latency); err != nil {
		return "", &amazon.Error{Op: "createFeed", Err: err}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	made, err := true, error(nil)
	if m.submit != nil {
		made, err = m.submit(len(m.feeds) + 1)
	}
	if !made {
		return "", err
	}
	f := &milled{id: fmt.Sprintf("feed-%d", len(m.feeds)+1), patches: patches, created: m.shop.clock.Now(), status: amazon.FeedInQueue}
	m.feeds = append(m.feeds, f)
	step := func(after time.Duration, do func()) {
		time.AfterFunc(after, func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			if !f.status.Final() {
				do()
			}
		})
	}
	step(m.queued, func() { f.status = amazon.FeedInProgress })
	if m.overAt > 0 {
		step(m.overAt, func() { m.apply(f) })
	}
	step(m.takes, func() {
		if f.status = m.end; f.status == "" {
			f.status = amazon.FeedDone
		}
		if m.overAt == 0 {
			m.apply(f)
		}
	})
	if err != nil {
		return "", err
	}
	return f.id, nil
}

func (m *mill) apply(f *milled) {
	m.shop.mu.Lock()
	defer m.shop.mu.Unlock()
	now := m.shop.clock.Now()
	for _, p := range f.patches {
		sh := m.shop.listings[p.Marketplace][p.SKU]
		if m.effect != nil && !m.effect(p.SKU) || m.verdict != nil && m.verdict(p.SKU).Status == amazon.Invalid {
			continue
		}
		sh.settle(now)
		sh.next, sh.at = p.Edit.Apply(sh.now), now.Add(m.shop.visible)
		m.shop.effects[p.SKU]++
	}
}

// status of the n-th feed, from 0.
func (m *mill) status(n int) amazon.FeedStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.feeds[n].status
}

func (m *mill) find(id string) *milled {
	for _, f := range m.feeds {
		if f.id == id {
			return f
		}
	}
	return nil
}

func (m *mill) Status(_ context.Context, _ amazon.Account, id string) (amazon.FeedStatus, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.polls++
	f := m.find(id)
	if f == nil {
		return "", "", &amazon.Error{Op: "getFeed", Status: http.StatusNotFound}
	}
	if f.status == amazon.FeedDone {
		return f.status, "doc-" + id, nil
	}
	return f.status, "", nil
}

func (m *mill) Cancel(_ context.Context, _ amazon.Account, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cancel++
	f := m.find(id)
	if f.status != amazon.FeedInQueue {
		return &amazon.Error{Op: "cancelFeed", Status: http.StatusBadRequest, Code: "InvalidInput"}
	}
	f.status = amazon.FeedCancelled
	return nil
}

func (m *mill) Recent(_ context.Context, _ amazon.Account, since, until time.Time) (out []amazon.FeedInfo, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range m.feeds {
		if !f.created.Before(since) && !f.created.After(until) {
			out = append(out, amazon.FeedInfo{ID: f.id, Status: f.status, Created: f.created})
		}
	}
	return out, nil
}

func (m *mill) Result(_ context.Context, _ amazon.Account, r amazon.FeedReport, each func(amazon.FeedOutcome) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.find(r.Feed)
	if f == nil || len(f.patches) != r.Messages || r.Document != "doc-"+r.Feed {
		return errors.New("no such report")
	}
	for i, p := range f.patches {
		o := amazon.FeedOutcome{Status: amazon.Accepted}
		if m.verdict != nil {
			o = m.verdict(p.SKU)
		}
		o.Index = i
		if err := each(o); err != nil {
			return err
		}
	}
	return nil
}

// withFeeds gives a world a mill that is worth using from 20 rows on.
func withFeeds(t *testing.T) (*world, *mill) {
	w := newWorld(t)
	m := &mill{shop: w.shop, queued: 20 * time.Second, takes: 40 * time.Second}
	w.engine.Feeds = m
	w.engine.Config.FeedFrom, w.engine.Config.FeedTakes, w.engine.Config.FeedStall = 20, 5*time.Second, 10*time.Minute
	return w, m
}

// run delivers doorbells and sweeps every minute, for a time.
func (w *world) run(limit time.Duration) {
	w.t.Helper()
	end := w.engine.Clock.Now().Add(limit)
	for w.engine.Clock.Now().Before(end) {
		from := w.engine.Clock.Now()
		w.pump(min(time.Minute, end.Sub(from)))
		_ = w.engine.Clock.Sleep(w.t.Context(), time.Minute-w.engine.Clock.Now().Sub(from))
		if _, err := w.engine.Bell.Sweep(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) wantCounts(id string, want Counts) {
	w.t.Helper()
	b := w.batch(id)
	for s, n := range b.Counts {
		if n != want[s] {
			w.t.Errorf("%s: %d rows %s, want %d (all: %v)", id, n, s, want[s], b.Counts)
		}
	}
	for s, n := range want {
		if b.Counts[s] != n {
			w.t.Errorf("%s: %d rows %s, want %d", id, b.Counts[s], s, n)
		}
	}
}

// state returns the rows of a batch in a state, and what their reports say.
func (w *world) inState(id string, s State) map[price.SKU]RowReport {
	w.t.Helper()
	out := map[price.SKU]RowReport{}
	for after := ""; ; {
		rows, next, err := NewBatches(w.db, w.blobs).Report(w.t.Context(), seller, id, after, ReportPage, "")
		if err != nil {
			w.t.Fatal(err)
		}
		for _, r := range rows {
			if r.State == s {
				out[r.SKU] = r
			}
		}
		if next == "" {
			return out
		}
		after = next
	}
}

func (w *world) wantOneFeed(id string, state string) FeedView {
	w.t.Helper()
	b := w.batch(id)
	if len(b.Feeds) != 1 || b.Feeds[0].State != state || b.Routes[conn].Kind != ByFeed || !strings.HasPrefix(b.Routes[conn].Reason, "feeds: ") {
		w.t.Fatalf("feeds %+v, route %+v", b.Feeds, b.Routes[conn])
	}
	return b.Feeds[0]
}
