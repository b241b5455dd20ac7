package lane

import (
	"context"
	"fmt"
	"time"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Kept is a stop that is kept, standing or lifted.
type Kept struct {
	Stop             // Actor is who set it, or of one that was lifted, who lifted it
	Lifted time.Time // zero: it stands
}

// Kept returns a page of the tenant's own stops, at most limit, those too that were
// lifted in the last month. after is the name to continue after, next is "" at the end.
func (s Stops) Kept(ctx context.Context, t tenant.ID, after string, limit int) (list []Kept, next string, err error) {
	page, err := s.DB.Query(ctx, t, store.Offers, store.Query{PK: stopPK, After: after, Limit: limit})
	if err != nil {
		return nil, "", fmt.Errorf("lane: list stops: %w", err)
	}
	for _, it := range page.Items {
		if !isCall(it.Key) {
			list = append(list, Kept{decodeStop(it), it.Time(aLifted)})
		}
	}
	return list, page.Next, nil
}
