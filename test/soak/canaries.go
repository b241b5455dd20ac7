package soak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"pricemanager/internal/runtime/logs"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
	"pricemanager/test/canary"
)

// errReset is what is left of a cut connection. As a careless client might, it
// quotes the request with its token: that must get into no store, queue or log.
var errReset = errors.New("connection reset after GET /offers, x-amz-access-token: Atza|" + canary.MarkAccess + "-of-the-soak")

// ledgerValue is what every price event has in clear before it is sealed.
const ledgerValue = `"type":"change.observed"`

// canaries looks for planted tokens in one history: in the log as the functions
// write it, in the queue, and in the end in all items and objects. The values of
// the ledgers must be sealed, too.
type canaries struct {
	log     bytes.Buffer
	logger  *slog.Logger
	queue   map[string]bool // messages that were sent
	figures canary.Figures
}

func newCanaries() *canaries {
	c := &canaries{queue: map[string]bool{}}
	c.logger = logs.New(&c.log, slog.LevelDebug, "soak", "test")
	return c
}

func (c *canaries) logged(ctx context.Context, r slog.Record) {
	if c != nil {
		_ = c.logger.Handler().Handle(ctx, r) // a buffer takes everything
	}
}

func (c *canaries) sent(body []byte) {
	if c != nil {
		c.queue[string(body)] = true
	}
}

func (c *canaries) planted() {
	if c != nil {
		c.figures.Planted++
	}
}

// judge searches everything that the world has at its end.
func (c *canaries) judge(w *world) {
	s := canary.NewScanner(append(canary.Planted(), canary.Text("a value of the ledger", ledgerValue))...)
	w.db.Each(func(t tenant.ID, table store.Table, item store.Item) bool {
		s.JSON(fmt.Sprintf("table %s", table), item)
		return true
	})
	w.blobs.Each(func(_ tenant.ID, bucket store.Bucket, _ string, body []byte) bool {
		s.Bytes(fmt.Sprintf("bucket %s", bucket), body)
		return true
	})
	for _, body := range slices.Sorted(maps.Keys(c.queue)) {
		s.Text("queue", body)
	}
	s.Bytes("log", c.log.Bytes())
	leaks := s.Leaks()
	c.figures.Scanned, c.figures.Found = s.Scanned(), len(leaks)
	for _, l := range leaks {
		w.breach(nil, "a secret is in clear: %s", l)
	}
}
