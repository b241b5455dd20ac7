package export

import (
	"bytes"
	"testing"

	"pricemanager/internal/history"
	"pricemanager/internal/price"
)

// An answer has room for so many rows, and an event makes one for each of its prices.
func TestTheNewestEventsAreThoseThatMakeNoMoreThanSoManyRows(t *testing.T) {
	t.Parallel()
	one, two := price.FromMinor(100, "EUR"), price.FromMinor(200, "EUR")
	var events []history.Entry
	for i := range 30 {
		e := history.Entry{Leaf: int64(i), After: &price.Prices{Our: &one}}
		switch i % 3 {
		case 1:
			e.After = nil
		case 2:
			e.Before, e.After = &price.Prices{Min: &one, Our: &one}, &price.Prices{Max: &two, Our: &two}
		}
		events = append(events, e)
	}
	for limit, want := range map[int]int{0: 0, 2: 0, 3: 1, 4: 2, 5: 3, 7: 3, 8: 4, 50: 30, 1000: 30} {
		newest := Newest(events, limit)
		if len(newest) != want || want > 0 && newest[want-1].Leaf != 29 {
			t.Errorf("%d events make up to %d rows, want %d", len(newest), limit, want)
		}
		var b bytes.Buffer
		x, err := NewHistory(&b, CSV)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range newest {
			if err := x.Add(e); err != nil {
				t.Fatal(err)
			}
		}
		if x.Rows() > limit {
			t.Errorf("%d rows, at most %d were wanted", x.Rows(), limit)
		}
	}
}
