// Package leaky does everything that the rules forbid. The test expects a
// finding of the named rule on every line with a "want" and none elsewhere.
package leaky

import (
	"context"
	"encoding/json"
	"net/netip"

	"pricemanager/internal/envelope"
	"pricemanager/internal/personal"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Order is stored as JSON.
type Order struct {
	ID        string
	Recipient string `json:"to"`            // want field
	To        string `json:"recipientName"` // want field
	Shipping  struct {
		Street, City string // want field field
		Zip          int
	}
	Phones   []string
	Phone    []string    // want field
	Email    *string     // want field
	SourceIP netip.Addr  // want field
	LastIP   text        // want field
	Buyer    interface{} // want field
	Ship     string
	From     netip.Prefix  // want field
	Hops     []*netip.Addr // want field
	Zipped   string
	Recipe   string
	Equip    bool
	Sealed   struct{ EMail []byte }
	Safe     struct{ Email personal.Sensitive[string] }
}

type text string

const attrMail = "email"

// Put stores an order in every wrong way.
func Put(ctx context.Context, db store.DB, blobs store.Blobs, s personal.Sealer, t tenant.ID, o Order, safe personal.Recipient) error {
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	if err := blobs.Put(ctx, t, store.Files, "order", "application/json", body); err != nil {
		return err
	}
	clear := safe.Email.Reveal() // want reveal
	item := store.Item{Key: store.Key{PK: "order", SK: o.ID}, Attrs: map[string]any{
		"id":     o.ID,
		attrMail: clear, // want attribute
		"x":      clear,
	}}
	item.Attrs["phone"] = o.Phones     // want attribute
	item.Attrs["street"] = safe.Street // refused by the store: it is no string
	item.Attrs["city"], err = personal.Seal(ctx, s, t, personal.RecipientCity, item.Key, safe.City)
	if err != nil {
		return err
	}
	reveal := safe.Name.Reveal // want reveal
	at := envelope.Where{Table: store.Offers, Key: item.Key, Field: "x"}
	item.Attrs["x"], err = s.Seal(ctx, t, envelope.Addresses, at, []byte(reveal())) // want seal
	if err != nil {
		return err
	}
	if _, err := db.Update(ctx, t, store.Offers, item.Key, store.Update{Set: map[string]any{"remote_addr": "192.0.2.1"}}); err != nil { // want attribute
		return err
	}
	return db.Put(ctx, t, store.Offers, item)
}
