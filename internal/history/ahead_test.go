package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

// counting counts the gets that were begun and whose piece f is not done with. The
// very first one waits for a second.
type counting struct {
	*memory.Blobs
	all, open, most atomic.Int64
	second          chan struct{}
	fails           string
}

func (c *counting) Get(ctx context.Context, t tenant.ID, b store.Bucket, name string) ([]byte, error) {
	n := c.open.Add(1)
	for m := c.most.Load(); n > m && !c.most.CompareAndSwap(m, n); m = c.most.Load() {
	}
	switch c.all.Add(1) {
	case 1:
		select {
		case <-c.second:
		case <-time.After(10 * time.Second):
			return nil, errors.New("no other piece is asked for meanwhile")
		}
	case 2:
		close(c.second)
	}
	if name == c.fails {
		return nil, errShaky
	}
	return c.Blobs.Get(ctx, t, b, name)
}

func TestPiecesComeInOrderAndFewAtATime(t *testing.T) {
	t.Parallel()
	clk := clock.NewManual(begun)
	blobs := &counting{Blobs: memory.NewBlobs(clk), second: make(chan struct{})}
	h := &History{Blobs: blobs, Clock: clk}
	var names []string
	for i := range 50 {
		names = append(names, fmt.Sprintf("runs/%02d", i))
		if err := blobs.Put(t.Context(), owner, store.History, names[i], "text/plain", []byte(names[i])); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	read := func(ctx context.Context) error {
		got = nil
		blobs.open.Store(0)
		return h.pieces(ctx, owner, names, func(body []byte) error {
			got = append(got, string(body))
			blobs.open.Add(-1)
			return nil
		})
	}
	if err := read(t.Context()); err != nil || !slices.Equal(got, names) {
		t.Errorf("got %q, %v", got, err)
	}
	if n := blobs.most.Load(); n > getsAtOnce {
		t.Errorf("%d pieces at once, want at most %d", n, getsAtOnce)
	}
	blobs.fails = names[20]
	if err := read(t.Context()); !errors.Is(err, errShaky) || !slices.Equal(got, names[:20]) {
		t.Errorf("of a piece that cannot be read: %d read, %v", len(got), err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("called off: %v", err)
	}
}
