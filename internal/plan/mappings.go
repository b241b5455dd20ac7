package plan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"pricemanager/internal/fault"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// A mapping that a seller chose for a header is kept under the header's
// fingerprint and used for every file with that header.

const (
	mappingsPK                        = "mappings"
	aColumns, aHeaders, aMappingState = "columns", "headers", "rev"
	// mostMappings bounds what is read for every plan.
	mostMappings = 200
)

func mappingKey(fingerprint string) store.Key { return store.Key{PK: mappingsPK, SK: fingerprint} }

// Remembered is a mapping with the header that it is for.
type Remembered struct {
	Fingerprint string
	Headers     []string
	Columns     pricefile.Mapping
	Revision    int64 // counts the times that it was set, from 1
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

func remembered(it store.Item) (Remembered, error) {
	r := Remembered{Fingerprint: it.SK, Revision: it.Int(aMappingState)}
	if err := errors.Join(json.Unmarshal(it.Bytes(aColumns), &r.Columns), json.Unmarshal(it.Bytes(aHeaders), &r.Headers)); err != nil {
		return Remembered{}, fmt.Errorf("plan: mapping %s: %w", it.SK, err)
	}
	return r, nil
}

// SetMapping remembers what each column of a header means. Setting the same
// again changes nothing; setting another replaces it, and the later one of two
// that are set at the same time is told of the conflict. Faults: mapping, for
// one that no file could be read by, and mappings-full.
func (s *Store) SetMapping(ctx context.Context, t tenant.ID, fingerprint string, headers []string, columns pricefile.Mapping) (Remembered, error) {
	if err := columns.Validate(); err != nil {
		return Remembered{}, err
	}
	if len(headers) != len(columns) || pricefile.Fingerprint(headers) != fingerprint {
		return Remembered{}, fault.New(fault.Invalid, "mapping-header", "The headers are not those of the fingerprint %s. Give each column of the header once, in the order of the file, as the answer to the upload showed them.", fingerprint)
	}
	r := Remembered{Fingerprint: fingerprint, Headers: headers, Columns: columns, Revision: 1}
	cond := store.Absent()
	it, err := s.DB.Get(ctx, t, store.Offers, mappingKey(fingerprint))
	switch {
	case errors.Is(err, store.ErrNotFound):
		all, err := s.Mappings(ctx, t)
		if err != nil {
			return Remembered{}, err
		}
		if len(all) >= mostMappings {
			return Remembered{}, fault.New(fault.Conflict, "mappings-full", "There are %d mappings already, the most that are kept. Rename the columns of the file instead.", len(all))
		}
	case err != nil:
		return Remembered{}, fmt.Errorf("plan: read mapping: %w", err)
	default:
		old, err := remembered(it)
		if err != nil {
			return Remembered{}, err
		}
		if string(encoded(old.Columns)) == string(encoded(columns)) {
			return old, nil
		}
		r.Revision, cond = old.Revision+1, store.Eq(aMappingState, old.Revision)
	}
	err = s.DB.Put(ctx, t, store.Offers, store.Item{Key: mappingKey(fingerprint), Attrs: map[string]any{
		aColumns: encoded(columns), aHeaders: encoded(headers), aMappingState: r.Revision,
	}}, cond)
	if errors.Is(err, store.ErrConflict) {
		return Remembered{}, fault.New(fault.Conflict, "mapping-busy", "The mapping was set by somebody else at the same time. Look at the file's mapping again.")
	}
	if err != nil {
		return Remembered{}, fmt.Errorf("plan: write mapping: %w", err)
	}
	return r, nil
}

// encoded is the JSON of lists of text, which cannot fail.
func encoded(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("plan: " + err.Error())
	}
	return b
}
