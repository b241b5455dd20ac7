package memory

import (
	"context"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"pricemanager/internal/store"
)

// stream is the changes of one table since the last Trim, numbered from 1.
type stream struct {
	mu   sync.Mutex
	log  []change
	next uint64        // the number of the next change
	wake chan struct{} // closed by the next change; nil when nobody waits
}

type change struct {
	key      partKey
	old, new *row
	expired  bool
	at       time.Time
}

// record appends a change. It is called with the shard's lock held, so that the
// numbers grow along each PK.
func (db *DB) record(t *table, c change) {
	if db.NoStreams || t.stream == nil || c.old.same(c.new) {
		return
	}
	c.at = db.clock.Now()
	s := t.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, c)
	s.next++
	if s.wake != nil {
		close(s.wake)
		s.wake = nil
	}
}

// since returns at most limit changes numbered from seq on, the number of the
// first, and when there are none a channel that closes with the next.
func (s *stream) since(seq uint64, limit int) (changes []change, first uint64, wake <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first = max(seq, s.next-uint64(len(s.log)))
	if first >= s.next {
		if s.wake == nil {
			s.wake = make(chan struct{})
		}
		return nil, first, s.wake
	}
	tail := s.log[uint64(len(s.log))-(s.next-first):]
	return slices.Clone(tail[:min(limit, len(tail))]), first, nil
}

// Records returns the changes of a table that its stream still has, oldest
// first: those after the sequence number after, or all when it is "". It panics
// on a table that is not in store.Streamed.
func (db *DB) Records(table store.Table, after string) []store.Record {
	from, _ := strconv.ParseUint(after, 10, 64)
	changes, first, _ := db.tables[table].stream.since(from+1, math.MaxInt)
	return records(table, changes, first)
}

// Trim forgets the changes of a table up to and including the sequence number.
// Readers that have not seen them miss them, as after 24 hours on AWS.
func (db *DB) Trim(table store.Table, upTo string) {
	n, _ := strconv.ParseUint(upTo, 10, 64)
	s := db.tables[table].stream
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.next - uint64(len(s.log))
	if n < first {
		return
	}
	k := min(n-first+1, uint64(len(s.log)))
	clear(s.log[:k]) // lets go of the rows; the array follows when the log grows
	s.log = s.log[k:]
}

// Reader reads a stream from a point on. It is for one goroutine.
type Reader struct {
	table store.Table
	s     *stream
	next  uint64
}

// Subscribe returns a reader of the changes of a table from now on. It panics
// on a table that is not in store.Streamed.
func (db *DB) Subscribe(table store.Table) *Reader {
	s := db.tables[table].stream
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Reader{table: table, s: s, next: s.next}
}

// Poll returns at most limit further changes, none when there are none yet.
func (r *Reader) Poll(limit int) []store.Record {
	changes, first, _ := r.s.since(r.next, limit)
	r.next = first + uint64(len(changes))
	return records(r.table, changes, first)
}

// Read returns at most limit further changes, waiting for the first of them
// until ctx ends, in which case it returns ctx.Err().
func (r *Reader) Read(ctx context.Context, limit int) ([]store.Record, error) {
	for {
		changes, first, wake := r.s.since(r.next, limit)
		if wake == nil {
			r.next = first + uint64(len(changes))
			return records(r.table, changes, first), nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func records(table store.Table, changes []change, first uint64) []store.Record {
	out := make([]store.Record, len(changes))
	for i, c := range changes {
		rec := store.Record{
			Table: table, Tenant: c.key.tenant, Expired: c.expired, At: c.at,
			Seq: strconv.FormatUint(first+uint64(i), 10),
		}
		if c.old != nil {
			it := c.old.item(c.key.pk)
			rec.Key, rec.Old = it.Key, &it
		}
		if c.new != nil {
			it := c.new.item(c.key.pk)
			rec.Key, rec.New = it.Key, &it
		}
		out[i] = rec
	}
	return out
}

// Expire deletes the items whose "ttl" has passed, as DynamoDB does sooner or
// later, and says how many. Their stream records are marked Expired.
func (db *DB) Expire() int {
	now, n := db.clock.Now().Unix(), 0
	for _, name := range store.Tables() {
		t := db.tables[name]
		for i := range t.shards {
			s := &t.shards[i]
			s.mu.Lock()
			for k, p := range s.parts {
				for _, r := range p.expired(now) {
					if p.remove(r.sk); p.empty() {
						delete(s.parts, k)
					}
					db.record(t, change{key: k, old: r, expired: true})
					n++
				}
			}
			s.mu.Unlock()
		}
	}
	return n
}

func (p *partition) expired(now int64) []*row {
	var gone []*row
	for _, c := range p.chunks {
		for _, r := range c {
			if at, ok := r.get("ttl").(int64); ok && at < now {
				gone = append(gone, r)
			}
		}
	}
	return gone
}
