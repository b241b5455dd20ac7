package preview

import (
	"context"
	"fmt"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// List returns a page of the tenant's previews in the order of their plans; next
// is "" when there are no more.
func (s *Service) List(ctx context.Context, t tenant.ID, after string, limit int) (list []Document, next string, err error) {
	page, err := s.DB.Query(ctx, t, store.Offers, store.Query{PK: previewsPK, After: after, Limit: limit})
	if err != nil {
		return nil, "", fmt.Errorf("preview: list: %w", err)
	}
	for _, it := range page.Items {
		doc, err := decode(it)
		if err != nil {
			return nil, "", err
		}
		list = append(list, doc.Document)
	}
	return list, page.Next, nil
}
