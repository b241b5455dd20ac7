package history

import (
	"testing"
	"time"

	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
)

// entries are the events of a book about one offer.
func entries(t *testing.T, log *book) []Entry {
	t.Helper()
	out := make([]Entry, len(log.leaves))
	all, err := lines(log.leaves)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range all {
		if out[i], err = l.entry(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestAPriceThatShowedAfterItWasGivenUpIsStillOurs(t *testing.T) {
	t.Parallel()
	k, twenty, nine := key("A"), price.Prices{Our: eur(2000)}, price.Prices{Our: eur(1900)}
	at := func(minute int) time.Time { return begun.Add(time.Duration(minute) * time.Minute) }
	log := &book{}
	log.add(t, imported(k, at(0), twenty))
	log.add(t, change(ledger.ChangeAccepted, k, "bat_a", at(1), twenty, nine, ""))
	log.add(t, change(ledger.ChangeUnconfirmed, k, "bat_a", at(31), twenty, nine, ""))
	log.add(t, imported(k, at(60), nine))
	log.add(t, imported(k, at(90), price.Prices{Our: eur(1900), Min: eur(500)}))
	log.add(t, imported(k, at(120), price.Prices{Our: eur(1700), Min: eur(500)}))
	all := entries(t, log)
	for _, c := range []struct {
		minute int
		field  price.Field
		since  int
		batch  string
	}{
		{0, price.FieldOur, 0, ""}, {59, price.FieldOur, 0, ""}, {60, price.FieldOur, 60, "bat_a"}, {90, price.FieldOur, 60, "bat_a"}, {90, price.FieldMin, 90, ""},
		{120, price.FieldOur, 120, ""}, {121, price.FieldMin, 90, ""},
	} {
		known, ok := Since(all, c.field, at(c.minute))
		if !ok || !known.Entry.At.Equal(at(c.since)) {
			t.Errorf("%s at %d: since %s, %t; want minute %d", c.field, c.minute, known.Entry.At, ok, c.since)
		}
		if cause, ok := Cause(all, known.Entry, c.field); ok != (c.batch != "") || ok && (cause.Batch != c.batch || cause.Row != 7) {
			t.Errorf("%s at %d: %+v, %t; want of %q", c.field, c.minute, cause, ok, c.batch)
		}
	}
	for _, none := range []struct {
		field price.Field
		at    time.Time
	}{{price.FieldOur, at(-1)}, {price.FieldB2B, at(200)}, {price.FieldMin, at(60)}} {
		if known, ok := Since(all, none.field, none.at); ok {
			t.Errorf("%s at %s: %+v", none.field, none.at, known)
		}
	}
}

// A later change of another price took over before this one was seen.
func TestAPriceThatALaterChangeTookOverFromIsStillOurs(t *testing.T) {
	t.Parallel()
	k, twenty, nine := key("A"), price.Prices{Our: eur(2000)}, price.Prices{Our: eur(1900)}
	at := func(minute int) time.Time { return begun.Add(time.Duration(minute) * time.Minute) }
	log := &book{}
	log.add(t, imported(k, at(0), twenty))
	log.add(t, change(ledger.ChangeAccepted, k, "bat_a", at(1), twenty, nine, ""))
	log.add(t, change(ledger.ChangeAccepted, k, "bat_b", at(2), price.Prices{}, price.Prices{Min: eur(500)}, ""))
	log.add(t, change(ledger.ChangeObserved, k, "bat_b", at(3), price.Prices{}, price.Prices{Min: eur(500)}, ""))
	log.add(t, imported(k, at(3), price.Prices{Our: eur(1900), Min: eur(500)}))
	log.add(t, change(ledger.ChangeObserved, k, "bat_c", at(9), nine, twenty, ""))
	log.add(t, imported(k, at(20), price.Prices{Our: eur(1900), Min: eur(500)})) // somebody's, and the same by chance
	all := entries(t, log)
	for _, c := range []struct {
		minute int
		field  price.Field
		batch  string
	}{{3, price.FieldOur, "bat_a"}, {3, price.FieldMin, "bat_b"}, {9, price.FieldOur, "bat_c"}, {20, price.FieldOur, ""}, {20, price.FieldMin, "bat_b"}} {
		known, _ := Since(all, c.field, at(c.minute))
		if cause, ok := Cause(all, known.Entry, c.field); ok != (c.batch != "") || ok && cause.Batch != c.batch {
			t.Errorf("%s at %d: %+v, %t; want of %q", c.field, c.minute, cause, ok, c.batch)
		}
	}
}
