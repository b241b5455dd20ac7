package ledger

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"
)

func TestSaltsAreHKDFOfTheSeedAndTheIndex(t *testing.T) {
	t.Parallel()
	seed := bytes.Repeat([]byte{7}, saltSize)
	s := newSalter(seed)
	for _, index := range []int64{0, 1, 255, 1 << 40, 1} {
		info := string(binary.BigEndian.AppendUint64([]byte(saltInfo), uint64(index)))
		want, err := hkdf.Expand(sha256.New, seed, info, saltSize)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.salt(index); !bytes.Equal(got, want) {
			t.Errorf("salt %d is %x, want %x", index, got, want)
		}
	}
}

func TestCommitmentFramesItsParts(t *testing.T) {
	t.Parallel()
	salt := bytes.Repeat([]byte{1}, saltSize)
	all := [][sha256.Size]byte{
		commitment(salt, "event", []byte("ab")),
		commitment(salt, "eventa", []byte("b")),
		commitment(salt, "", []byte("eventab")),
		commitment(salt[:31], "\x01event", []byte("ab")),
		commitment(bytes.Repeat([]byte{2}, saltSize), "event", []byte("ab")),
	}
	for i := range all {
		if slices.Index(all, all[i]) != i {
			t.Errorf("commitment %d is the same as an earlier one", i)
		}
	}
}

func TestTypesListsEveryTypeOnce(t *testing.T) {
	t.Parallel()
	if len(Types()) != len(types) {
		t.Error("a type is listed twice")
	}
	if Type("").Valid() || Type("change.Observed").Valid() {
		t.Error("an unknown type is valid")
	}
}

func FuzzUnpackEvents(f *testing.F) {
	good, err := packEvents(bytes.Repeat([]byte{1}, saltSize), [][]byte{[]byte("{}"), []byte(`{"a":1}`)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		seed, events, err := unpackEvents(b)
		if err != nil {
			return
		}
		again, err := packEvents(seed, events)
		if err != nil {
			t.Fatal(err)
		}
		seed2, events2, err := unpackEvents(again)
		if err != nil || !bytes.Equal(seed, seed2) || !slices.EqualFunc(events, events2, bytes.Equal) {
			t.Errorf("round trip: %v", err)
		}
	})
}
