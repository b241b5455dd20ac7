package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"pricemanager/infra/local/localaws"
	"pricemanager/infra/local/stack"
	"pricemanager/internal/clock"
	"pricemanager/internal/price"
	"pricemanager/test/fakeamazon"
)

// account is the seller's at Amazon. It really has only the offers of the first
// rows of the file, which are sent first.
const (
	account  = "A2MILLION"
	atAmazon = 200
)

// world is the running product.
type world struct {
	*stack.Stack
	api  api
	conn price.ConnectionID
	log  *journal
	say  func(format string, args ...any)
}

// open starts the stack and connects the seller. The log is kept.
func open(ctx context.Context, rows int, out io.Writer) (w *world, err error) {
	root, err := localaws.ProjectRoot()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(root, ".local", "bench-million")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	begun := time.Now()
	w = &world{say: func(format string, args ...any) {
		fmt.Fprintf(out, "%7.1f s  "+format+"\n", append([]any{time.Since(begun).Seconds()}, args...)...)
	}}
	if w.log, err = openJournal(filepath.Join(dir, "log")); err != nil {
		return nil, err
	}
	w.say("starting (log: %s)", filepath.Join(dir, "log"))
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.Stack, err = stack.Up(ctx, stack.Options{Log: w.log}); err != nil {
		return w, err
	}
	w.api = api{w.URL, w.APIKey}
	return w, w.connect(ctx, min(rows, atAmazon))
}

func (w *world) close() error {
	var errs []error
	if w.Stack != nil {
		errs = append(errs, w.Close())
	}
	return errors.Join(append(errs, w.log.close())...)
}

// connect consents as the seller, and waits until Amazon's offers are known.
func (w *world) connect(ctx context.Context, n int) error {
	listings := make([]fakeamazon.Listing, n)
	for i := range listings {
		listings[i] = fakeamazon.Listing{Marketplace: de, SKU: sku(i), Price: fmt.Sprintf("%d.%02d", cents(i)/100, cents(i)%100)}
	}
	seed := fakeamazon.Seed{Sellers: []fakeamazon.Seller{
		{ID: account, Region: price.EU, Marketplaces: []price.MarketplaceID{de}, Listings: listings},
	}}
	if _, err := ask[any](ctx, api{base: w.AdminURL}, "POST", "/sellers", seed); err != nil {
		return err
	}
	c, err := ask[connectionDoc](ctx, w.api, "POST", "/connections", map[string]string{"region": "EU"})
	if err != nil {
		return err
	}
	if err := w.Consent(ctx, c.AuthorizeURL, account); err != nil {
		return err
	}
	w.conn = price.ConnectionID(c.ID)
	return until(ctx, 2*time.Minute, "Amazon's own offers are known", func() (bool, error) {
		c, err := ask[connectionDoc](ctx, w.api, "GET", "/connections/"+c.ID, nil)
		return c.Import.State == "done" && c.Import.Known == n, err
	})
}

// until asks until it is so, every half second.
func until(ctx context.Context, limit time.Duration, what string, so func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		ok, err := so()
		if err != nil || ok {
			return err
		}
		if err := (clock.Real{}).Sleep(ctx, 500*time.Millisecond); err != nil {
			return fmt.Errorf("gave up after %s waiting until %s: %w", limit, what, err)
		}
	}
}
