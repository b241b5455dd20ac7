package ledger

import (
	"context"
	"errors"
	"fmt"

	"pricemanager/internal/envelope"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// erased reports whether err came of the tenant having been erased: its ledger
// is closed, and records that still arrive are dropped. Left in the stream they
// would hold up everybody behind them. Opening alone cannot tell a key that was
// destroyed from damage; sealing can.
func (l *Log) erased(ctx context.Context, t tenant.ID, err error) bool {
	if !errors.Is(err, envelope.ErrOpen) && !errors.Is(err, envelope.ErrErased) {
		return false
	}
	_, err = l.sealer.Seal(ctx, t, envelope.Ledger, place(0, attrEvents), nil)
	return errors.Is(err, envelope.ErrErased)
}

// CheckTree computes the tree anew from the stored leaves and returns its head.
// It opens no values, so that it also works for a tenant that was erased. A tree
// that does not add up to what its items say is an error.
func (l *Log) CheckTree(ctx context.Context, t tenant.ID) (Head, error) {
	var tree edge
	var head Head
	for after := ""; ; {
		page, err := l.db.Query(ctx, t, store.Ledger, store.Query{PK: logPK, After: after, Limit: walkPage})
		if err != nil {
			return Head{}, fmt.Errorf("ledger: read tree of %s: %w", t, err)
		}
		for _, item := range page.Items {
			seg, err := parseSegment(item)
			if err != nil {
				return Head{}, err
			}
			if seg.first != tree.size {
				return Head{}, fmt.Errorf("ledger: leaf %d of %s is missing, next is %d", tree.size, t, seg.first)
			}
			for _, h := range seg.leaves {
				tree.append(h)
			}
			if tree.root() != seg.after.root() {
				return Head{}, fmt.Errorf("ledger: %s does not add up at leaf %d", t, tree.size-1)
			}
			head = Head{Size: tree.size, Root: tree.root(), At: seg.at}
		}
		if after = page.Next; after == "" {
			return head, nil
		}
	}
}
