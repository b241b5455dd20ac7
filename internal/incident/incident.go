// Package incident keeps what we know of a breach of security, says by when whom has
// to be told, and writes the notices: to Amazon within 24 hours (Amazon's Data
// Protection Policy), to the supervisory authority within 72 (GDPR Art. 33), and to
// the sellers whose data it is (Art. 33(2) and 34). The clock starts when we became
// aware.
//
// What is promised when things fail: a record changes only under the condition that
// nobody else changed it since it was read; telling somebody is noted once and never
// taken back; a time that is running is measured from the record alone, so nothing
// has to be started or remembered for an alarm to come.
//
// What it does not do: it sends nothing, decides nothing, and names no tenant: whose
// data it was is asked of the tables when it is needed. Records are no tenant's, and
// hold no personal data but the names of ours who act; they say so where words are
// asked for.
package incident

import (
	"context"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/store"
)

// How long there is to tell somebody, from when we became aware.
const (
	AmazonWithin    = 24 * time.Hour
	AuthorityWithin = 72 * time.Hour
)

// Party is somebody who has to be told.
type Party string

// The parties: a closed set.
const (
	Amazon    Party = "amazon"
	Authority Party = "authority"
	Tenants   Party = "tenants"
)

// Parties lists all parties.
func Parties() []Party { return []Party{Amazon, Authority, Tenants} }

// Told says how a party came to know, or why it need not.
type Told struct {
	At   time.Time `json:"at"`
	By   string    `json:"by"`
	Note string    `json:"note"` // the reference of the notice, or why none was needed
}

// Incident is the record of a breach. Its words are for notices: they hold no
// personal data. What is not known yet is empty, and the notice says so.
type Incident struct {
	ID     string    `json:"id"`
	Aware  time.Time `json:"aware"` // when we became aware: all times run from then
	Opened time.Time `json:"opened"`
	By     string    `json:"by"`
	// From and To are when data was reachable; To is zero while it still is.
	From time.Time `json:"from"`
	To   time.Time `json:"to,omitzero"`

	Tables     []store.Table `json:"tables"`               // whose items were reachable
	Connection string        `json:"connection,omitempty"` // when it was one seller account's data only
	Purposes   []string      `json:"purposes"`             // what the data is kept for

	Nature       string `json:"nature"`       // what happened
	Subjects     string `json:"subjects"`     // categories of people, e.g. "sellers' staff"
	Records      string `json:"records"`      // categories of records, e.g. "prices, API key names"
	SubjectCount string `json:"subjectCount"` // about how many
	RecordCount  string `json:"recordCount"`
	Contact      string `json:"contact"`      // who answers questions: data protection officer or other
	Consequences string `json:"consequences"` // that are likely
	Measures     string `json:"measures"`     // taken or proposed, also against the consequences
	Delay        string `json:"delay"`        // why the authority was told late, if it was

	Told   map[Party]Told `json:"told,omitempty"`
	Closed time.Time      `json:"closed,omitzero"` // nothing is left to do

	version int64
}

// Untold are the parties that have still to be told.
func (i Incident) Untold() []Party {
	return slices.DeleteFunc(Parties(), func(p Party) bool { _, ok := i.Told[p]; return ok })
}

var (
	// ErrInvalid is returned for a record that cannot be.
	ErrInvalid = errors.New("incident: not a record that can be kept")
	// ErrNotFound is returned for an id that there is no record of.
	ErrNotFound = errors.New("incident: there is no such incident")
)

const (
	pk       = "incident"
	aDoc     = "doc"
	aVersion = "ver"
	maxText  = 4000 // bytes of one text
)

func (i Incident) validate(now time.Time) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
	}
	switch {
	case i.By == "" || i.Nature == "":
		return bad("say who opens it and what happened")
	case i.Aware.IsZero() || i.Aware.After(now):
		return bad("aware is when we learnt of it, not %s", i.Aware.Format(time.RFC3339))
	case i.From.IsZero() || i.From.After(i.Aware):
		return bad("from is when it began, before we were aware of it")
	case !i.To.IsZero() && i.To.Before(i.From):
		return bad("it ended before it began")
	case len(i.Tables) == 0:
		return bad("name the tables whose items were reachable, of %v", store.Tables())
	}
	for _, t := range i.Tables {
		if !slices.Contains(store.Tables(), t) {
			return bad("there is no table %q; there are %v", t, store.Tables())
		}
	}
	for _, s := range append([]string{i.Nature, i.Subjects, i.Records, i.SubjectCount, i.RecordCount, i.Contact, i.Consequences, i.Measures, i.Delay, i.Connection}, i.Purposes...) {
		if len(s) > maxText {
			return bad("a text is %d bytes long, at most %d fit", len(s), maxText)
		}
	}
	return nil
}

// Log keeps the incidents, in the directory of the privacy table.
type Log struct {
	DB    store.DB
	Clock clock.Clock
	Rand  io.Reader
}

