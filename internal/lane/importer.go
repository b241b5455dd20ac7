package lane

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
)

// The import of known offers is work of the lane, so that its reads share the
// one budget that Amazon grants the seller: a report lists the SKUs of each
// marketplace, then searches of 20 SKUs read what the report lacks.

const (
	importSK = "import"
	aImport  = "import"
	aEnding  = "ending" // the import is telling that it is done
	aAgain   = "again"  // it was asked for meanwhile
	// importChunk is how many SKUs one object of the list holds.
	importChunk = 5000
)

// importJob is the import item: a resumable job. Repeating a step of it reads
// again what was read and changes nothing else.
type importJob struct {
	State struct {
		Started int64                           `json:"started"`
		Reports map[price.MarketplaceID]*report `json:"reports"`
		Order   []price.MarketplaceID           `json:"order"`
		Market  int                             `json:"market"` // index in Order that is being read
		Next    int64                           `json:"next"`   // SKU of that marketplace to read next
		Total   int64                           `json:"total"`
		Known   int64                           `json:"known"`
	}
	open    bool      // a call is in flight
	at      time.Time // when the next step may be taken
	savedAt time.Time
	chunk   string
	skus    []catalogueLine
}

type report struct {
	ID     string  `json:"id,omitempty"`
	Chunks []int64 `json:"chunks,omitempty"`
	Listed bool    `json:"listed,omitempty"` // the report was read into chunks
}

// catalogueLine is one SKU of the listings report.
type catalogueLine struct {
	SKU      price.SKU `json:"sku"`
	ASIN     string    `json:"asin,omitempty"`
	GTIN     string    `json:"gtin,omitempty"`
	Title    string    `json:"title,omitempty"`
	Quantity *int64    `json:"qty,omitempty"`
}

// CatalogueRow is one row of Amazon's listings report.
type CatalogueRow struct {
	SKU      price.SKU
	ASIN     string
	GTIN     string // in the form of price.NormalGTIN, "" when the report has none
	Title    string
	Quantity *int64
}

func importKey(c price.ConnectionID) store.Key { return store.Key{PK: lanePK(c), SK: importSK} }

func (d *driver) openImport(ctx context.Context) error {
	if d.imp != nil {
		return nil
	}
	it, err := d.e.DB.Get(ctx, d.lease.tenant, store.Offers, importKey(d.lease.conn))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("lane: look up import: %w", err)
	}
	job := &importJob{}
	if err := unmarshal(it.Bytes(aImport), &job.State); err != nil {
		return err
	}
	if job.State.Reports == nil {
		job.State.Reports = map[price.MarketplaceID]*report{}
		job.State.Order = d.markets
	}
	d.imp = job
	return nil
}

// next returns when the import's next step may be taken, the zero time while a
// call is in flight.
func (j *importJob) next(readable time.Time) time.Time {
	if j.open {
		return time.Time{}
	}
	return later(j.at, readable)
}

// launchImport takes the import's next step.
func (d *driver) launchImport(ctx context.Context, now time.Time) (bool, error) {
	j := d.imp
	if j == nil || j.open || j.at.After(now) || d.inFlight >= d.cfg.InFlight {
		return false, nil
	}
	for _, m := range j.State.Order {
		r := j.State.Reports[m]
		switch {
		case r == nil:
			d.step(ctx, func(ctx context.Context) (func(), error) { return d.requestReport(ctx, m) })
			return true, nil
		case !r.Listed:
			d.step(ctx, func(ctx context.Context) (func(), error) { return d.collectReport(ctx, m, *r) })
			return true, nil
		}
	}
	if j.State.Market >= len(j.State.Order) {
		return true, d.endImport(ctx)
	}
	if d.read.ready(now).After(now) {
		return false, nil
	}
	lines, err := d.importLines(ctx)
	if err != nil {
		return false, err
	}
	if len(lines) == 0 {
		j.State.Market, j.State.Next = j.State.Market+1, 0
		return true, nil
	}
	d.read.take(now)
	m := j.State.Order[j.State.Market]
	d.step(ctx, func(ctx context.Context) (func(), error) { return d.readLines(ctx, m, lines, now) })
	return true, nil
}

// step runs one call of the import. A failed one is repeated after a while.
func (d *driver) step(ctx context.Context, call func(context.Context) (func(), error)) {
	j := d.imp
	j.open = true
	d.inFlight++
	d.flight.Go(func() func() {
		sctx, cancel := d.within(ctx, 25*time.Second)
		defer cancel()
		apply, err := call(sctx)
		return func() {
			j.open = false
			now := d.e.Clock.Now()
			if err == nil {
				apply()
				d.fatal = errors.Join(d.fatal, d.saveImport(ctx, now, false))
				return
			}
			j.at = now.Add(2 * time.Second)
			switch out := amazon.Classify(err); out {
			case amazon.Reauthorise, amazon.Operator:
				d.park(ctx, out, err)
			case amazon.RetryAfter:
				d.read.block(now, now.Add(d.backOff(err)))
			case amazon.Permanent, amazon.Retry, amazon.Unknown:
				d.log.WarnContext(ctx, "import step failed, trying again", "error", err.Error())
			}
		}
	})
}

func (d *driver) requestReport(ctx context.Context, m price.MarketplaceID) (func(), error) {
	id, err := d.e.Reports.CreateReport(ctx, d.account, amazon.ListingsReport, m)
	if err != nil {
		return nil, err
	}
	return func() { d.imp.State.Reports[m] = &report{ID: id}; d.imp.savedAt = time.Time{} }, nil
}

