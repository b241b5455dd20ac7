package fx_test

import (
	"strings"
	"testing"

	"pricemanager/internal/fault"
	"pricemanager/internal/fx"
	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
)

func TestLinksAndRatesAreReplacedOnlyByWhoSawThem(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), newStore()
	l, err := s.PutLinks(ctx, acme, "key:k1", links(link(sweden)), fx.Default().Hash())
	if err != nil || l.Version.Version != 1 {
		t.Fatal(l, err)
	}
	r, err := s.PutRates(ctx, acme, "key:k1", upload("currency,rate\nSEK,11.2\n"), "")
	if err != nil {
		t.Fatal(err)
	}
	set, err := s.Load(ctx, acme)
	if err != nil || set.LinksHash() != l.Hash() || set.RatesHash() != r.Hash() || !set.Follows(sweden) {
		t.Fatalf("%+v, %v", set, err)
	}
	if _, err := s.PutLinks(ctx, acme, "key:k2", links(), fx.Default().Hash()); fault.KindOf(err) != fault.Conflict {
		t.Errorf("links that nobody saw: %v", err)
	}
	if _, err := s.PutRates(ctx, acme, "key:k2", upload("currency,rate\nSEK,11.3\n"), ""); fault.KindOf(err) != fault.Conflict {
		t.Errorf("rates that nobody saw: %v", err)
	}
	if theirs, err := s.Load(ctx, other); err != nil || theirs.Any() {
		t.Errorf("another tenant has %+v, %v", theirs, err)
	}
	if _, err := s.PutRates(ctx, acme, "key:k2", upload("currency,rate\nSEK,11.3\n"), r.Hash()); err != nil {
		t.Error(err)
	}
	if l, err = s.PutLinks(ctx, acme, "key:k2", links(), l.Hash()); err != nil || l.Version.Version != 2 {
		t.Error(l, err)
	}
	if set, err = s.Load(ctx, acme); err != nil || set.Any() || set.LinksHash() != "" || set.RatesHash() != "" {
		t.Errorf("without links: %+v, %v", set, err)
	}
}

func TestAChangeOfLinksOrRatesIsALedgerEvent(t *testing.T) {
	t.Parallel()
	for sk, want := range map[string]ledger.Type{"links": ledger.LinksChanged, "rates": ledger.RatesChanged} {
		item := func(body string) *store.Item {
			return &store.Item{Key: store.Key{PK: "fx", SK: sk}, Attrs: map[string]any{"body": []byte(body), "actor": "key:k1", "at": store.Millis(now)}}
		}
		got := fx.Events(store.Record{Table: store.Offers, Key: item("").Key, Old: item(`{"a":1}`), New: item(`{"a":2}`)})
		if len(got) != 1 || got[0].Type != want || got[0].Actor != "key:k1" || !got[0].At.Equal(now) || string(got[0].Before) != `{"a":1}` || string(got[0].After) != `{"a":2}` {
			t.Errorf("%s: %+v", sk, got)
		}
		if got := fx.Events(store.Record{Table: store.Offers, Key: item("").Key, Old: item(`{}`)}); got != nil {
			t.Errorf("%s expired: %+v", sk, got)
		}
	}
}

func TestThePatternOfASKU(t *testing.T) {
	t.Parallel()
	for pattern, skus := range map[string][2]string{"A*B": {"AB A-B AxxB AB-B", "A B ABC bAB"}, "A": {"A", "AA B"}, "*": {"A AB", ""}, "A*x*x": {"Axx A1x2x", "Ax xAx"}} {
		for i, list := range skus {
			for _, s := range strings.Fields(list) {
				if got := price.SKU(s).Like(pattern); got != (i == 0) {
					t.Errorf("%q like %q: %v", s, pattern, got)
				}
			}
		}
	}
}
