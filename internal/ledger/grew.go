package ledger

import (
	"context"
	"fmt"
	"time"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Grew says when a tenant's ledger began, zero when it has none, and whether anything
// was appended from one time to another (zero: until now). It opens no values. It
// reads back from the newest append, which is slow for a time long past.
func Grew(ctx context.Context, db store.DB, t tenant.ID, from, to time.Time) (began time.Time, active bool, err error) {
	page, err := db.Query(ctx, t, store.Ledger, store.Query{PK: logPK, Limit: 1})
	if err != nil || len(page.Items) == 0 {
		return time.Time{}, false, wrapGrew(t, err)
	}
	began = page.Items[0].Time(attrAt)
	for after := ""; ; {
		page, err := db.Query(ctx, t, store.Ledger, store.Query{PK: logPK, Reverse: true, After: after, Limit: walkPage})
		if err != nil {
			return began, false, wrapGrew(t, err)
		}
		for _, it := range page.Items {
			at := it.Time(attrAt)
			if at.Before(from) {
				return began, false, nil
			}
			if to.IsZero() || !at.After(to) {
				return began, true, nil
			}
		}
		if after = page.Next; after == "" {
			return began, false, nil
		}
	}
}

func wrapGrew(t tenant.ID, err error) error {
	if err != nil {
		err = fmt.Errorf("ledger: appends of %s: %w", t, err)
	}
	return err
}
