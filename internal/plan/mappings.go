package plan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/ledger"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// A mapping that a seller chose for a header is kept under the header's
// fingerprint and used for every file with that header, until it is forgotten. A
// forgotten one leaves an item without columns for a while, so that the ledger
// hears who forgot it.

const (
	mappingsPK                        = "mappings"
	aColumns, aHeaders, aMappingState = "columns", "headers", "rev"
	aMappedBy, aMappedAt              = "actor", "at"
	// mostMappings bounds what is read for every plan.
	mostMappings = 200
	// mostHeader bounds a header as JSON, in bytes: what was remembered before and
	// after fits into one ledger event.
	mostHeader = 16 << 10
	// forgottenFor is longer than a table's stream remembers.
	forgottenFor = 7 * 24 * time.Hour
)

func mappingKey(fingerprint string) store.Key { return store.Key{PK: mappingsPK, SK: fingerprint} }

// Remembered is a mapping with the header that it is for.
type Remembered struct {
	Fingerprint string
	Headers     []string
	Columns     pricefile.Mapping
	Revision    int64  // counts the times that it was set or forgotten, from 1
	Actor       string // who set it; "" before that was noted
	At          time.Time
}

// Mappings returns all mappings of the tenant, by fingerprint.
func (s *Store) Mappings(ctx context.Context, t tenant.ID) (pricefile.Mappings, error) {
	all, err := s.Remembered(ctx, t)
	if err != nil {
		return nil, err
	}
	out := pricefile.Mappings{}
	for _, r := range all {
		out[r.Fingerprint] = r.Columns
	}
	return out, nil
}

// Remembered returns the tenant's mappings with their headers, at most
// mostMappings of them but for a race or two.
func (s *Store) Remembered(ctx context.Context, t tenant.ID) ([]Remembered, error) {
	var out []Remembered
	for after := ""; ; {
		page, err := s.DB.Query(ctx, t, store.Offers, store.Query{PK: mappingsPK, After: after})
		if err != nil {
			return nil, fmt.Errorf("plan: read mappings: %w", err)
		}
		for _, it := range page.Items {
			if forgotten(it) {
				continue
			}
			r, err := remembered(it)
			if err != nil {
				return nil, err
			}
			out = append(out, r)
		}
		if after = page.Next; after == "" {
			return out, nil
		}
	}
}

func forgotten(it store.Item) bool { return it.Bytes(aColumns) == nil }

func remembered(it store.Item) (Remembered, error) {
	r := Remembered{Fingerprint: it.SK, Revision: it.Int(aMappingState), Actor: it.Str(aMappedBy), At: it.Time(aMappedAt)}
	if err := errors.Join(json.Unmarshal(it.Bytes(aColumns), &r.Columns), json.Unmarshal(it.Bytes(aHeaders), &r.Headers)); err != nil {
		return Remembered{}, fmt.Errorf("plan: mapping %s: %w", it.SK, err)
	}
	return r, nil
}

