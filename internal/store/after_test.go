package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/store"
)

func TestAWriteIsChargedByTheLargerOfBeforeAndAfter(t *testing.T) {
	t.Parallel()
	key := store.Key{PK: "p", SK: "s"}
	kb := func(n int) *store.Item { return &store.Item{Key: key, Attrs: map[string]any{"b": make([]byte, n<<10)}} }
	for name, c := range map[string]struct {
		write   store.Write
		current *store.Item
		want    int64
	}{
		"a larger put":          {store.Write{Put: kb(5)}, kb(2), 6},
		"a smaller put":         {store.Write{Put: kb(2)}, kb(5), 6},
		"a put of the first":    {store.Write{Put: kb(2)}, nil, 3},
		"a delete":              {store.Write{Key: key, Delete: true}, kb(2), 3},
		"a delete of nothing":   {store.Write{Key: key, Delete: true}, nil, 1},
		"a check":               {store.Write{Key: key, Check: true}, kb(4), 5},
		"an update that grows":  {store.Write{Key: key, Update: &store.Update{Set: map[string]any{"c": make([]byte, 3<<10)}}}, kb(2), 6},
		"an update that cuts":   {store.Write{Key: key, Update: &store.Update{Remove: []string{"b"}}}, kb(2), 3},
		"an update of nothing":  {store.Write{Key: key, Update: &store.Update{Add: map[string]int64{"n": 1}}}, nil, 1},
		"an update of the same": {store.Write{Key: key, Update: &store.Update{Set: map[string]any{"b": make([]byte, 1<<10)}}}, kb(2), 3},
	} {
		c.write.Tenant = "t_aaaaaa"
		if got := c.write.WriteUnits(c.current); got != c.want {
			t.Errorf("%s: %d units, want %d", name, got, c.want)
		}
	}
}

func TestAfterIsWhatAnUpdateLeaves(t *testing.T) {
	t.Parallel()
	key := store.Key{PK: "p", SK: "s"}
	now := store.Item{Key: key, Attrs: map[string]any{"a": "old", "n": int64(2), "gone": true}}
	w := store.Write{Key: key, Update: &store.Update{Set: map[string]any{"a": "new"}, Add: map[string]int64{"n": 3, "m": 1}, Remove: []string{"gone", "never"}}}
	want := &store.Item{Key: key, Attrs: map[string]any{"a": "new", "n": int64(5), "m": int64(1)}}
	if diff := cmp.Diff(want, w.After(&now)); diff != "" {
		t.Error(diff)
	}
	if now.Str("a") != "old" || len(now.Attrs) != 3 {
		t.Errorf("the current item became %+v", now)
	}
}
