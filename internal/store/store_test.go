package store_test

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pricemanager/internal/store"
)

func TestSequenceNumbersCompareAsNumbersOfAnyLength(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.StringMatching(`0{0,3}[0-9]{1,40}`)
		a, b := number.Draw(t, "a"), number.Draw(t, "b")
		x, _ := new(big.Int).SetString(a, 10)
		y, _ := new(big.Int).SetString(b, 10)
		if got, want := store.CompareSeq(a, b), x.Cmp(y); got != want {
			t.Fatalf("CompareSeq(%s, %s) = %d, want %d", a, b, got, want)
		}
	})
	if store.CompareSeq("", "0") != -1 || store.CompareSeq("0", "") != 1 || store.CompareSeq("", "") != 0 {
		t.Error("no number is not before all others")
	}
}

func TestSizesAreCountedAsDynamoDBDoes(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]int{0: 1, 7: 2, 12: 2, 123: 3, 100: 2, -100: 3, 1234: 3, math.MaxInt64: 11, math.MinInt64: 12} {
		if got := store.ValueSize(n); got != want {
			t.Errorf("the number %d takes %d bytes, want %d", n, got, want)
		}
	}
	it := store.Item{Key: store.Key{PK: "pp", SK: "ss"}, Attrs: map[string]any{
		"text": "é", "n": int64(12), "on": true, "b": []byte{1, 2, 3},
	}}
	// pk: 2 + 8 + 1 + 2, sk: 2 + 2, text: 4 + 2, n: 1 + 2, on: 2 + 1, b: 1 + 3
	if got := store.Size("t_aaaaaa", it); got != 33 {
		t.Errorf("the item takes %d bytes, want 33", got)
	}
}

func TestUnitsAreRoundedUp(t *testing.T) {
	t.Parallel()
	for bytes, want := range map[int]store.Units{
		0: {Read: 1, Write: 1}, 1024: {Read: 1, Write: 1}, 1025: {Read: 1, Write: 2}, 4096: {Read: 1, Write: 4}, 4097: {Read: 2, Write: 5},
	} {
		if got := (store.Units{Read: store.ReadUnits(bytes), Write: store.WriteUnits(bytes)}); got != want {
			t.Errorf("%d bytes cost %+v, want %+v", bytes, got, want)
		}
	}
}

func TestDelaysAreRoundedUpSoThatNoMessageComesEarly(t *testing.T) {
	t.Parallel()
	for delay, want := range map[time.Duration]int32{0: 0, 1: 1, time.Second: 1, time.Second + 1: 2, store.MaxDelay: 900} {
		if got, err := store.CheckMessage([]byte(`{}`), delay); err != nil || got != want {
			t.Errorf("a delay of %s is %d s, %v; want %d", delay, got, err, want)
		}
	}
}

func TestAConflictIsAnErrConflictAndHidesTheKey(t *testing.T) {
	t.Parallel()
	var err error = &store.ConflictError{Table: store.Offers, Write: 3, Current: &store.Item{Key: store.Key{PK: "secret-pk", SK: "secret-sk"}}}
	if !errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) || strings.Contains(err.Error(), "secret") {
		t.Errorf("error is %v", err)
	}
}
