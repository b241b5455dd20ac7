package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/lane"
	"pricemanager/internal/price"
	"pricemanager/internal/tenant"
)

// booksOf are the connections as the engine asks about them.
type booksOf struct {
	w *world
	p *process
}

var _ lane.Connections = booksOf{}

func (b booksOf) Account(_ context.Context, t tenant.ID, c price.ConnectionID) (a amazon.Account, m []price.MarketplaceID, err error) {
	err = b.w.call(b.p, "account", false, func() error {
		a, m = amazon.Account{Tenant: t, Connection: c, Region: price.EU, Seller: string(c)}, markets
		return nil
	})
	return a, m, err
}

// MarkReauthorise has the seller connect again after a while.
func (b booksOf) MarkReauthorise(_ context.Context, a amazon.Account, _ string) error {
	return b.w.call(b.p, "mark re-authorise", true, func() error { //nolint:contextcheck // what follows happens in a process of its own
		c := b.w.conns[a.Connection]
		if c.revoked && !c.asked {
			c.asked = true
			b.w.s.after(b.w.between(10*time.Second, 60*time.Second), func() { b.w.authorise(c) })
		}
		return nil
	})
}

func (b booksOf) ImportProgress(context.Context, tenant.ID, price.ConnectionID, int64, int64) error {
	return b.w.call(b.p, "import progress", true, func() error { return nil })
}

func (b booksOf) ImportDone(context.Context, tenant.ID, price.ConnectionID, int64) error {
	return b.w.call(b.p, "import done", true, func() error { return nil })
}

// authorise renews a seller's consent, and asks for an import until that works,
// as the function behind the consent page does.
func (w *world) authorise(c *connection) {
	c.revoked, c.asked = false, false
	w.ask(func(ctx context.Context, e *lane.Engine) error { return e.Bell.RequestImport(ctx, c.t.id, c.id) })
}

// ask makes a seller's request, again and again until it succeeds.
func (w *world) ask(request func(context.Context, *lane.Engine) error) {
	w.open++
	done := false
	w.start(func(p *process, e *lane.Engine) {
		done = request(context.Background(), e) == nil
	}, func(bool) {
		w.open--
		if !done {
			w.open++
			w.s.after(w.between(time.Second, 5*time.Second), func() { w.open--; w.ask(request) })
		}
	})
}

func catalogue(r io.Reader, _ price.MarketplaceID, row func(lane.CatalogueRow) error) error {
	b, err := io.ReadAll(r)
	for _, sku := range strings.Fields(string(b)) {
		err = errors.Join(err, row(lane.CatalogueRow{SKU: price.SKU(sku)}))
	}
	return err
}

// logTo makes the engine's log part of the history.
type logTo struct {
	w *world
	p *process
}

func (l logTo) Enabled(context.Context, slog.Level) bool { return true }
func (l logTo) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l logTo) WithGroup(string) slog.Handler            { return l }
func (l logTo) Handle(ctx context.Context, r slog.Record) error {
	l.w.canaries.logged(ctx, r)
	if r.Message == "lane lost to another worker" {
		l.w.fault(LeaseLost)
	}
	if l.w.tracing {
		text := r.Message
		r.Attrs(func(a slog.Attr) bool { text += fmt.Sprintf(" %s=%v", a.Key, a.Value); return true })
		l.w.trace(l.p, "log: %s", text)
	}
	return nil
}
