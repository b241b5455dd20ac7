package watch

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pricemanager/internal/ledger"
)

var start = time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)

// feed gives events to the rules and collects what they find.
type feed struct {
	state
	leaf  int64
	found []Finding
}

func (f *feed) take(e ledger.Event) {
	if x := f.state.take(e, f.leaf); x != nil {
		f.found = append(f.found, *x)
	}
	f.leaf++
}

func exported(actor string, at time.Time, rows int64) ledger.Event {
	return ledger.Event{Type: ledger.TableExported, Actor: actor, At: at, After: json.RawMessage(fmt.Sprintf(`{"what":"offers","rows":%d}`, rows))}
}

// desired is a price that is to go from one to another.
func desired(batch string, was, is string) ledger.Event {
	return ledger.Event{Type: ledger.ChangeDesired, At: start, Batch: batch, Actor: "system:price-sync",
		Before: json.RawMessage(`{"price":{"amount":"` + was + `","currency":"EUR"}}`),
		After:  json.RawMessage(`{"row":1,"prices":{"price":{"amount":"` + is + `","currency":"EUR"}}}`)}
}

func TestMuchMoreThanUsualIsFoundOnceAndNamesItsEvents(t *testing.T) {
	t.Parallel()
	var f feed
	at := start
	for day := range 10 { // a tenant that takes 30,000 rows a day away
		at = start.AddDate(0, 0, day)
		f.take(exported("key:till", at, 30_000))
	}
	at = at.AddDate(0, 0, 1)
	f.take(exported("key:till", at, 90_000)) // three times as much is the limit
	if len(f.found) != 0 {
		t.Fatalf("what is at the limit was found: %+v", f.found)
	}
	f.take(exported("key:other", at.Add(59*time.Minute), 40_000))
	first := f.leaf
	for i := range 3 {
		f.take(exported("key:thief", at.Add(time.Duration(i)*30*time.Minute), 45_000))
	}
	if len(f.found) != 1 {
		t.Fatalf("found %+v, want one", f.found)
	}
	got := f.found[0]
	want := Finding{Kind: MassExport, Subject: "key:thief", At: got.At, Unit: "rows", Observed: 135_000, Limit: 90_000, Usual: 30_000, Events: 3, First: first, Last: first + 2}
	if got != want {
		t.Errorf("found %+v, want %+v", got, want)
	}
}

func TestUnderTheFloorNothingIsSuspicious(t *testing.T) {
	t.Parallel()
	var f feed
	for day := range 10 {
		f.take(exported("key:till", start.AddDate(0, 0, day), 1))
	}
	f.take(exported("key:till", start.AddDate(0, 0, 11), rows.floor))
	if len(f.found) != 0 {
		t.Errorf("found %+v", f.found)
	}
	f.take(exported("key:till", start.AddDate(0, 0, 11), 1))
	if len(f.found) != 1 {
		t.Errorf("one row above the floor: %+v", f.found)
	}
}

// A thief who works a little around the hour is found like one who does not, and
// one night of theft does not make the next one usual.
func TestNoBorderOfAnHourHidesAnythingAndOneNightTeachesNothing(t *testing.T) {
	t.Parallel()
	var f feed
	for day := range 9 {
		at := start.AddDate(0, 0, day)
		if day > 5 { // three nights of theft, half before the hour and half after it
			f.take(exported("key:thief", at.Add(-time.Minute), 40_000))
			f.take(exported("key:thief", at.Add(time.Minute), 40_000))
			if len(f.found) != day-5 {
				t.Fatalf("night %d: %+v", day-5, f.found)
			}
			continue
		}
		f.take(exported("key:till", at, 1000))
	}
}

func TestEachKindIsFound(t *testing.T) {
	t.Parallel()
	for kind, many := range map[Kind]struct {
		n int64
		e ledger.Event
	}{
		MassExport: {archives.floor, ledger.Event{Type: ledger.ExportRequested, Actor: "key:a", At: start}},
		TokenSpike: {tokens.floor, ledger.Event{Type: ledger.TokenIssued, Target: "conn_1", At: start}},
		NewKeys:    {keys.floor, ledger.Event{Type: ledger.APIKeyCreated, Actor: "key:a", At: start}},
	} {
		var f feed
		for range many.n {
			f.take(many.e)
		}
		if len(f.found) != 0 {
			t.Errorf("%s: %d are too many already", kind, many.n)
		}
		f.take(many.e)
		f.take(many.e)
		if len(f.found) != 1 || f.found[0].Kind != kind || f.found[0].Events != many.n+1 {
			t.Errorf("%s: found %+v", kind, f.found)
		}
	}
}

