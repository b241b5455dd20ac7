package audit

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"time"

	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Digest stands for a fact of an item: the first 16 bytes of a SHA-256.
type Digest [16]byte

// unknown is the time of the change that is put into probes, to tell which of the
// times in events are the item's own.
var unknown = time.Unix(1, 0).UTC()

// versions says what of an event tells apart two states of an item, where that is
// not the time at which it was brought about. It is what changes with such an event
// and never without one.
var versions = map[ledger.Type]func(ledger.Event) string{
	ledger.OfferImported: func(e ledger.Event) string { return string(e.After) }, // the prices
	ledger.PullFetched:   func(e ledger.Event) string { return string(e.After) }, // the file
	ledger.PullPaused:    func(ledger.Event) string { return "" },                // its time is that of the last look
}

// Facts returns the events that the item's present state stands for, with their
// digests. Its past is not known, so the mapper is asked what it would say had the
// item just been made, and had it been without each of its attributes in turn.
func Facts(mapper ledger.Mapper, t tenant.ID, table store.Table, it store.Item) map[Digest]ledger.Event {
	found := map[Digest]ledger.Event{}
	ask := func(old *store.Item) {
		now := it
		for _, e := range said(mapper, store.Record{Table: table, Tenant: t, Key: it.Key, Old: old, New: &now, Seq: "1", At: unknown}) {
			if e.Type.Valid() {
				found[digestOf(table, it.Key, e)] = e
			}
		}
	}
	ask(nil)
	without := store.Item{Key: it.Key, Attrs: maps.Clone(it.Attrs)}
	for name, v := range it.Attrs {
		delete(without.Attrs, name)
		ask(&without)
		without.Attrs[name] = v
	}
	return found
}

// said is what the mapper says, and nothing when it cannot make sense of a past that
// never was.
func said(mapper ledger.Mapper, r store.Record) (events []ledger.Event) {
	defer func() {
		if recover() != nil {
			events = nil
		}
	}()
	return mapper(r)
}

func digestOf(table store.Table, key store.Key, e ledger.Event) Digest {
	version := ""
	if v, ok := versions[e.Type]; ok {
		version = v(e)
	} else if !e.At.Equal(unknown) && !e.At.IsZero() {
		version = fmt.Sprint(e.At.UnixMilli())
	}
	h := sha256.New()
	for _, s := range []string{string(table), key.PK, key.SK, string(e.Type), e.Target, e.Batch, version} {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
	return Digest(h.Sum(nil)[:16])
}
