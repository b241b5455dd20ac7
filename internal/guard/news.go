package guard

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

const (
	// CallLasts is longer than a call that changes something can (template.yaml, the
	// Timeout of price-upload). A notice is written within that time of its At.
	CallLasts = 30 * time.Second
	// NewsAfter is how long after it was sent News is delivered at the earliest: by then
	// the call has ended, and so has every other whose notice may be older than its.
	NewsAfter = 2 * CallLasts
)

// News is the message that has a tenant's owners told of a change. It is sent before the
// change is written: one that nothing came of finds no notice, and there is no change
// without one.
type News struct {
	Kind   string    `json:"kind"`
	Tenant tenant.ID `json:"tenant"`
	Since  int64     `json:"since"` // Unix milliseconds: when the call had not yet changed anything
	Trace  string    `json:"trace,omitempty"`
}

// KindNews is the kind of News.
const KindNews = "guard-news"

// At is Since as a time.
func (n News) At() time.Time { return time.UnixMilli(n.Since).UTC() }

// ParseNews reads a message; it checks that the tenant is well formed and that there is
// a time.
func ParseNews(body []byte) (News, error) {
	var n News
	if err := json.Unmarshal(body, &n); err != nil {
		return News{}, fmt.Errorf("guard: message: %w", err)
	}
	if n.Kind != KindNews || !n.Tenant.Valid() || n.Since <= 0 {
		return News{}, fmt.Errorf("guard: message of kind %q since %d of tenant %q", n.Kind, n.Since, n.Tenant)
	}
	return n, nil
}

// Bell sends News.
type Bell struct {
	Queue store.Queue
	Trace func(context.Context) string // nil for none
}

// Ring has the message delivered after the delay.
func (b Bell) Ring(ctx context.Context, n News, delay time.Duration) error {
	n.Kind = KindNews
	if n.Trace == "" && b.Trace != nil {
		n.Trace = b.Trace(ctx)
	}
	if err := store.SendJSON(ctx, b.Queue, n, delay); err != nil {
		return fmt.Errorf("guard: send news: %w", err)
	}
	return nil
}
