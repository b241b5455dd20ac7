package audit

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// snapshotName is where the last comparison of a tenant is kept.
const snapshotName = "compared/facts"

// snapshotFormat changes whenever a fact may get another digest although its item
// did not change (facts.go): what is of another format is not compared with.
const snapshotFormat = 1

// snapshot is what a comparison leaves for the next one. It holds digests only.
type snapshot struct {
	at    time.Time            // when it began
	facts []Digest             // known to the ledger, sorted
	open  map[Digest]time.Time // not known, with when all was still well
}

// header is the first line of a snapshot; facts and open ones follow, open ones with
// their times in milliseconds.
type header struct {
	Format int   `json:"format"`
	At     int64 `json:"at"`
	Facts  int   `json:"facts"`
	Open   int   `json:"open"`
}

func (s snapshot) has(d Digest) bool {
	i := sort.Search(len(s.facts), func(i int) bool { return bytes.Compare(s.facts[i][:], d[:]) >= 0 })
	return i < len(s.facts) && s.facts[i] == d
}

// since is from when on the ledger has to be read.
func (s snapshot) since() time.Time {
	first := s.at
	for _, at := range s.open {
		if at.Before(first) {
			first = at
		}
	}
	return first
}

func (s snapshot) encode() ([]byte, error) {
	slices.SortFunc(s.facts, func(a, b Digest) int { return bytes.Compare(a[:], b[:]) })
	head, err := json.Marshal(header{snapshotFormat, store.Millis(s.at), len(s.facts), len(s.open)})
	if err != nil {
		return nil, fmt.Errorf("audit: snapshot: %w", err)
	}
	out := slices.Grow(append(head, '\n'), 16*len(s.facts)+24*len(s.open))
	for _, d := range s.facts {
		out = append(out, d[:]...)
	}
	for d, at := range s.open {
		out = binary.BigEndian.AppendUint64(append(out, d[:]...), uint64(store.Millis(at)))
	}
	return out, nil
}

func parseSnapshot(b []byte) (s snapshot, err error) {
	bad := errors.New("audit: the snapshot is damaged; delete it, and the next comparison begins anew")
	head, rest, ok := bytes.Cut(b, []byte{'\n'})
	var h header
	if !ok || json.Unmarshal(head, &h) != nil {
		return snapshot{}, bad
	}
	if h.Format != snapshotFormat {
		return snapshot{}, nil
	}
	if h.Facts < 0 || h.Open < 0 || h.Facts > len(rest)/16 || h.Open > len(rest)/24 || len(rest) != 16*h.Facts+24*h.Open {
		return snapshot{}, bad
	}
	s = snapshot{at: timeOf(h.At), facts: make([]Digest, h.Facts), open: make(map[Digest]time.Time, h.Open)}
	for i := range s.facts {
		s.facts[i] = Digest(rest[16*i:])
	}
	for rest = rest[16*h.Facts:]; len(rest) > 0; rest = rest[24:] {
		s.open[Digest(rest)] = timeOf(int64(binary.BigEndian.Uint64(rest[16:])))
	}
	return s, nil
}

func timeOf(millis int64) time.Time {
	if millis == 0 {
		return time.Time{}
	}
	return time.UnixMilli(millis).UTC()
}

// load returns the last comparison, an empty one when there is none.
func (r *Reconciler) load(ctx context.Context, t tenant.ID) (snapshot, error) {
	b, err := r.Blobs.Get(ctx, t, store.History, snapshotName)
	if errors.Is(err, store.ErrNotFound) {
		return snapshot{}, nil
	}
	if err != nil {
		return snapshot{}, fmt.Errorf("audit: last comparison of %s: %w", t, err)
	}
	return parseSnapshot(b)
}
