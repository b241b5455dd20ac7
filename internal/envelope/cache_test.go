package envelope

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
)

// plainKMS wraps nothing: for what only this package can reach.
type plainKMS struct{ n byte }

func (k *plainKMS) GenerateDataKey(context.Context, map[string]string) (plain, wrapped []byte, keyID string, err error) {
	k.n++
	b := bytes.Repeat([]byte{k.n}, 32)
	return b, bytes.Clone(b), "plain", nil
}

func (k *plainKMS) Decrypt(_ context.Context, wrapped []byte, _ map[string]string) ([]byte, error) {
	if len(wrapped) != 32 {
		return nil, io.ErrUnexpectedEOF
	}
	return bytes.Clone(wrapped), nil
}

func TestAKeyIsReplacedAtItsUseLimit(t *testing.T) {
	t.Parallel()
	clk := clock.NewManual(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	s := New(&plainKMS{}, memory.New(clk), clk)
	s.limit = 3
	at := Where{Table: store.Identity, Key: store.Key{PK: "a", SK: "b"}, Field: "c"}
	uses := map[uint32]int{}
	var sealed [][]byte
	for range 10 {
		b, err := s.Seal(t.Context(), "t_aaaaaa", Members, at, []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		version, _, ok := parse(b)
		if !ok {
			t.Fatal("own frame does not parse")
		}
		uses[version]++
		sealed = append(sealed, b)
	}
	if len(uses) != 4 || uses[1] != 3 || uses[4] != 1 {
		t.Errorf("uses per key version: %v, want 3 3 3 1", uses)
	}
	for i, b := range sealed {
		if _, err := s.Open(t.Context(), "t_aaaaaa", Members, at, b); err != nil {
			t.Errorf("field %d: %v", i, err)
		}
	}
}

func TestTheCacheIsBoundedAndWipesWhatItDrops(t *testing.T) {
	t.Parallel()
	c := newCache(2, time.Minute)
	var all [][]byte
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for v := range uint32(3) {
		plain := bytes.Repeat([]byte{1}, 32)
		all = append(all, plain)
		c.put(&dataKey{ref: keyRef{ring{"t_aaaaaa", Members}, v + 1}, plain: plain, loaded: now, retire: now.Add(time.Hour)})
	}
	if len(c.keys) != 2 || all[0][0] != 0 || all[1][0] != 1 {
		t.Errorf("%d keys held, first wiped %v, second wiped %v", len(c.keys), all[0][0] == 0, all[1][0] == 0)
	}
}