// collectReport asks whether the report is there, and keeps its SKUs as a list
// of objects once it is.
func (d *driver) collectReport(ctx context.Context, m price.MarketplaceID, r report) (func(), error) {
	status, doc, err := d.e.Reports.Report(ctx, d.account, r.ID)
	if err != nil {
		return nil, err
	}
	switch status {
	case amazon.ReportInQueue, amazon.ReportInProgress:
		return func() { d.imp.at = d.e.Clock.Now().Add(time.Second) }, nil
	case amazon.ReportCancelled:
		return func() { d.imp.State.Reports[m].Listed = true }, nil // Amazon's word for "no listings"
	case amazon.ReportFatal:
		return func() { delete(d.imp.State.Reports, m); d.imp.at = d.e.Clock.Now().Add(time.Minute) }, nil
	case amazon.ReportDone:
	}
	body, err := d.e.Reports.Document(ctx, d.account, doc)
	if err != nil {
		return nil, err
	}
	var chunks []int64
	var buf bytes.Buffer
	var n int64
	flush := func() error {
		if n == 0 {
			return nil
		}
		name := importName(d.lease.conn, m, len(chunks))
		if err := d.e.Blobs.Put(ctx, d.lease.tenant, store.Files, name, "application/x-ndjson", bytes.Clone(buf.Bytes())); err != nil {
			return err
		}
		chunks = append(chunks, n)
		n = 0
		buf.Reset()
		return nil
	}
	err = d.e.Catalogue(body, m, func(row CatalogueRow) error {
		buf.Write(mustJSON(catalogueLine(row)))
		buf.WriteByte('\n')
		if n++; n < importChunk {
			return nil
		}
		return flush()
	})
	if err = errors.Join(err, flush(), body.Close()); err != nil {
		return nil, err
	}
	return func() {
		rep := d.imp.State.Reports[m]
		rep.Chunks, rep.Listed = chunks, true
		for _, c := range chunks {
			d.imp.State.Total += c
		}
		d.imp.savedAt = time.Time{}
	}, nil
}

func importName(c price.ConnectionID, m price.MarketplaceID, chunk int) string {
	return fmt.Sprintf("imports/%s/%s/%05d.jsonl", c, m, chunk)
}

// importLines returns the SKUs to read next: up to 20, or a single one whose
// SKU has a comma.
func (d *driver) importLines(ctx context.Context) ([]catalogueLine, error) {
	j := d.imp
	m := j.State.Order[j.State.Market]
	place, chunk := j.State.Next, 0
	chunks := j.State.Reports[m].Chunks
	for chunk < len(chunks) && place >= chunks[chunk] {
		place -= chunks[chunk]
		chunk++
	}
	if chunk == len(chunks) {
		return nil, nil
	}
	if name := importName(d.lease.conn, m, chunk); j.chunk != name {
		body, err := d.e.Blobs.Get(ctx, d.lease.tenant, store.Files, name)
		if err != nil {
			return nil, fmt.Errorf("lane: import list: %w", err)
		}
		j.skus = nil
		dec := json.NewDecoder(bytes.NewReader(body))
		for dec.More() {
			var l catalogueLine
			if err := dec.Decode(&l); err != nil {
				return nil, fmt.Errorf("lane: import list: %w", err)
			}
			j.skus = append(j.skus, l)
		}
		j.chunk = name
	}
	lines := j.skus[min(place, int64(len(j.skus))):]
	lines = lines[:min(len(lines), perRead)]
	for i, l := range lines {
		if hasComma(l.SKU) {
			return lines[:max(i, 1)], nil
		}
	}
	return lines, nil
}

// readLines reads SKUs of the catalogue and keeps what Amazon shows.
func (d *driver) readLines(ctx context.Context, m price.MarketplaceID, lines []catalogueLine, begun time.Time) (func(), error) {
	known, call, err := d.learn(ctx, m, lines, begun)
	if err != nil {
		return nil, err
	}
	return func() {
		d.read.follow(call.RateLimit)
		d.imp.State.Next += int64(len(lines))
		d.imp.State.Known += known
	}, nil
}

// learn reads up to 20 SKUs of one marketplace, keeps what Amazon shows, and
// returns how many it showed.
func (d *driver) learn(ctx context.Context, m price.MarketplaceID, lines []catalogueLine, begun time.Time) (known int64, call amazon.Call, err error) {
	rows := make([]*row, len(lines))
	for i, l := range lines {
		rows[i] = &row{Row: Row{SKU: l.SKU, Marketplace: m}}
	}
	found, call, err := d.fetch(ctx, m, rows)
	var gone *amazon.Error
	if errors.As(err, &gone) && gone.Status == 404 {
		found, err = nil, nil
	}
	if err != nil {
		return 0, call, err
	}
	offers := NewOffers(d.e.DB)
	for _, l := range lines {
		key := price.OfferKey{Connection: d.lease.conn, Marketplace: m, SKU: l.SKU}
		f := found[l.SKU]
		if f == nil {
			if err := offers.Listed(ctx, d.lease.tenant, key, l); err != nil {
				return known, call, err
			}
			continue
		}
		rd := Read{Key: key, ASIN: f.ASIN, ProductType: f.ProductType, GTIN: l.GTIN, Title: f.Title, Quantity: l.Quantity,
			Automated: f.Automated, Prices: f.Prices, Begun: begun}
		if rd.Title == "" {
			rd.Title = l.Title
		}
		if err := offers.Learn(ctx, d.lease.tenant, rd); err != nil {
			return known, call, err
		}
		known++
	}
	return known, call, nil
}
