package lane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// State is where a change is in its life.
type State string

// The states: a closed set.
const (
	Desired     State = "desired"
	Sent        State = "sent"
	Accepted    State = "accepted"
	Observed    State = "observed"
	Rejected    State = "rejected"
	Unknown     State = "unknown"
	Unconfirmed State = "unconfirmed"
	Held        State = "held"
	Superseded  State = "superseded"
)

// States lists the states.
func States() []State {
	return []State{Desired, Sent, Accepted, Observed, Rejected, Unknown, Unconfirmed, Held, Superseded}
}

// Terminal reports whether nothing more happens to a change in this state.
func (s State) Terminal() bool {
	switch s {
	case Observed, Rejected, Unconfirmed, Held, Superseded:
		return true
	case Desired, Sent, Accepted, Unknown:
	}
	return false
}

// Attributes of an offer item. The current change is batch/row/...; the staged
// one, which counts once its batch is committed, is nb/nrow/nedit.
const (
	aASIN, aType, aTitle, aQuantity, aAutomated = "asin", "pt", "title", "qty", "auto"
	aKnown, aReadAt, aVersion                   = "known", "read", "ver"
	aBatch, aRow, aEdit, aOld                   = "batch", "row", "edit", "old"
	aState, aStateAt, aChange, aSubmission      = "st", "stat", "dv", "sub"
	aIssue, aFence, aReadBy                     = "issue", "fence", "ttlms"
	aDrift, aDriftAt                            = "drift", "driftat"
	aNextBatch, aNextRow, aNextEdit             = "nb", "nrow", "nedit"
	aGTIN, aIndexed                             = "gtin", "idx" // see refs.go
	aBrings                                     = "brings"      // see carry.go
)

// buckets spreads the offers of a connection over this many partition keys, so
// that importing or staging a large catalogue is not bound to the 1,000 write
// units per second of one DynamoDB partition.
const buckets = 16

func bucketOf(sku price.SKU) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(sku))
	return int(h.Sum32() % buckets)
}

func offerPK(c price.ConnectionID, bucket int) string {
	return fmt.Sprintf("offer#%s#%02d", c, bucket)
}

func offerKey(k price.OfferKey) store.Key {
	return store.Key{PK: offerPK(k.Connection, bucketOf(k.SKU)), SK: string(k.Marketplace) + "#" + string(k.SKU)}
}

func parseOfferKey(k store.Key) (price.OfferKey, bool) {
	rest, ok := strings.CutPrefix(k.PK, "offer#")
	if !ok {
		return price.OfferKey{}, false
	}
	conn := rest[:max(strings.LastIndexByte(rest, '#'), 0)]
	market, sku, ok := strings.Cut(k.SK, "#")
	return price.OfferKey{Connection: price.ConnectionID(conn), Marketplace: price.MarketplaceID(market), SKU: price.SKU(sku)}, ok && conn != ""
}

// Change is the current or staged change of an offer.
type Change struct {
	Batch      string
	Row        int64
	Edit       price.Edit
	Old        price.Prices
	State      State
	At         time.Time
	Number     int64 // counts the changes of this offer
	Submission string
	Issue      string
	Brings     string // the batch some of whose fields are in Edit, see carry.go
}

// record is an offer item, decoded.
type record struct {
	price.Offer
	change  *Change // nil: never changed by us
	staged  *Change // nil: nothing staged; State is Desired
	indexed string  // what findable has written for it
}

func decodeOffer(it store.Item) (record, error) {
	key, ok := parseOfferKey(it.Key)
	if !ok {
		return record{}, fmt.Errorf("lane: %q is not an offer key", it.PK)
	}
	r := record{Offer: price.Offer{
		Key: key, ASIN: it.Str(aASIN), GTIN: it.Str(aGTIN), ProductType: it.Str(aType), Title: it.Str(aTitle),
		Automated: it.Bool(aAutomated), ReadAt: it.Time(aReadAt), Version: it.Int(aVersion),
	}, indexed: it.Str(aIndexed)}
	if q, ok := it.Attrs[aQuantity].(int64); ok {
		r.Quantity = &q
	}
	if err := unmarshal(it.Bytes(aKnown), &r.Known); err != nil {
		return record{}, err
	}
	if b := it.Str(aBatch); b != "" {
		c := Change{Batch: b, Row: it.Int(aRow), State: State(it.Str(aState)), At: it.Time(aStateAt),
			Number: it.Int(aChange), Submission: it.Str(aSubmission), Issue: it.Str(aIssue), Brings: it.Str(aBrings)}
		if err := errors.Join(unmarshal(it.Bytes(aEdit), &c.Edit), unmarshal(it.Bytes(aOld), &c.Old)); err != nil {
			return record{}, err
		}
		r.change = &c
	}
	r.Replaced = replaced(r)
	if b := it.Str(aNextBatch); b != "" {
		c := Change{Batch: b, Row: it.Int(aNextRow), State: Desired}
		if err := unmarshal(it.Bytes(aNextEdit), &c.Edit); err != nil {
			return record{}, err
		}
		r.staged = &c
	}
	return r, nil
}

