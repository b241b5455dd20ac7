package plan

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"pricemanager/internal/fault"
	"pricemanager/internal/price"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// mostMarked, in rows, and mostContent and mostMarkedBytes, in bytes of the file as
// it was uploaded and as it is given back, bound the files that are given back with
// a column of what is wrong: they are made in memory, while somebody waits. A packed
// file comes back unpacked.
const (
	mostMarked      = 300_000
	mostContent     = 32 << 20
	mostMarkedBytes = 96 << 20
)

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
	if most := cmp.Or(s.MostMarked, mostMarked); p.Summary.Rows > most {
		return "", fault.New(fault.TooLarge, "plan-file-too-large", "The plan has %d rows; at most %d are given back marked. The rows are at /plans/%s/rows?verdict=refused.", p.Summary.Rows, most, id)
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
	out := bounded{left: cmp.Or(s.MostMarkedBytes, mostMarkedBytes),
		full: fault.New(fault.TooLarge, "plan-file-too-large", "Marked, the file is too large to be given back. The rows are at /plans/%s/rows?verdict=refused.", id)}
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

// bounded is a buffer that fails when it would have to hold more than it may.
type bounded struct {
	bytes.Buffer
	left int
	full error
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, b.full
	}
	return b.Buffer.Write(p)
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
	if size > mostContent {
		return nil, fault.New(fault.TooLarge, "plan-file-too-large", "The file has %d bytes; at most %d are given back marked. The rows are at /plans/%s/rows?verdict=refused.", size, mostContent, id)
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
}

// readAhead is how many row files are read at a time.
const readAhead = 16

// row says what is wrong with the next row of the file, and with the rows that
// follow it in other marketplaces.
func (y *saying) row(int) (string, error) {
	r, err := y.first()
	if err != nil {
		return "", err
	}
	if r == nil || r.Linked != nil {
		return "", fmt.Errorf("plan: the file has other rows than the plan %s", y.p.ID)
	}
	said := r.wrong("")
	for {
		y.rows = y.rows[1:]
		if r, err = y.first(); err != nil || r == nil || r.Linked == nil {
			return strings.Join(said, " "), err
		}
		said = append(said, r.wrong(string(r.Key.Marketplace)+" ")...)
	}
}

// wrong says what holds or refuses a row, if anything does.
func (r *Row) wrong(where string) []string {
	if r.Verdict != price.Refused && r.Verdict != price.Held {
		return nil
	}
	said := []string{where + string(r.Verdict) + ":"}
	for _, f := range r.Findings {
		text := strings.TrimSpace(f.Reason + " " + f.Fix)
		if f.Column != "" {
			text = f.Column + ": " + text
		}
		said = append(said, text)
	}
	return said
}

// first is the next of the plan's rows, nil at their end.
func (y *saying) first() (*Row, error) {
	for len(y.rows) == 0 && y.next < len(y.p.Segments) {
		parts := make([][]Row, min(readAhead, len(y.p.Segments)-y.next))
		group, ctx := errgroup.WithContext(y.ctx)
		for i := range parts {
			n := y.next + i
			group.Go(func() error {
				body, err := y.s.read(ctx, y.t, segmentName(y.p.ID, n), y.p.Segments[n])
				if err != nil {
					return err
				}
				parts[i], err = decode[Row](body)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return nil, err
		}
		y.next += len(parts)
		y.rows = slices.Concat(parts...)
	}
	if len(y.rows) == 0 {
		return nil, nil //nolint:nilnil // the end is no error
	}
	return &y.rows[0], nil
}
