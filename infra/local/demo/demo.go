// Package demo does the product's main job on a running stack through the
// public API alone, as a seller would: connect, import, upload, plan, apply,
// watch, verify, export. It is the end of `make run`, all of `make demo`, and
// the integration tests' way of getting work done.
//
// It promises to believe nothing: the books are counted again from the seller's
// own ledger in the GDPR export, verified offline. It fails when a price was
// not observed, when a count does not add up, or when the ledger has more or
// fewer than one event per change and transition. It changes nothing but
// through the API, and can be run again on the same stack.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/test/canary"
)

// File is one price file.
type File struct {
	Path        string
	Marketplace string // for files without a marketplace column; "" else
}

// Options say what to do and where.
type Options struct {
	URL       string // the product, e.g. http://localhost:8080
	APIKey    secret.Value
	Files     []File
	Sellers   map[price.Region]string // seller account to authorise per region
	ExportDir string
	Out       io.Writer
	Terminal  bool          // Out is a terminal
	Patience  time.Duration // how long the batches may take; 0 is 30 min
	Now       func() time.Time
	Transport http.RoundTripper // to the product; nil is the usual one
}

// Result is what was done, in rows and events. It is also the last line that
// `make demo` prints.
type Result struct {
	OK             bool     `json:"ok"`
	Rows           int      `json:"rows"`
	Planned        int      `json:"planned"`
	Held           int      `json:"held"`
	Refused        int      `json:"refused"`
	Unchanged      int      `json:"unchanged"`
	Sent           int64    `json:"sent"`
	Accepted       int64    `json:"accepted"`
	Observed       int64    `json:"observed"`
	Unconfirmed    int64    `json:"unconfirmed"`
	LedgerEvents   int64    `json:"ledgerEvents"`
	LedgerVerified bool     `json:"ledgerVerified"`
	ExportFiles    int      `json:"exportFiles"`
	Seconds        float64  `json:"seconds"`
	SendSeconds    float64  `json:"sendSeconds"`
	Missing        []string `json:"missing,omitempty"` // offers whose price was not observed
	// Canary is how many secrets and personal data were planted and searched for,
	// by `make demo`.
	Canary *canary.Figures `json:"canary,omitempty"`
	Export string          `json:"-"`
}

// ErrBooks says that the counts do not agree.
var ErrBooks = errors.New("the books do not balance")

type demo struct {
	opt     Options
	api     *client
	now     func() time.Time
	plans   []string          // made in this run
	markets map[string]string // marketplace id -> country, for the table
}

// Run does the main job. The result is filled as far as it came.
func Run(ctx context.Context, opt Options) (Result, error) {
	d := &demo{opt: opt, now: opt.Now, markets: map[string]string{},
		api: &client{base: strings.TrimSuffix(opt.URL, "/"), key: opt.APIKey, http: &http.Client{Timeout: time.Minute, Transport: opt.Transport}}}
	if d.now == nil {
		d.now = time.Now
	}
	for _, m := range price.Marketplaces() {
		d.markets[string(m.ID)] = m.Country
	}
	start := d.now()
	var r Result
	err := d.run(ctx, &r)
	r.Seconds = d.now().Sub(start).Round(100 * time.Millisecond).Seconds()
	r.OK = err == nil
	return r, err
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.opt.Out, format+"\n", args...) }

func (d *demo) run(ctx context.Context, r *Result) error {
	if err := d.connectAll(ctx); err != nil {
		return err
	}
	var batches []string
	sending := d.now()
	for _, f := range d.opt.Files {
		id, err := d.upload(ctx, f, r)
		if err != nil {
			return err
		}
		if id != "" {
			batches = append(batches, id)
		}
	}
	if err := d.watch(ctx, batches, r); err != nil {
		return err
	}
	r.SendSeconds = d.now().Sub(sending).Round(100 * time.Millisecond).Seconds()
	return d.prove(ctx, batches, r)
}

