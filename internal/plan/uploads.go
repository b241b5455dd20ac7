package plan

import (
	"context"
	"fmt"
	"time"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Uploads returns a page of the tenant's uploads, in order of id, at most limit, without
// forms; whether there is a file only the bucket knows. after is the id to continue
// after, next is "" at the end.
func (s *Store) Uploads(ctx context.Context, t tenant.ID, after string, limit int) (list []Upload, next string, err error) {
	page, err := s.DB.Query(ctx, t, store.Offers, store.Query{PK: uploadsPK, After: after, Limit: limit})
	if err != nil {
		return nil, "", fmt.Errorf("plan: list uploads: %w", err)
	}
	for _, it := range page.Items {
		list = append(list, Upload{ID: it.SK, File: it.Str(aFile), Expires: time.Unix(it.Int(aTTL), 0).UTC()})
	}
	return list, page.Next, nil
}

// ContentName is the blob of a plan's file, of one that was not uploaded beforehand.
func ContentName(id string) string { return contentName(id) }
