package download

import (
	"context"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/export"
	"pricemanager/internal/fault"
	"pricemanager/internal/lane"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Times of a download.
const (
	// LinkFor is how long a link works.
	LinkFor = 15 * time.Minute
	// Keep is how long the files can be had, counted from the request. The bucket's
	// lifecycle deletes a day after a file was made, S3's shortest.
	Keep = 24 * time.Hour
	// remembered is how long a request can be looked up.
	remembered = 30 * 24 * time.Hour
	// ringAgain is when somebody who asks for a running download has its message
	// sent again. A retry of the queue comes after 30 minutes (its visibility
	// timeout); later than that the message was lost.
	ringAgain = 40 * time.Minute
)

// MaxSKUs is how many SKUs a request may name.
const MaxSKUs = 1000

// What says what a table is about.
type What string

// The tables.
const (
	Offers  What = "offers"
	History What = "history"
	Batch   What = "batch"
	Plan    What = "plan"
)

// Spec is what a download is to hold. Which members count depends on What.
type Spec struct {
	What   What          `json:"what"`
	Format export.Format `json:"format"`
	// Connections, Marketplace and SKUs narrow offers and history; none of them, or
	// "", is all of the tenant. SKUs narrow history only.
	Connections []price.ConnectionID `json:"connections,omitempty"`
	Marketplace price.MarketplaceID  `json:"marketplace,omitempty"`
	SKUs        []price.SKU          `json:"skus,omitempty"`
	// Batch is the one whose rows, or whose part of the history, is wanted; State
	// narrows its rows.
	Batch string     `json:"batch,omitempty"`
	State lane.State `json:"state,omitempty"`
	// Plan is the one whose rows are wanted; Verdict narrows them.
	Plan    string        `json:"plan,omitempty"`
	Verdict price.Verdict `json:"verdict,omitempty"`
	// From and To bound history; the zero time is no bound.
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
}

// State is where a download stands.
type State string

// The states. Done and failed are final.
const (
	Running State = "running"
	Done    State = "done"
	Failed  State = "failed"
	// taken is that of a table which was answered at once. No download is in it.
	taken State = "taken"
)

// File is one file of a download: a whole table by itself.
type File struct {
	Name   string `json:"name"` // for a person: offers-1.csv
	Rows   int    `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // hex
	Object string `json:"object"` // in the bucket
}

// Download is one request.
type Download struct {
	ID       string
	Spec     Spec
	State    State
	By       string // who asked
	At       time.Time
	Finished time.Time // zero while running
	Expires  time.Time // of the files
	Files    []File    // those that are ready
	Rows     int64     // in them
	Reason   string    // of a failure, for the user

	request string // id of the HTTP request
	cursor  string
	rung    time.Time
	run     int64 // how often it was taken
	tries   int64 // how often since it last got on
}

// Store keeps downloads.
type Store struct {
	DB    store.DB
	Blobs store.Blobs // only Links needs it
	Queue store.Queue
	Clock clock.Clock
	Rand  io.Reader
	// Trace gives the trace header to send along with a message; nil for none.
	Trace func(context.Context) string
}

// Attributes of an item.
const (
	downloadsPK = "downloads"

	aSpec, aState, aBy, aRequest, aAt, aRung = "spec", "state", "by", "request", "at", "rung"
	aRun, aTries, aLease                     = "run", "tries", "lease"
	aCursor, aFiles, aRows                   = "cursor", "files", "rows"
	aFinished, aReason, aTTL                 = "finished", "reason", "ttl"
)

func itemKey(id string) store.Key { return store.Key{PK: downloadsPK, SK: id} }

func open(it store.Item) (Download, error) {
	d := Download{ID: it.SK, State: State(it.Str(aState)), By: it.Str(aBy), At: it.Time(aAt), Finished: it.Time(aFinished), Rows: it.Int(aRows),
		Reason: it.Str(aReason), request: it.Str(aRequest), cursor: it.Str(aCursor), rung: it.Time(aRung), run: it.Int(aRun), tries: it.Int(aTries)}
	d.Expires = d.At.Add(Keep)
	if err := json.Unmarshal(it.Bytes(aSpec), &d.Spec); err != nil {
		return Download{}, fmt.Errorf("download: %s: %w", it.SK, err)
	}
	if b := it.Bytes(aFiles); len(b) > 0 {
		if err := json.Unmarshal(b, &d.Files); err != nil {
			return Download{}, fmt.Errorf("download: files of %s: %w", it.SK, err)
		}
	}
	return d, nil
}

// Request has a table made. by is who asked and request the id of the HTTP request,
// for the ledger. While AtOnce of the tenant's are being made, it is a fault of kind
// Conflict with type downloads-running.
//
// Crash points: the item comes first. When the message is not sent the caller is
// told so; whoever asks for the download later has it sent again.
func (s *Store) Request(ctx context.Context, t tenant.ID, by, request string, spec Spec) (Download, error) {
	it, err := s.item(by, request, spec, Running, 0)
	if err != nil {
		return Download{}, err
	}
	if err := s.admit(ctx, t, it); err != nil {
		return Download{}, err
	}
	if err := s.Ring(ctx, Job{Tenant: t, Download: it.SK}, 0); err != nil {
		return Download{}, fault.New(fault.Unavailable, "", "The download was noted as %s but could not be started. Ask for it in %d minutes.",
			it.SK, int(ringAgain.Minutes())).Because(err)
	}
	return open(it)
}

// Note notes that a table of so many rows is answered at once: whoever takes data
// away is in the ledger, whichever way it goes. The answer waits for it.
func (s *Store) Note(ctx context.Context, t tenant.ID, by, request string, spec Spec, rows int) error {
	it, err := s.item(by, request, spec, taken, rows)
	if err != nil {
		return err
	}
	if err := s.DB.Put(ctx, t, store.Offers, it, store.Absent()); err != nil {
		return fmt.Errorf("download: keep request: %w", err)
	}
	return nil
}

// item is a new download.
func (s *Store) item(by, request string, spec Spec, state State, rows int) (store.Item, error) {
	id, err := newID(s.Rand)
	if err != nil {
		return store.Item{}, err
	}
	body, err := json.Marshal(spec)
	if err != nil {
		return store.Item{}, fmt.Errorf("download: encode: %w", err)
	}
	now := s.Clock.Now()
	return store.Item{Key: itemKey(id), Attrs: map[string]any{
		aSpec: body, aState: string(state), aBy: by, aRequest: request, aAt: store.Millis(now), aRung: store.Millis(now),
		aRows: int64(rows), aTTL: now.Add(remembered).Unix(),
	}}, nil
}

func missing() *fault.Fault { return fault.New(fault.NotFound, "", "There is no such download.") }

// Get returns a download; another tenant's is as missing as one that never was.
func (s *Store) Get(ctx context.Context, t tenant.ID, id string) (Download, error) {
	if !validID(id) {
		return Download{}, missing()
	}
	it, err := s.DB.Get(ctx, t, store.Offers, itemKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return Download{}, missing().Because(err)
	}
	if err != nil {
		return Download{}, fmt.Errorf("download: read %s: %w", id, err)
	}
	d, err := open(it)
	switch {
	case err != nil:
		return Download{}, err
	case d.State == taken:
		return Download{}, missing()
	case d.State == Running && s.Clock.Now().Sub(d.rung) >= ringAgain:
		s.again(ctx, t, d)
	}
	return d, nil
}

// again sends the message of a download that should be done by now. The condition
// lets one of many readers do it. When it fails, the next reader after ringAgain
// tries again.
func (s *Store) again(ctx context.Context, t tenant.ID, d Download) {
	_, err := s.DB.Update(ctx, t, store.Offers, itemKey(d.ID), store.Update{
		Set: map[string]any{aRung: store.Millis(s.Clock.Now())},
		If:  []store.Cond{store.Eq(aState, string(Running)), store.Eq(aRung, store.Millis(d.rung))},
	})
	if err == nil {
		_ = s.Ring(ctx, Job{Tenant: t, Download: d.ID}, 0)
	}
}

// List returns a page of the tenant's downloads, and of what was answered at once,
// in order of id, at most limit. after is the id to continue after, next is "" at
// the end.
func (s *Store) List(ctx context.Context, t tenant.ID, after string, limit int) (list []Download, next string, err error) {
	page, err := s.DB.Query(ctx, t, store.Offers, store.Query{PK: downloadsPK, After: after, Limit: limit})
	if err != nil {
		return nil, "", fmt.Errorf("download: list: %w", err)
	}
	for _, it := range page.Items {
		d, err := open(it)
		if err != nil {
			return nil, "", err
		}
		list = append(list, d)
	}
	return list, page.Next, nil
}

// Links returns a URL to each file of a done download, in their order, that works
// for LinkFor; none when the files are no longer kept.
func (s *Store) Links(ctx context.Context, t tenant.ID, d Download) ([]string, error) {
	left := d.Expires.Sub(s.Clock.Now())
	if d.State != Done || left < time.Second {
		return nil, nil
	}
	out := make([]string, len(d.Files))
	for i, f := range d.Files {
		url, err := s.Blobs.Link(ctx, t, store.Downloads, f.Object, min(LinkFor, left))
		if err != nil {
			return nil, fmt.Errorf("download: link to %s: %w", f.Object, err)
		}
		out[i] = url
	}
	return out, nil
}

// Job is the message that has a download made.
type Job struct {
	Kind     string    `json:"kind"`
	Tenant   tenant.ID `json:"tenant"`
	Download string    `json:"download"`
	Trace    string    `json:"trace,omitempty"`
}

// KindDownload is the kind of a Job.
const KindDownload = "download"

// ParseJob reads a message; it checks that tenant and download are well formed.
func ParseJob(body []byte) (Job, error) {
	var j Job
	if err := json.Unmarshal(body, &j); err != nil {
		return Job{}, fmt.Errorf("download: message: %w", err)
	}
	if j.Kind != KindDownload || !j.Tenant.Valid() || !validID(j.Download) {
		return Job{}, fmt.Errorf("download: message of kind %q for %q of tenant %q", j.Kind, j.Download, j.Tenant)
	}
	return j, nil
}

// Ring has a job run after the delay.
func (s *Store) Ring(ctx context.Context, j Job, delay time.Duration) error {
	j.Kind = KindDownload
	if j.Trace == "" && s.Trace != nil {
		j.Trace = s.Trace(ctx)
	}
	if err := store.SendJSON(ctx, s.Queue, j, delay); err != nil {
		return fmt.Errorf("download: send for a run: %w", err)
	}
	return nil
}

const idPrefix = "dl_"

var idCode = base32.StdEncoding.WithPadding(base32.NoPadding)

// newID is dl_ and 26 characters that hold 128 random bits.
func newID(rand io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return "", fmt.Errorf("download: id: %w", err)
	}
	return idPrefix + strings.ToLower(idCode.EncodeToString(b[:])), nil
}

func validID(id string) bool {
	rest, ok := strings.CutPrefix(id, idPrefix)
	return ok && len(rest) == 26 && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz234567") == ""
}