// replaced is the price that a change of ours took the place of, as long as what
// we wrote is what Amazon shows.
func replaced(r record) *price.Replaced {
	c := r.change
	if c == nil || c.State != Observed || c.Edit.Set.Our == nil || c.Old.Our == nil {
		return nil
	}
	if met, _ := c.Edit.Met(r.Known); !met {
		return nil
	}
	return &price.Replaced{Price: *c.Old.Our, Until: c.At, Batch: c.Batch}
}

func unmarshal(b []byte, v any) error {
	if len(b) == 0 {
		return nil
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("lane: offer item: %w", err)
	}
	return nil
}

// mustJSON encodes a value of our own types, which cannot fail.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("lane: " + err.Error())
	}
	return b
}

// wants reports whether the offer's current or staged change is the given row,
// and whether it is only staged.
func (r record) wants(batch string, row int64) (c *Change, staged bool) {
	if r.staged != nil && r.staged.Batch == batch && r.staged.Row == row {
		return r.staged, true
	}
	if r.change != nil && r.change.Batch == batch && r.change.Row == row {
		return r.change, false
	}
	return nil, false
}

// pending is the offer as it will be once what was asked for has come true:
// plans are made against it, so that a file which repeats a pending price is
// unchanged and one that takes it back is not.
func (r record) pending() price.Offer {
	o := r.Offer
	if r.change != nil && !r.change.State.Terminal() {
		o.Known = r.change.Edit.Apply(o.Known)
	}
	if r.staged != nil {
		o.Known = r.staged.Edit.Apply(o.Known)
	}
	return o
}

// Offers reads the offers of a tenant.
type Offers struct{ db store.DB }

// NewOffers returns the offers kept in db.
func NewOffers(db store.DB) *Offers { return &Offers{db: db} }

// Current is one offer as it is at Amazon and as it will be.
type Current struct {
	price.Offer              // as last read from Amazon
	Change      *Change      // the latest change, also one that is not sent yet; nil for none
	Pending     price.Prices // once every pending change has come true
}

// Find returns one offer, or store.ErrNotFound.
func (s *Offers) Find(ctx context.Context, t tenant.ID, k price.OfferKey) (Current, error) {
	recs, err := s.records(ctx, t, []price.OfferKey{k})
	if err != nil {
		return Current{}, err
	}
	r, ok := recs[k]
	if !ok {
		return Current{}, store.ErrNotFound
	}
	if err := s.dropRefused(ctx, t, &r, map[string]bool{}); err != nil {
		return Current{}, err
	}
	c := Current{Offer: r.Offer, Change: r.change, Pending: r.pending().Known}
	if r.staged != nil {
		c.Change = r.staged
	}
	return c, nil
}

func (s *Offers) records(ctx context.Context, t tenant.ID, keys []price.OfferKey) (map[price.OfferKey]record, error) {
	sk := make([]store.Key, len(keys))
	for i, k := range keys {
		sk[i] = offerKey(k)
	}
	items, err := s.db.BatchGet(ctx, t, store.Offers, sk)
	if err != nil {
		return nil, fmt.Errorf("lane: read offers: %w", err)
	}
	out := make(map[price.OfferKey]record, len(items))
	for _, it := range items {
		r, err := decodeOffer(it)
		if err != nil {
			return nil, err
		}
		out[r.Key] = r
	}
	return out, nil
}

// View is an offer with its latest change, as the API shows it.
type View struct {
	price.Offer
	Change *Change
	// Drift is what the prices were before somebody else changed them at Amazon;
	// nil when nobody did since our last change.
	Drift   *price.Prices
	DriftAt time.Time // when that was noticed
}

