package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"pricemanager/infra/local/canaries"
	"pricemanager/infra/local/demo"
	"pricemanager/infra/local/stack"
	"pricemanager/internal/price"
	"pricemanager/test/canary"
)

// The seller accounts of the demo files, and of a catalogue brought along.
const (
	demoSellerEU = "A2DEMOSELLEREU"
	demoSellerNA = "A2DEMOSELLERNA"
	ownSeller    = "A2OWNCATALOGUE"
)

// job is the main job: which files to send, to which sellers.
type job struct {
	files   []demo.File
	sellers map[price.Region]string
}

// jobFrom reads PRICES, LISTINGS and MARKETPLACE, and tells the fake Amazon
// what to have in its catalogue. Without them it is the demo files.
func jobFrom(getenv func(string) string, o *stack.Options) (job, error) {
	prices, listings, marketplace := getenv("PRICES"), getenv("LISTINGS"), getenv("MARKETPLACE")
	o.Parameters = patience(o.Speed)
	o.Parameters["LimitAllow"] = getenv("ALLOW")
	for _, sku := range strings.FieldsFunc(getenv("DROP"), func(r rune) bool { return r == '\n' }) {
		o.AmazonArgs = append(o.AmazonArgs, "-drop-sku", sku)
	}
	if prices == "" && listings == "" {
		dir := filepath.Join(o.Root, "events", "prices")
		o.SeedFile = filepath.Join(dir, "fakeamazon-seed.json")
		return job{
			files: []demo.File{
				{Path: filepath.Join(dir, "us-price-quantity.txt"), Marketplace: "US"},
				{Path: filepath.Join(dir, "eu-prezzi.csv")},
			},
			sellers: map[price.Region]string{price.EU: demoSellerEU, price.NA: demoSellerNA},
		}, nil
	}
	if prices == "" || listings == "" {
		return job{}, errors.New("give both PRICES=path/to/price-file and LISTINGS=path/to/active-listings-report, or neither")
	}
	for name, path := range map[string]string{"PRICES": prices, "LISTINGS": listings} {
		if _, err := os.Stat(path); err != nil {
			return job{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	region := price.EU
	if r := price.Region(strings.ToUpper(getenv("REGION"))); r.Valid() {
		region = r
	}
	o.AmazonArgs = append(o.AmazonArgs, "-listings", listings, "-seller", ownSeller)
	if marketplace != "" {
		m, ok := price.FindMarketplace(marketplace)
		if !ok {
			return job{}, fmt.Errorf("MARKETPLACE is %q: want an Amazon marketplace id or a country code such as DE", marketplace)
		}
		region = m.Region
		o.AmazonArgs = append(o.AmazonArgs, "-marketplace", string(m.ID))
	} else {
		o.AmazonArgs = append(o.AmazonArgs, "-region", string(region))
	}
	return job{files: []demo.File{{Path: prices, Marketplace: marketplace}}, sellers: map[price.Region]string{region: ownSeller}}, nil
}

// patience shortens the times that the product waits for the real Amazon, which
// may take a quarter of an hour to show a price: the fake takes 2 to 6 seconds.
func patience(speed int) map[string]string {
	scaled := func(seconds int) string { return strconv.Itoa(max(seconds/max(speed, 1), 2)) + "s" }
	return map[string]string{"Visibility": scaled(6), "UnknownFor": scaled(20), "ConfirmWithin": scaled(60)}
}

// do runs the main job on a stack and shows the summary.
func (j job) do(ctx context.Context, s *stack.Stack, exports string, out io.Writer, transport http.RoundTripper) (demo.Result, error) {
	r, err := demo.Run(ctx, demo.Options{
		URL: s.URL, APIKey: s.APIKey, Files: j.files, Sellers: j.sellers, ExportDir: exports, Out: out, Terminal: isTerminal(out), Transport: transport,
	})
	fmt.Fprintf(out, `
  rows       %6d = %d planned + %d held + %d refused + %d unchanged
  sent       %6d   accepted %d   observed %d   unconfirmed %d
  ledger     %6d events, verified offline: %t
  export     %6d files in %s
  time       %6.1f s, of which %.1f s from the first upload to the last price read back
`, r.Rows, r.Planned, r.Held, r.Refused, r.Unchanged, r.Sent, r.Accepted, r.Observed, r.Unconfirmed,
		r.LedgerEvents, r.LedgerVerified, r.ExportFiles, orDash(r.Export), r.Seconds, r.SendSeconds)
	return r, err
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func isTerminal(w io.Writer) bool {
	if t, both := w.(*tee); both {
		w = t.to
	}
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// runDemo is `make demo`: the main job on a stack of its own, which forgets
// everything afterwards. The last line is one JSON object.
func runDemo(ctx context.Context, out io.Writer, getenv func(string) string) error {
	o, err := optionsFrom(getenv)
	if err != nil {
		return err
	}
	// An isolated stack: another one may be running on the usual ports.
	o.Port, o.AWSPort, o.AmazonPort = 0, 0, 0
	o.StateDir, err = os.MkdirTemp("", "demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(o.StateDir) }()
	j, err := jobFrom(getenv, &o)
	if err != nil {
		return err
	}
	o.Parameters["LimitAllow"] = "127.0.0.1" // it is in a hurry
	log, err := openLog(filepath.Join(o.Root, ".local", "demo"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	logged, said := &tee{to: log}, &tee{to: out}
	o.Log, out = logged, said
	start := time.Now()
	fmt.Fprintf(out, "Starting the local AWS and the fake Amazon at %dx Amazon's pace (log: %s)\n", o.Speed, log.Name())
	s, err := stack.Up(ctx, o)
	if err != nil {
		return fmt.Errorf("%w\n(more in %s)", err, log.Name())
	}
	fmt.Fprintf(out, "Up after %.1f s\n", time.Since(start).Seconds())
	watch := canaries.New(s)
	r, err := j.do(ctx, s, filepath.Join(o.Root, ".local", "demo"), out, watch.Answers)
	err = errors.Join(err, watch.Plant(ctx), watch.Remember(ctx), s.Close())
	if err == nil {
		// Everything that the run has left, down to what it said on this screen.
		var figures canary.Figures
		figures, err = watch.Search(o.StateDir, map[string][]byte{"log": logged.heard(), "output": said.heard()})
		r.Canary = &figures
		fmt.Fprintf(out, "  canaries   %6d planted, searched for in %d bytes, found in clear: %d\n", figures.Planted, figures.Scanned, figures.Found)
	}
	r.OK = err == nil
	if err != nil {
		fmt.Fprintln(out, "FAILED:", err)
	}
	line, merr := json.Marshal(r)
	if merr != nil {
		return merr
	}
	fmt.Fprintln(out, string(line))
	if err != nil {
		return errShown
	}
	return nil
}

// errShown is a failure that was printed already: the JSON stays the last line.
var errShown = errors.New("the demo failed")