// Open makes a record. Its ID and Opened are set here.
func (l *Log) Open(ctx context.Context, i Incident) (Incident, error) {
	now := l.Clock.Now().UTC()
	i.Opened, i.Told, i.Closed, i.version = now, nil, time.Time{}, 0
	if err := i.validate(now); err != nil {
		return Incident{}, err
	}
	var b [5]byte
	if _, err := io.ReadFull(l.Rand, b[:]); err != nil {
		return Incident{}, fmt.Errorf("incident: id: %w", err)
	}
	i.ID = "inc_" + strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
	return l.put(ctx, i, store.Absent())
}

// Change writes what f makes of a record, unless somebody else changed it meanwhile:
// then the error is store.ErrConflict. What was told and when we became aware stays.
func (l *Log) Change(ctx context.Context, id string, f func(*Incident)) (Incident, error) {
	i, err := l.Get(ctx, id)
	if err != nil {
		return Incident{}, err
	}
	was := i
	f(&i)
	i.ID, i.Aware, i.Opened, i.By, i.Told, i.Closed, i.version = was.ID, was.Aware, was.Opened, was.By, was.Told, was.Closed, was.version
	if err := i.validate(l.Clock.Now()); err != nil {
		return Incident{}, err
	}
	return l.put(ctx, i, store.Eq(aVersion, i.version))
}

// Tell notes that a party was told, or why it need not be. The first note stands:
// telling again changes nothing. Once everybody was told the incident is closed.
func (l *Log) Tell(ctx context.Context, id string, p Party, by, note string) (Incident, error) {
	if !slices.Contains(Parties(), p) || by == "" || note == "" || len(note) > maxText {
		return Incident{}, fmt.Errorf("%w: name one of %v, who told them, and the notice's reference or why none was needed", ErrInvalid, Parties())
	}
	i, err := l.Get(ctx, id)
	if err != nil {
		return Incident{}, err
	}
	if _, ok := i.Told[p]; ok {
		return i, nil
	}
	if i.Told == nil {
		i.Told = map[Party]Told{}
	}
	now := l.Clock.Now().UTC()
	i.Told[p] = Told{now, by, note}
	if len(i.Untold()) == 0 {
		i.Closed = now
	}
	return l.put(ctx, i, store.Eq(aVersion, i.version))
}

func (l *Log) put(ctx context.Context, i Incident, cond store.Cond) (Incident, error) {
	i.version++
	b, err := json.Marshal(i)
	if err != nil {
		return Incident{}, fmt.Errorf("incident: %w", err)
	}
	it := store.Item{Key: store.Key{PK: pk, SK: i.ID}, Attrs: map[string]any{aDoc: b, aVersion: i.version}}
	if err := l.DB.Put(ctx, store.Directory, store.Privacy, it, cond); err != nil {
		return Incident{}, fmt.Errorf("incident: write %s: %w", i.ID, err)
	}
	return i, nil
}

// Get returns one record, or ErrNotFound.
func (l *Log) Get(ctx context.Context, id string) (Incident, error) {
	if id == "" {
		return Incident{}, ErrNotFound
	}
	it, err := l.DB.Get(ctx, store.Directory, store.Privacy, store.Key{PK: pk, SK: id})
	if errors.Is(err, store.ErrNotFound) {
		return Incident{}, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	if err != nil {
		return Incident{}, fmt.Errorf("incident: read: %w", err)
	}
	return decode(it)
}

// List returns all records.
func (l *Log) List(ctx context.Context) (all []Incident, err error) {
	for after := ""; ; {
		page, err := l.DB.Query(ctx, store.Directory, store.Privacy, store.Query{PK: pk, After: after})
		if err != nil {
			return nil, fmt.Errorf("incident: list: %w", err)
		}
		for _, it := range page.Items {
			i, err := decode(it)
			if err != nil {
				return nil, err
			}
			all = append(all, i)
		}
		if after = page.Next; after == "" {
			return all, nil
		}
	}
}

func decode(it store.Item) (Incident, error) {
	var i Incident
	if err := json.Unmarshal(it.Bytes(aDoc), &i); err != nil {
		return Incident{}, fmt.Errorf("incident: %s: %w", it.SK, err)
	}
	i.version = it.Int(aVersion)
	return i, nil
}

// Running is how long the oldest open incident has been known, in whole hours.
type Running struct {
	Open   int   // incidents of which somebody has still to be told
	Hours  int64 // of the oldest of them
	Amazon int64 // of the oldest of which Amazon has still to be told
}

// Running measures the times that run now.
func (l *Log) Running(ctx context.Context) (Running, error) {
	all, err := l.List(ctx)
	if err != nil {
		return Running{}, err
	}
	var r Running
	for _, i := range all {
		if !i.Closed.IsZero() {
			continue
		}
		hours := int64(l.Clock.Now().Sub(i.Aware) / time.Hour)
		r.Open++
		r.Hours = max(r.Hours, hours)
		if slices.Contains(i.Untold(), Amazon) {
			r.Amazon = max(r.Amazon, hours)
		}
	}
	return r, nil
}
