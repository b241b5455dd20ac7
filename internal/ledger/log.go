package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Sealer keeps the values of events secret; *envelope.Sealer is one. Open's
// error is envelope.ErrOpen when the tenant's key was destroyed.
type Sealer interface {
	Seal(ctx context.Context, t tenant.ID, p envelope.Purpose, at envelope.Where, plaintext []byte) ([]byte, error)
	Open(ctx context.Context, t tenant.ID, p envelope.Purpose, at envelope.Where, sealed []byte) ([]byte, error)
}

var _ Sealer = (*envelope.Sealer)(nil)

// Log reads and appends the tenants' ledgers. It is safe for concurrent use, in
// one process and in many.
type Log struct {
	db     store.DB
	sealer Sealer
	clock  clock.Clock
	signer SignerFunc

	mu    sync.Mutex
	rand  io.Reader // read under mu
	tails map[tenant.ID]*tail
}

// maxTails bounds how many tenants' tails one process remembers.
const maxTails = 64

// New returns a Log that takes the seeds of salts from rand.
func New(db store.DB, sealer Sealer, clk clock.Clock, rand io.Reader) *Log {
	return &Log{db: db, sealer: sealer, clock: clk, rand: rand, tails: map[tenant.ID]*tail{}}
}

// WithSigner returns l with the key that signs checkpoints. A process that only
// appends needs none. Call it before first use.
func (l *Log) WithSigner(s SignerFunc) *Log { l.signer = s; return l }

// Head is the state of a tenant's ledger.
type Head struct {
	Size int64     // leaves
	Root tlog.Hash // RFC 6962 root over them
	At   time.Time // of the last append; zero when there is none
}

// Head reads the newest state.
func (l *Log) Head(ctx context.Context, t tenant.ID) (Head, error) {
	seg, err := l.newest(ctx, t)
	if err != nil {
		return Head{}, err
	}
	return Head{Size: seg.after.size, Root: seg.after.root(), At: seg.at}, nil
}

// newest returns the last segment, or one of size 0 when nothing was appended.
func (l *Log) newest(ctx context.Context, t tenant.ID) (segment, error) {
	page, err := l.db.Query(ctx, t, store.Ledger, store.Query{PK: logPK, Reverse: true, Limit: 1})
	if err != nil {
		return segment{}, fmt.Errorf("ledger: newest append of %s: %w", t, err)
	}
	if len(page.Items) == 0 {
		return segment{}, nil
	}
	return parseSegment(page.Items[0])
}

// Leaf is one event with what proves it.
type Leaf struct {
	Index int64
	Hash  tlog.Hash
	Salt  []byte
	Event []byte // JSON, the very bytes that the leaf commits to
}

// errStop ends a walk early.
var errStop = errors.New("stop")

// Events returns up to limit leaves, beginning with the one at index from.
func (l *Log) Events(ctx context.Context, t tenant.ID, from int64, limit int) ([]Leaf, error) {
	var out []Leaf
	if from < 0 || limit <= 0 {
		return nil, nil
	}
	err := l.walk(ctx, t, from, func(leaf Leaf) error {
		out = append(out, leaf)
		if len(out) == limit {
			return errStop
		}
		return nil
	})
	return out, err
}

// walkPage is how many appends are read at once: one can be 350 KB.
const walkPage = 16

// walk calls f for every leaf from the given index on, in order, until f
// returns errStop or another error.
func (l *Log) walk(ctx context.Context, t tenant.ID, from int64, f func(Leaf) error) error {
	// The append that holds the leaf is the last one that begins at or before it.
	page, err := l.db.Query(ctx, t, store.Ledger, store.Query{PK: logPK, Reverse: true, After: itemKey(from + 1).SK, Limit: 1})
	if err != nil {
		return fmt.Errorf("ledger: append with leaf %d of %s: %w", from, t, err)
	}
	if len(page.Items) == 0 {
		return nil
	}
	next := int64(-1)
	for {
		for _, item := range page.Items {
			seg, err := parseSegment(item)
			if err != nil {
				return err
			}
			if next >= 0 && seg.first != next {
				return fmt.Errorf("ledger: leaves %d to %d of %s are missing", next, seg.first-1, t)
			}
			next = seg.after.size
			if err := l.walkSegment(ctx, t, seg, from, f); err != nil {
				if errors.Is(err, errStop) {
					return nil
				}
				return err
			}
		}
		last := page.Items[len(page.Items)-1].SK
		page, err = l.db.Query(ctx, t, store.Ledger, store.Query{PK: logPK, After: last, Limit: walkPage})
		if err != nil {
			return fmt.Errorf("ledger: appends after %s of %s: %w", last, t, err)
		}
		if len(page.Items) == 0 {
			return nil
		}
	}
}

func (l *Log) walkSegment(ctx context.Context, t tenant.ID, seg segment, from int64, f func(Leaf) error) error {
	if seg.after.size <= from {
		return nil
	}
	seed, events, err := seg.values(ctx, l.sealer, t)
	if err != nil {
		return err
	}
	salts := newSalter(seed)
	for i, event := range events {
		index := seg.first + int64(i)
		if index < from {
			continue
		}
		leaf := Leaf{Index: index, Hash: seg.leaves[i], Salt: salts.salt(index), Event: event}
		if err := f(leaf); err != nil {
			return err
		}
	}
	return nil
}
