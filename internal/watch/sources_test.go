package watch

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"pricemanager/internal/ledger"
)

func used(actor string, at time.Time, names ...string) ledger.Event {
	b, err := json.Marshal(map[string]any{"from": names})
	if err != nil {
		panic(err)
	}
	return ledger.Event{Type: ledger.RequestMade, Actor: actor, At: at, After: b}
}

func TestAnAddressThatASettledKeyNeverCameFromIsFoundOnce(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return start.AddDate(0, 0, n) }
	var f feed
	f.take(used("key:till", day(0), "a"))
	f.take(used("key:till", day(2), "b")) // it is being set up
	f.take(used("key:other", day(8), "z"))
	for n := 3; n < 9; n++ {
		f.take(used("key:till", day(n), "a"))
	}
	f.take(used("key:till", day(10), "a2", "a")) // the key of the hashes was rotated
	f.take(used("key:till", day(11), "a2"))
	if len(f.found) != 0 {
		t.Fatalf("found %+v", f.found)
	}
	leaf := f.leaf
	for range 3 {
		f.take(used("key:till", day(12), "thief"))
	}
	want := []Finding{{Kind: NewSource, Subject: "key:till", At: day(12), Unit: "addresses", Observed: 3, Limit: 2, Usual: 2, Events: 1, First: leaf, Last: leaf}}
	if !slices.Equal(f.found, want) {
		t.Errorf("found %+v, want %+v", f.found, want)
	}
}

func TestAnActorWhoRoamsIsLeftAlone(t *testing.T) {
	t.Parallel()
	var f feed
	for n := range 200 {
		f.take(used("key:cloud", start.Add(time.Duration(n)*time.Hour), fmt.Sprint("address", n)))
	}
	if len(f.found) != 0 {
		t.Errorf("found %+v", f.found)
	}
	for n := range 500 {
		f.take(used(fmt.Sprint("key:", n), start, "a", "b", "c", "d", "e"))
	}
	if b, err := json.Marshal(f.Sources); err != nil || len(f.Sources.Actors) != maxSubjects || len(b) > 64<<10 {
		t.Errorf("%d actors in %d bytes, %v", len(f.Sources.Actors), len(b), err)
	}
}

func TestABurstOfRefusalsIsFoundOfTheKeyThatTheyName(t *testing.T) {
	t.Parallel()
	refusal := func(target string, times int) ledger.Event {
		return ledger.Event{Type: ledger.RequestRefused, Target: target, At: start, After: json.RawMessage(fmt.Sprintf(`{"why":"revoked","times":%d}`, times))}
	}
	var f feed
	for _, n := range []int{1, 9, 1, 9, 1, 9} { // three routes, ten times each
		f.take(refusal("key:old", n))
	}
	if len(f.found) != 0 {
		t.Fatalf("found %+v", f.found)
	}
	f.take(refusal("key:other", 40))
	f.take(refusal("key:old", 90))
	if len(f.found) != 1 || f.found[0].Kind != Refusals || f.found[0].Subject != "key:old" || f.found[0].Observed != 120 {
		t.Errorf("found %+v", f.found)
	}
}
