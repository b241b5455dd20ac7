package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/envelope"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Heard says when the ledger last took something over from items.
type Heard map[tag]time.Time

// Of returns when the newest change of the item was appended; zero: not at all in
// the time looked at.
func (h Heard) Of(table store.Table, key store.Key) time.Time { return h[tagOf(sourceOf(table, key))] }

// sourceOf is the source of an item's changes. It is the item, not its PK: a stream
// keeps the order of one item's changes, but DynamoDB may spread a busy PK over
// several shards, whose records then arrive in any order.
func sourceOf(table store.Table, key store.Key) string {
	return string(table) + "\x00" + key.PK + "\x00" + key.SK
}

// Since returns which items the ledger heard of from a time on, less what clocks may
// be apart. envelope.ErrErased: the tenant was erased.
func (l *Log) Since(ctx context.Context, t tenant.ID, from time.Time) (Heard, error) {
	heard := Heard{}
	for after := ""; ; {
		page, err := l.db.Query(ctx, t, store.Ledger, store.Query{PK: logPK, Reverse: true, After: after, Limit: walkPage})
		if err != nil {
			return nil, fmt.Errorf("ledger: newest appends of %s: %w", t, err)
		}
		for _, item := range page.Items {
			seg, err := parseSegment(item)
			if err != nil {
				return nil, err
			}
			if seg.at.Before(from.Add(-skew)) {
				return heard, nil
			}
			if err := l.hear(ctx, t, seg, heard); err != nil {
				return nil, err
			}
		}
		if after = page.Next; after == "" {
			return heard, nil
		}
	}
}

// hear adds an append that is older than those heard before.
func (l *Log) hear(ctx context.Context, t tenant.ID, seg segment, heard Heard) error {
	plain, err := l.sealer.Open(ctx, t, envelope.Ledger, place(seg.first, attrSeen), seg.seen)
	if err != nil {
		if l.erased(ctx, t, err) {
			err = errors.Join(envelope.ErrErased, err)
		}
		return fmt.Errorf("ledger: sources from leaf %d of %s: %w", seg.first, t, err)
	}
	return eachSeen(plain, func(tg tag, _ number) {
		if _, ok := heard[tg]; !ok {
			heard[tg] = seg.at
		}
	})
}
