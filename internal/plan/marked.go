package plan

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/price"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// mostMarked bounds the files that are given back with a column of what is
// wrong, because they are made in memory.
const mostMarked = 32 << 20

// keepContent keeps the content of a plan's file, for Marked.
func (s *Store) keepContent(ctx context.Context, in Input) error {
	if in.Content == nil {
		return nil
	}
	if err := s.Blobs.Put(ctx, in.Tenant, store.Files, contentName(in.ID), "application/octet-stream", in.Content); err != nil {
		return fmt.Errorf("plan: keep file: %w", err)
	}
	return nil
}

func contentName(id string) string { return "plans/" + id + "/file" }

// Marked returns a link to the plan's file with one more column: for each row
// that is held or refused, why, and what to do about it. The link works for the
// given time. Making it again makes the same. Faults: NotFound; plan-no-file for
// a plan that was made of none, or whose file has expired; plan-file-too-large.
func (s *Store) Marked(ctx context.Context, t tenant.ID, id string, valid time.Duration) (string, error) {
	p, err := s.Load(ctx, t, id)
	if err != nil {
		return "", err
	}
	if p.Origin != OfFile || len(p.Segments) == 0 {
		return "", fault.New(fault.Conflict, "plan-no-file", "This plan was not made of a file, or is not made yet.")
	}
	content, err := s.content(ctx, t, id)
	if err != nil {
		return "", err
	}
	// By the mapping that was used then; rows are known by their number alone.
	f, err := Input{Mappings: p.chosen()}.open(bytes.NewReader(content), nil)
	if err != nil {
		return "", fmt.Errorf("plan: open the file again: %w", err)
	}
	defer func() { _ = f.Close() }() // temporary files only
	var out bytes.Buffer
	said := saying{s: s, ctx: ctx, t: t, p: &p}
	if err := f.Mark(&out, said.row); err != nil {
		return "", err
	}
	name := "plans/" + id + "/marked.csv"
	if err := s.Blobs.Put(ctx, t, store.Files, name, "text/csv; charset=utf-8", out.Bytes()); err != nil {
		return "", fmt.Errorf("plan: write marked file: %w", err)
	}
	return s.Blobs.Link(ctx, t, store.Files, name, valid)
}

// chosen is the mapping by which the plan's file was read, none when its header
// was understood by itself.
func (h *Header) chosen() pricefile.Mappings {
	if !h.Mapping.Remembered {
		return nil
	}
	m := make(pricefile.Mapping, len(h.Mapping.Columns))
	for i, c := range h.Mapping.Columns {
		m[i] = c.Means
	}
	return pricefile.Mappings{h.Mapping.Fingerprint: m}
}

// content returns the plan's file.
func (s *Store) content(ctx context.Context, t tenant.ID, id string) ([]byte, error) {
	gone := fault.New(fault.Gone, "plan-no-file", "The file of this plan is not there any more. Its rows are at /plans/%s/rows.", id)
	name := contentName(id)
	body, err := s.Blobs.Get(ctx, t, store.Files, taskName(id))
	switch {
	case err == nil:
		var made task
		if err := json.Unmarshal(body, &made); err != nil {
			return nil, fmt.Errorf("plan: task of %s: %w", id, err)
		}
		name = made.Upload
	case !errors.Is(err, store.ErrNotFound):
		return nil, fmt.Errorf("plan: read task: %w", err)
	}
	file, size, err := s.Blobs.Read(ctx, t, store.Files, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, gone.Because(err)
	}
	if err != nil {
		return nil, fmt.Errorf("plan: read file: %w", err)
	}
	defer func() { _ = file.Close() }() // all of it was read, or the error counts
	if size > mostMarked {
		return nil, fault.New(fault.TooLarge, "plan-file-too-large", "The file has %d bytes; at most %d are given back marked. The rows are at /plans/%s/rows?verdict=refused.", size, mostMarked, id)
	}
	var out bytes.Buffer
	if _, err := out.ReadFrom(file); err != nil {
		return nil, fmt.Errorf("plan: read file: %w", err)
	}
	return out.Bytes(), nil
}

// saying reads the plan's rows in step with the rows of its file.
type saying struct {
	s    *Store
	ctx  context.Context
	t    tenant.ID
	p    *Stored
	next int // segment
	rows []Row
	from int // number of rows[0]
}

func (y *saying) row(n int) (string, error) {
	for n >= y.from+len(y.rows) {
		if y.next == len(y.p.Segments) {
			return "", fmt.Errorf("plan: the file has more rows than the plan %s", y.p.ID)
		}
		body, err := y.s.read(y.ctx, y.t, segmentName(y.p.ID, y.next), y.p.Segments[y.next])
		if err != nil {
			return "", err
		}
		y.from += len(y.rows)
		y.next++
		if y.rows, err = decode[Row](body); err != nil {
			return "", err
		}
	}
	r := y.rows[n-y.from]
	if r.Verdict != price.Refused && r.Verdict != price.Held {
		return "", nil
	}
	parts := make([]string, 0, len(r.Findings))
	for _, f := range r.Findings {
		text := f.Reason + " " + f.Fix
		if f.Column != "" {
			text = f.Column + ": " + text
		}
		parts = append(parts, text)
	}
	return string(r.Verdict) + ": " + strings.Join(parts, " "), nil
}
