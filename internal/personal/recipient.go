package personal

import (
	"context"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Recipient is somebody whom a parcel goes to. The product asks Amazon for no
// orders and keeps no recipients; this is the only type that one may have.
type Recipient struct {
	Name, Street, City, Phone, Email Sensitive[string]
}

// parts pairs the record's values with their declarations.
func (r *Recipient) parts() map[*Sensitive[string]]Field {
	return map[*Sensitive[string]]Field{
		&r.Name: RecipientName, &r.Street: RecipientStreet, &r.City: RecipientCity,
		&r.Phone: RecipientPhone, &r.Email: RecipientEmail,
	}
}

// Item is the record as it is stored under the id, every field sealed.
func (r Recipient) Item(ctx context.Context, s Sealer, t tenant.ID, id string) (store.Item, error) {
	item := store.Item{Key: store.Key{PK: RecipientsPK, SK: id}, Attrs: map[string]any{}}
	for v, f := range r.parts() {
		sealed, err := Seal(ctx, s, t, f, item.Key, *v)
		if err != nil {
			return store.Item{}, err
		}
		item.Attrs[f.Attr] = sealed
	}
	return item, nil
}

// OpenRecipient opens what Item made.
func OpenRecipient(ctx context.Context, s Sealer, t tenant.ID, item store.Item) (Recipient, error) {
	var r Recipient
	for v, f := range r.parts() {
		opened, err := Open[string](ctx, s, t, f, item.Key, item.Bytes(f.Attr))
		if err != nil {
			return Recipient{}, err
		}
		*v = opened
	}
	return r, nil
}