// SetMapping remembers what each column of a header means. Setting the same
// again changes nothing; setting another replaces it, and the later one of two
// that are set at the same time is told of the conflict. Faults: mapping, for
// one that no file could be read by, mapping-header and mappings-full.
func (s *Store) SetMapping(ctx context.Context, t tenant.ID, actor, fingerprint string, headers []string, columns pricefile.Mapping) (Remembered, error) {
	if err := columns.Validate(); err != nil {
		return Remembered{}, err
	}
	if len(headers) != len(columns) || pricefile.Fingerprint(headers) != fingerprint {
		return Remembered{}, fault.New(fault.Invalid, "mapping-header", "The headers are not those of the fingerprint %s. Give each column of the header once, in the order of the file, as the answer to the upload showed them.", fingerprint)
	}
	if n := len(listJSON(headers)); n > mostHeader {
		return Remembered{}, fault.New(fault.Invalid, "mapping-header", "The names of the columns are %d bytes long together, at most %d can be remembered. Shorten them in the file.", n, mostHeader)
	}
	r := Remembered{Fingerprint: fingerprint, Headers: headers, Columns: columns, Revision: 1, Actor: actor, At: s.Clock.Now().UTC().Truncate(time.Millisecond)}
	it, err := s.DB.Get(ctx, t, store.Offers, mappingKey(fingerprint))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Remembered{}, fmt.Errorf("plan: read mapping: %w", err)
	}
	cond := store.Absent()
	if err == nil {
		r.Revision, cond = it.Int(aMappingState)+1, store.Eq(aMappingState, it.Int(aMappingState))
	}
	if err != nil || forgotten(it) {
		all, err := s.Mappings(ctx, t)
		if err != nil {
			return Remembered{}, err
		}
		if len(all) >= mostMappings {
			return Remembered{}, fault.New(fault.Conflict, "mappings-full", "There are %d mappings already, the most that are kept. Forget one that is not needed any more, or rename the columns of the file.", len(all))
		}
	} else {
		old, err := remembered(it)
		if err != nil {
			return Remembered{}, err
		}
		if string(listJSON(old.Columns)) == string(listJSON(columns)) {
			return old, nil
		}
	}
	err = s.DB.Put(ctx, t, store.Offers, store.Item{Key: mappingKey(fingerprint), Attrs: map[string]any{
		aColumns: listJSON(columns), aHeaders: listJSON(headers), aMappingState: r.Revision, aMappedBy: actor, aMappedAt: store.Millis(r.At),
	}}, cond)
	if errors.Is(err, store.ErrConflict) {
		return Remembered{}, fault.New(fault.Conflict, "mapping-busy", "The mapping was set by somebody else at the same time. Look at the file's mapping again.")
	}
	if err != nil {
		return Remembered{}, fmt.Errorf("plan: write mapping: %w", err)
	}
	return r, nil
}

// ForgetMapping forgets what the columns of a header mean. Plans that were made by
// it stay as they are. A mapping that is not there, or not the tenant's, is a fault
// of kind NotFound.
func (s *Store) ForgetMapping(ctx context.Context, t tenant.ID, actor, fingerprint string) error {
	missing := fault.New(fault.NotFound, "mapping-not-found", "No mapping is remembered for this header.")
	if !pricefile.ValidFingerprint(fingerprint) {
		return missing
	}
	now := s.Clock.Now()
	_, err := s.DB.Update(ctx, t, store.Offers, mappingKey(fingerprint), store.Update{
		Set: map[string]any{aMappedBy: actor, aMappedAt: store.Millis(now), aTTL: now.Add(forgottenFor).Unix()}, Add: map[string]int64{aMappingState: 1},
		Remove: []string{aColumns, aHeaders}, If: []store.Cond{store.Has(aColumns)},
	})
	if errors.Is(err, store.ErrConflict) {
		return missing.Because(err)
	}
	if err != nil {
		return fmt.Errorf("plan: forget mapping: %w", err)
	}
	return nil
}

// mappingEvents tells who had a header's columns remembered or forgotten. That the
// rest of a forgotten mapping expired is no event.
func mappingEvents(r store.Record) []ledger.Event {
	if r.New == nil || r.New.Str(aMappedBy) == "" {
		return nil
	}
	e := ledger.Event{Type: ledger.MappingRemembered, At: r.New.Time(aMappedAt), Actor: r.New.Str(aMappedBy), Target: "mapping:" + r.Key.SK, Source: string(store.Offers)}
	if e.After = meant(*r.New); e.After == nil {
		e.Type = ledger.MappingForgotten
	}
	if r.Old != nil {
		e.Before = meant(*r.Old)
	}
	return []ledger.Event{e}
}

// meant is what the ledger keeps of a mapping: the columns that are read. The
// fingerprint stands for the others.
func meant(it store.Item) json.RawMessage {
	if forgotten(it) {
		return nil
	}
	r, err := remembered(it)
	if err != nil || len(r.Headers) != len(r.Columns) {
		return nil // not written by this package
	}
	out := map[pricefile.Meaning]string{}
	for i, means := range r.Columns {
		if means != "" {
			out[means] = r.Headers[i]
		}
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil
	}
	return b
}

// listJSON is the JSON of lists of text, which cannot fail.
func listJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("plan: " + err.Error())
	}
	return b
}