// Page lists offers of one connection, at most limit, in a stable order;
// marketplace "" means all. after is the cursor of the page before, "" at the
// beginning; next is "" at the end.
func (s *Offers) Page(ctx context.Context, t tenant.ID, c price.ConnectionID, m price.MarketplaceID, after string, limit int) (views []View, next string, err error) {
	bucket, sk := 0, ""
	if after != "" {
		if n, err := fmt.Sscanf(after, "%d:", &bucket); n != 1 || err != nil || bucket < 0 || bucket >= buckets {
			return nil, "", fmt.Errorf("lane: cursor %q: %w", after, store.ErrNotFound)
		}
		_, sk, _ = strings.Cut(after, ":")
	}
	prefix := ""
	if m != "" {
		prefix = string(m) + "#"
	}
	for ; bucket < buckets; bucket, sk = bucket+1, "" {
		page, err := s.db.Query(ctx, t, store.Offers, store.Query{PK: offerPK(c, bucket), Prefix: prefix, After: sk, Limit: limit - len(views)})
		if err != nil {
			return nil, "", fmt.Errorf("lane: list offers: %w", err)
		}
		for _, it := range page.Items {
			r, err := decodeOffer(it)
			if err != nil {
				return nil, "", err
			}
			v := View{Offer: r.Offer, Change: r.change, DriftAt: it.Time(aDriftAt)}
			if b := it.Bytes(aDrift); b != nil {
				v.Drift = &price.Prices{}
				if err := unmarshal(b, v.Drift); err != nil {
					return nil, "", err
				}
			}
			if r.staged != nil {
				v.Change = r.staged
			}
			views = append(views, v)
		}
		if len(views) >= limit {
			if page.Next != "" {
				return views, fmt.Sprintf("%d:%s", bucket, page.Next), nil
			}
			if bucket+1 < buckets {
				return views, fmt.Sprintf("%d:", bucket+1), nil
			}
		}
	}
	return views, "", nil
}

// Read is what a reading of one offer at Amazon showed.
type Read struct {
	Key         price.OfferKey
	ASIN        string
	GTIN        string // in the form of price.NormalGTIN, "" when not told
	ProductType string
	Title       string
	Quantity    *int64
	Automated   bool
	Prices      price.Prices
	Begun       time.Time // when the read was begun
}

// Learn writes what a read showed. An older read than the one already known,
// and an offer whose change is under way, are left alone: read-back owns those.
// A read that shows nothing new only refreshes the time and moves no version.
func (s *Offers) Learn(ctx context.Context, t tenant.ID, rd Read) error {
	set := map[string]any{aReadAt: store.Millis(rd.Begun), aASIN: rd.ASIN, aType: rd.ProductType, aAutomated: rd.Automated}
	if rd.Title != "" {
		set[aTitle] = rd.Title
	}
	if rd.Quantity != nil {
		set[aQuantity] = *rd.Quantity
	}
	recs, err := s.records(ctx, t, []price.OfferKey{rd.Key})
	if err != nil {
		return err
	}
	old, known := recs[rd.Key]
	if rd.GTIN == "" {
		rd.GTIN = old.GTIN
	} else {
		set[aGTIN] = rd.GTIN
	}
	if set[aIndexed], err = s.findable(ctx, t, old.indexed, rd.Key, rd.ASIN, rd.GTIN); err != nil {
		return err
	}
	up := store.Update{Set: set, If: []store.Cond{
		store.AnyOf(store.Missing(aReadAt), store.Lt(aReadAt, store.Millis(rd.Begun))),
		store.Ne(aState, string(Accepted)), store.Ne(aState, string(Unknown)), store.Ne(aState, string(Desired)),
		store.Missing(aNextBatch),
	}}
	if known {
		up.If = append(up.If, store.Eq(aVersion, old.Version))
	}
	differs := len(fieldsThatDiffer(old.Known, rd.Prices)) > 0
	if !known || differs || old.ReadAt.IsZero() {
		set[aKnown] = mustJSON(rd.Prices)
		up.Add = map[string]int64{aVersion: 1}
	}
	late := false // our own change, given up as unconfirmed, shows after all
	if c := old.change; c != nil {
		late, _ = c.Edit.Met(rd.Prices)
	}
	if differs && !late && !old.ReadAt.IsZero() {
		// Nobody of ours did this. The version moves, so that rows planned on the
		// old price are held; what it was is kept for the seller to see.
		set[aDrift], set[aDriftAt] = mustJSON(old.Known), store.Millis(rd.Begun)
	}
	_, err = s.db.Update(ctx, t, store.Offers, offerKey(rd.Key), up)
	if errors.Is(err, store.ErrConflict) {
		return nil // a newer read or a change under way knows better
	}
	return err
}

// Listed notes an offer that Amazon's report lists but no read has shown: it is
// known to exist, and a change of it is held because its prices are not known.
func (s *Offers) Listed(ctx context.Context, t tenant.ID, k price.OfferKey, l catalogueLine) error {
	_, err := s.db.Update(ctx, t, store.Offers, offerKey(k), store.Update{
		Set: map[string]any{aASIN: l.ASIN, aTitle: l.Title}, If: []store.Cond{store.Missing(aReadAt)},
	})
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

func fieldsThatDiffer(a, b price.Prices) []price.Field {
	return slices.DeleteFunc(price.Fields(), func(f price.Field) bool { return a.EqualField(f, b) })
}
