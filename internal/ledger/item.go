package ledger

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"pricemanager/internal/envelope"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// One item of the ledger table is one append. PK is "log", SK the index of its
// first leaf: an appender at size n can only write the item n, so the store's
// "no such item" condition decides between racing appenders, and the item of a
// given leaf is one query away.
const (
	logPK      = "log"
	itemFormat = 1

	attrFormat = "v"
	attrCount  = "count"  // leaves in this item
	attrLeaves = "leaves" // their hashes, 32 bytes each, in clear
	attrEdge   = "edge"   // right edge of the tree after this item
	attrAt     = "at"     // when it was appended; never less than in the item before
	attrSeen   = "seen"   // sealed: last sequence number per source in this item
	attrEvents = "events" // sealed: seed of the salts and the compressed events
)

// Limits of one item, so that it stays under DynamoDB's 400 KB even when
// nothing compresses: 32 KB of hashes, 256 KB of events, and at most 40 KB of
// sources (37 bytes each, see packSeen).
const (
	maxLeaves = 1000
	maxRaw    = 256 << 10
)

func itemKey(first int64) store.Key {
	return store.Key{PK: logPK, SK: fmt.Sprintf("%015d", first)}
}

// segment is one append, decoded except for what is sealed.
type segment struct {
	first  int64
	leaves []tlog.Hash
	after  edge
	at     time.Time
	seen   []byte // sealed
	events []byte // sealed
}

func (s segment) item() store.Item {
	return store.Item{Key: itemKey(s.first), Attrs: map[string]any{
		attrFormat: int64(itemFormat),
		attrCount:  int64(len(s.leaves)),
		attrLeaves: joinHashes(s.leaves),
		attrEdge:   s.after.bytes(),
		attrAt:     store.Millis(s.at),
		attrSeen:   s.seen,
		attrEvents: s.events,
	}}
}

func parseSegment(item store.Item) (segment, error) {
	bad := func(err error) (segment, error) {
		return segment{}, fmt.Errorf("ledger: item %s: %w", item.SK, err)
	}
	var first int64
	if _, err := fmt.Sscanf(item.SK, "%015d", &first); err != nil || itemKey(first).SK != item.SK {
		return bad(fmt.Errorf("key is not a leaf index"))
	}
	if v := item.Int(attrFormat); v != itemFormat {
		return bad(fmt.Errorf("format %d, want %d", v, itemFormat))
	}
	leaves, err := splitHashes(item.Bytes(attrLeaves))
	if err != nil {
		return bad(err)
	}
	if len(leaves) == 0 || int64(len(leaves)) != item.Int(attrCount) {
		return bad(fmt.Errorf("%d leaves, count says %d", len(leaves), item.Int(attrCount)))
	}
	after, err := parseEdge(first+int64(len(leaves)), item.Bytes(attrEdge))
	if err != nil {
		return bad(err)
	}
	return segment{
		first: first, leaves: leaves, after: after, at: item.Time(attrAt),
		seen: item.Bytes(attrSeen), events: item.Bytes(attrEvents),
	}, nil
}

func place(first int64, attr string) envelope.Where {
	return envelope.Where{Table: store.Ledger, Key: itemKey(first), Field: attr}
}

// values opens the segment's seed and events.
func (s segment) values(ctx context.Context, sealer Sealer, t tenant.ID) (seed []byte, events [][]byte, err error) {
	plain, err := sealer.Open(ctx, t, envelope.Ledger, place(s.first, attrEvents), s.events)
	if err != nil {
		return nil, nil, fmt.Errorf("ledger: events from leaf %d: %w", s.first, err)
	}
	seed, events, err = unpackEvents(plain)
	if err == nil && len(events) != len(s.leaves) {
		err = fmt.Errorf("%d events for %d leaves", len(events), len(s.leaves))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("ledger: events from leaf %d: %w", s.first, err)
	}
	return seed, events, nil
}

var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriter(io.Discard, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is a valid constant
	}
	return w
}}

// packEvents is seed, then the events, each after its length, compressed.
func packEvents(seed []byte, events [][]byte) ([]byte, error) {
	var out bytes.Buffer
	out.Grow(128 * len(events)) // about what they compress to
	out.Write(seed)
	w := deflaters.Get().(*flate.Writer) //nolint:forcetypeassert // the pool holds nothing else
	defer deflaters.Put(w)
	w.Reset(&out)
	var size [binary.MaxVarintLen64]byte
	for _, e := range events {
		n := binary.PutUvarint(size[:], uint64(len(e)))
		if _, err := w.Write(size[:n]); err != nil {
			return nil, err
		}
		if _, err := w.Write(e); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func unpackEvents(b []byte) (seed []byte, events [][]byte, err error) {
	if len(b) < saltSize {
		return nil, nil, io.ErrUnexpectedEOF
	}
	seed, b = b[:saltSize], b[saltSize:]
	const most = maxRaw + maxLeaves*binary.MaxVarintLen32
	raw, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b)), most+1))
	if err != nil {
		return nil, nil, err
	}
	if len(raw) > most {
		return nil, nil, fmt.Errorf("more than %d bytes", most)
	}
	for len(raw) > 0 {
		size, n := binary.Uvarint(raw)
		if n <= 0 || size > uint64(len(raw)-n) {
			return nil, nil, io.ErrUnexpectedEOF
		}
		events = append(events, raw[n:n+int(size)])
		raw = raw[n+int(size):]
	}
	return seed, events, nil
}

// tag stands for a source in memory and in items: the first 16 bytes of its
// SHA-256, because a source can be long and there can be many.
type tag [16]byte

func tagOf(source string) tag {
	h := sha256.Sum256([]byte(source))
	return tag(h[:16])
}