// apply runs a batch of 100 prices of which some fall to a price.
func (f *feed) apply(id string, falling int, to string) {
	f.take(ledger.Event{Type: ledger.BatchCreated, Batch: id, Actor: "key:till", At: start})
	for i := range 100 {
		is := "20.00"
		if i < falling {
			is = to
		}
		f.take(desired(id, "20.00", is))
	}
	f.take(ledger.Event{Type: ledger.BatchActivated, Batch: id, At: start})
	f.take(ledger.Event{Type: ledger.BatchCompleted, Batch: id, At: start})
}

func TestPricesThatFallUnlikeTheTenantsOwnAreFound(t *testing.T) {
	t.Parallel()
	var calm feed
	for i := range 6 {
		calm.apply(fmt.Sprint("b", i), i, "10.00")
	}
	calm.apply("sale", 26, "13.99") // 30.05 % down
	if len(calm.found) != 1 {
		t.Fatalf("found %+v, want the sale", calm.found)
	}
	got := calm.found[0]
	want := Finding{Kind: PriceMoves, Subject: "key:till", At: start, Unit: "thousandths of the rows", Observed: 260, Limit: 250, Usual: 20,
		Events: 26, First: 6*103 + 1, Last: 6*103 + 101, Batch: "sale"}
	if got != want {
		t.Errorf("found %+v, want %+v", got, want)
	}
	// Exactly 30 % is no far fall, whatever binary fractions make of it.
	var exact feed
	exact.apply("edge", 100, "14.00")
	// Who has sales every week has another baseline.
	var loud feed
	for i := range 8 {
		loud.apply(fmt.Sprint("b", i), 40+i, "10.00")
	}
	loud.apply("sale", 50, "10.00")
	// A few rows are no share.
	var few feed
	few.take(desired("few", "20.00", "1.00"))
	few.take(ledger.Event{Type: ledger.BatchCompleted, Batch: "few", At: start})
	if len(exact.found)+len(loud.found)+len(few.found) != 0 {
		t.Errorf("found %+v, %+v, %+v", exact.found, loud.found, few.found)
	}
	if len(loud.Moves.Open)+len(few.Moves.Open) != 0 {
		t.Error("finished batches are still watched")
	}
}

// TestWhatIsKnownStaysSmall: whatever a ledger holds, the state fits its item.
func TestWhatIsKnownStaysSmall(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var f feed
		types := []ledger.Type{ledger.TableExported, ledger.ExportRequested, ledger.TokenIssued, ledger.APIKeyCreated, ledger.BatchCreated, ledger.BatchCompleted, ledger.BatchActivated, ledger.ChangeDesired}
		n := rapid.IntRange(1, 2000).Draw(rt, "events")
		long := strings.Repeat("\x00é", rapid.IntRange(0, 100).Draw(rt, "length"))
		step := rapid.Int64Range(-1000, 100_000).Draw(rt, "seconds")
		for i := range n {
			name := fmt.Sprint(i, long)
			f.take(ledger.Event{Type: types[i%len(types)], Actor: name, Target: name, Batch: name, At: start.Add(time.Duration(int64(i)*step) * time.Second),
				After:  json.RawMessage(rapid.SampledFrom([]string{`{"rows":9223372036854775807}`, `{"rows":-5}`, `[`, ``, `{"rows":"x"}`}).Draw(rt, "after")),
				Before: json.RawMessage(`{}`)})
		}
		b, err := json.Marshal(f.state)
		if err != nil || len(b) > 100_000 {
			rt.Fatalf("%d bytes, %v", len(b), err)
		}
		for _, s := range []series{f.Rows, f.Archives, f.Tokens, f.Keys} {
			for _, w := range s.Open {
				if w.Sum < 0 || w.Before < 0 {
					rt.Fatalf("a sum overflowed: %+v", w)
				}
			}
		}
	})
}

func TestMedianAndDeviationAreNotMovedByAFew(t *testing.T) {
	t.Parallel()
	if b := baselineOf([]int64{1, 2, 3, 4}); b.known {
		t.Error("four values are a baseline")
	}
	if b := baselineOf([]int64{10, 12, 11, 1 << 50, 9}); b != (baseline{11, 1, true}) {
		t.Errorf("%+v", b)
	}
}

// What was said once is not said again an hour later because of one row; as much
// again is.
func TestAFindingIsNotRepeatedByWhatFollowsIt(t *testing.T) {
	t.Parallel()
	var f feed
	f.take(exported("key:thief", start, 60_000))
	f.take(exported("key:thief", start.Add(time.Minute), 60_000))
	f.take(exported("key:thief", start.Add(time.Hour), 1))
	if len(f.found) != 1 {
		t.Fatalf("found %+v", f.found)
	}
	f.take(exported("key:thief", start.Add(time.Hour+time.Minute), 60_000))
	if len(f.found) != 2 || f.found[1].Observed != 60_001 || f.found[1].Events != 2 || f.found[1].First != 2 {
		t.Errorf("found %+v", f.found)
	}
}