// connectAll connects one seller account per region, by Amazon's own pages, and
// waits until the catalogue of each is known.
func (d *demo) connectAll(ctx context.Context) error {
	var have struct {
		Items []connection `json:"items"`
	}
	if err := d.api.get(ctx, "/connections", nil, &have); err != nil {
		return err
	}
	regions := make([]price.Region, 0, len(d.opt.Sellers))
	for region := range d.opt.Sellers {
		regions = append(regions, region)
	}
	slices.Sort(regions)
	var ids []string
	for _, region := range regions {
		i := slices.IndexFunc(have.Items, func(c connection) bool { return c.Region == string(region) && c.State == "active" })
		if i >= 0 {
			d.say("Connected already: %s seller %s", region, have.Items[i].Seller)
			ids = append(ids, have.Items[i].ID)
			continue
		}
		var c connection
		if err := d.api.post(ctx, "/connections", map[string]string{"region": string(region)}, &c); err != nil {
			return err
		}
		if err := consent(ctx, c.AuthorizeURL, d.opt.Sellers[region]); err != nil {
			return err
		}
		if err := d.api.get(ctx, "/connections/"+c.ID, nil, &c); err != nil {
			return err
		}
		if c.State != "active" {
			return fmt.Errorf("the connection is %s after the seller's consent, want active", c.State)
		}
		d.say("Connected: %s seller %s, by Amazon's consent page", region, c.Seller)
		ids = append(ids, c.ID)
	}
	for _, id := range ids {
		if err := d.imported(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) imported(ctx context.Context, id string) error {
	b := bar{w: d.opt.Out, terminal: d.opt.Terminal, every: 5 * time.Second}
	return d.poll(ctx, 500*time.Millisecond, 10*time.Minute, func() (bool, error) {
		var c connection
		if err := d.api.get(ctx, "/connections/"+id, nil, &c); err != nil {
			return false, err
		}
		switch c.Import.State {
		case "done":
			b.show(d.now(), c.Import.Known, max(c.Import.Known, c.Import.Requested), "known offers of "+c.Region+" imported", true)
			return true, nil
		case "failed", "none":
			return false, fmt.Errorf("the import of %s is %q", id, c.Import.State)
		}
		b.show(d.now(), c.Import.Known, c.Import.Requested, "importing known offers of "+c.Region, false)
		return false, nil
	})
}

// upload plans a file, shows the plan and applies it. A plan in which nothing
// may be sent is not applied, and changes nothing at Amazon.
func (d *demo) upload(ctx context.Context, f File, r *Result) (string, error) {
	body, err := os.ReadFile(f.Path)
	if err != nil {
		return "", err
	}
	q := url.Values{"file": {filepath.Base(f.Path)}, "policy": {"skip-bad-rows"}}
	if f.Marketplace != "" {
		q.Set("marketplace", f.Marketplace)
	}
	var p planDoc
	if err := d.api.call(ctx, http.MethodPost, "/plans", q, "application/octet-stream", body, &p); err != nil {
		return "", err
	}
	d.plans = append(d.plans, p.ID)
	rows, err := pages[planRow](ctx, d.api, "/plans/"+p.ID+"/rows", nil)
	if err != nil {
		return "", err
	}
	for i := range rows {
		if c := d.markets[rows[i].Marketplace]; c != "" {
			rows[i].Marketplace = c
		}
	}
	showPlan(d.opt.Out, filepath.Base(f.Path), p, rows)
	s := p.Summary
	r.Rows, r.Planned, r.Held, r.Refused, r.Unchanged = r.Rows+s.Rows, r.Planned+s.Planned, r.Held+s.Held, r.Refused+s.Refused, r.Unchanged+s.Unchanged
	if s.Planned+s.Held+s.Refused+s.Unchanged != s.Rows || len(rows) != s.Rows {
		return "", fmt.Errorf("%w: %s has %d rows, the plan lists %d and sums %d", ErrBooks, f.Path, s.Rows, len(rows), s.Planned+s.Held+s.Refused+s.Unchanged)
	}
	if s.Planned == 0 {
		d.say("\nNothing to send from %s.", filepath.Base(f.Path))
		return "", nil
	}
	var b batchDoc
	if err := d.api.post(ctx, "/batches", map[string]string{"plan": p.ID, "token": p.Token}, &b); err != nil {
		return "", err
	}
	d.say("\nApplied with the plan's token: batch %s", b.ID)
	return b.ID, nil
}

// watch shows the progress of the batches until each is done.
func (d *demo) watch(ctx context.Context, batches []string, r *Result) error {
	if len(batches) == 0 {
		return nil
	}
	d.say("")
	patience := d.opt.Patience
	if patience == 0 {
		patience = 30 * time.Minute
	}
	b := bar{w: d.opt.Out, terminal: d.opt.Terminal, every: 5 * time.Second}
	return d.poll(ctx, time.Second, patience, func() (bool, error) {
		counts, eta, rows, done := map[string]int64{}, int64(0), int64(0), true
		for _, id := range batches {
			var doc batchDoc
			if err := d.api.get(ctx, "/batches/"+id, nil, &doc); err != nil {
				return false, err
			}
			if doc.State == "refused" {
				return false, fmt.Errorf("batch %s was refused: %s", id, doc.Reason)
			}
			for s, n := range doc.Counts {
				counts[s] += n
			}
			rows += doc.Rows
			eta = max(eta, doc.ETASeconds)
			done = done && doc.State == "done"
		}
		var parts []string
		for _, s := range []string{"desired", "sent", "accepted", "observed", "rejected", "unknown", "unconfirmed", "held", "superseded"} {
			if counts[s] > 0 {
				parts = append(parts, fmt.Sprintf("%s %d", s, counts[s]))
			}
		}
		text := strings.Join(parts, ", ")
		if !done {
			text += fmt.Sprintf("  (about %s left)", time.Duration(eta)*time.Second)
		}
		b.show(d.now(), counts["observed"], rows, text, done)
		r.Observed, r.Unconfirmed = counts["observed"], counts["unconfirmed"]
		return done, nil
	})
}

// prove checks the books: every row's state by the report, every transition by
// the ledger in the export.
func (d *demo) prove(ctx context.Context, batches []string, r *Result) error {
	mine := map[string]bool{}
	for _, id := range batches {
		mine[id] = true
		rows, err := pages[batchRow](ctx, d.api, "/batches/"+id+"/rows", nil)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if row.State != "observed" {
				where := row.SKU + " in " + d.markets[row.Marketplace]
				r.Missing = append(r.Missing, where)
				d.say("  NOT OBSERVED  row %d  %s: %s. %s", row.Row, where, row.State, row.Issue)
			}
		}
	}
	if err := d.settledLedger(ctx); err != nil {
		return err
	}
	path, doc, err := d.export(ctx)
	if err != nil {
		return err
	}
	r.Export, r.ExportFiles = path, doc.Files
	var key struct {
		Key string `json:"key"`
	}
	if err := d.api.get(ctx, "/ledger/key", nil, &key); err != nil {
		return err
	}
	b, err := audit(path, doc.Password, key.Key, mine)
	r.LedgerEvents, r.LedgerVerified = b.events, b.verified
	r.Sent, r.Accepted = b.byType[ledger.ChangeSent], b.byType[ledger.ChangeAccepted]
	if err != nil {
		return err
	}
	d.say("Ledger: %d events verified offline. Export: %s (%d files)", b.events, path, doc.Files)
	for _, id := range d.plans {
		if !b.targets["plan:"+id] {
			return fmt.Errorf("%w: the ledger does not know of plan %s", ErrBooks, id)
		}
	}
	planned := int64(r.Planned)
	switch {
	case len(r.Missing) > 0:
		return fmt.Errorf("%w: not observed: %s", ErrBooks, strings.Join(r.Missing, ", "))
	case r.Observed != planned:
		return fmt.Errorf("%w: %d planned, %d observed", ErrBooks, planned, r.Observed)
	case b.byType[ledger.ChangeDesired] != planned || r.Accepted != planned || b.byType[ledger.ChangeObserved] != planned:
		return fmt.Errorf("%w: %d planned, the ledger has %d desired, %d accepted, %d observed", ErrBooks, planned,
			b.byType[ledger.ChangeDesired], r.Accepted, b.byType[ledger.ChangeObserved])
	}
	return nil
}

// poll looks every so often until look says that it is done.
func (d *demo) poll(ctx context.Context, every, limit time.Duration, look func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		done, err := look()
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("gave up after %s: %w", limit, ctx.Err())
		case <-tick.C:
		}
	}
}
