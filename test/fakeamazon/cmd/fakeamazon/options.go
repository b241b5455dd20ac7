package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"pricemanager/internal/clock"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/test/fakeamazon"
)

// options are the flags.
type options struct {
	addr, state, seedFile               string
	seed                                uint64
	speed                               int
	report, marketplace, seller, region string
	fill                                bool
	drop                                []string
	appID, clientID, secretFile         string
	redirects                           []string
	newSecrets                          string
	draft                               bool
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("fakeamazon", flag.ContinueOnError)
	flags.StringVar(&o.addr, "addr", "127.0.0.1:0", "address to listen on")
	flags.StringVar(&o.state, "state", "", "file that keeps catalogue and authorisations over a restart")
	flags.Uint64Var(&o.seed, "seed", 1, "decides delays, identifiers and tokens")
	flags.IntVar(&o.speed, "speed", 1, "times Amazon's real pace")
	flags.StringVar(&o.seedFile, "seed-file", "", "JSON with sellers and listings")
	flags.StringVar(&o.report, "listings", "", "active-listings report of -seller")
	flags.StringVar(&o.marketplace, "marketplace", "", "marketplace of all rows of -listings; empty: column marketplace, and -region")
	flags.StringVar(&o.region, "region", "", "region of -seller when -marketplace is empty")
	flags.StringVar(&o.seller, "seller", "", "seller id of -listings")
	flags.BoolVar(&o.fill, "fill", false, "derive bounds and B2B prices for -listings")
	list := func(to *[]string) func(string) error {
		return func(s string) error { *to = append(*to, s); return nil }
	}
	flags.Func("drop-sku", "SKU whose price changes vanish silently; may be repeated", list(&o.drop))
	flags.StringVar(&o.appID, "app-id", "amzn1.sp.solution.fake", "application id")
	flags.StringVar(&o.clientID, "client-id", "amzn1.application-oa2-client.fake", "LWA client id")
	flags.StringVar(&o.secretFile, "client-secret-file", "", "file with the LWA client secret")
	flags.Func("redirect-uri", "registered OAuth redirect URI; may be repeated, the first is the default", list(&o.redirects))
	flags.StringVar(&o.newSecrets, "new-secret-file", "", "file that takes the place of the queue for new client secrets, a JSON line each; empty: none is registered")
	flags.BoolVar(&o.draft, "draft", false, "the application is in draft status")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.secretFile == "" || len(o.redirects) == 0 {
		return o, errors.New("-client-secret-file and -redirect-uri are required")
	}
	return o, nil
}

// start makes the fake and seeds it. What the state file already has is not
// seeded again: a restart keeps the prices that were set.
func (o options) start(logger *slog.Logger) (*fakeamazon.Fake, error) {
	raw, err := os.ReadFile(o.secretFile)
	if err != nil {
		return nil, fmt.Errorf("client secret: %w", err)
	}
	_, err = os.Stat(o.state)
	fresh := o.state == "" || err != nil
	cfg := fakeamazon.Config{
		Seed: o.seed, Clock: clock.Real{}, Speed: o.speed, Unasked: true, StateFile: o.state, Logger: logger,
		Application: fakeamazon.Application{
			ID: o.appID, ClientID: o.clientID, ClientSecret: secret.New(strings.TrimSpace(string(raw))),
			RedirectURIs: o.redirects, Draft: o.draft,
		},
	}
	if o.newSecrets != "" {
		cfg.SecretQueue = func(message secret.Value) {
			if err := appendLine(o.newSecrets, message); err != nil {
				logger.Error("a new client secret is lost", "error", err.Error())
			}
		}
	}
	fake, err := fakeamazon.New(cfg)
	if err != nil {
		return nil, err
	}
	if fresh {
		if err := o.seedInto(fake); err != nil {
			err = errors.Join(err, fake.Close())
			_ = os.Remove(o.state) // half a seed must not pass for a state next time
			return nil, err
		}
	}
	for _, sku := range o.drop {
		if _, err := fake.AddFault(fakeamazon.Fault{Kind: fakeamazon.DropPrice, SKU: price.SKU(sku)}); err != nil {
			return nil, errors.Join(err, fake.Close())
		}
	}
	return fake, nil
}

// appendLine adds a message to a file that nobody else may read.
func appendLine(name string, message secret.Value) error {
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(file, message.Reveal())
	return errors.Join(err, file.Close())
}

func (o options) seedInto(fake *fakeamazon.Fake) error {
	if o.seedFile != "" {
		raw, err := os.ReadFile(o.seedFile)
		if err != nil {
			return err
		}
		if err := fake.LoadSeed(bytes.NewReader(raw)); err != nil {
			return err
		}
	}
	if o.report == "" {
		return nil
	}
	file, err := os.Open(o.report)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // only read
	seed := fakeamazon.ReportSeed{Region: price.Region(o.region), Seller: o.seller, Fill: o.fill}
	var markets []price.MarketplaceID
	for _, m := range price.Marketplaces() {
		if string(m.ID) == o.marketplace {
			seed.Marketplace, seed.Region = m.ID, m.Region
			markets = []price.MarketplaceID{m.ID}
		}
	}
	if o.marketplace == "" {
		for _, m := range price.Marketplaces() {
			if m.Region == seed.Region {
				markets = append(markets, m.ID)
			}
		}
	}
	if len(markets) == 0 {
		return fmt.Errorf("-marketplace %q and -region %q name no marketplace", o.marketplace, o.region)
	}
	if err := fake.AddSeller(fakeamazon.Seller{ID: o.seller, Region: seed.Region, Marketplaces: markets}); err != nil {
		return err
	}
	_, err = fake.LoadReport(file, seed)
	return err
}
