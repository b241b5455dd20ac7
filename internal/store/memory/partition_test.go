package memory

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"pricemanager/internal/store"
)

// TestAPartitionIsASortedListHoweverItGrows compares the chunks with a plain
// sorted slice, at sizes where chunks split and vanish.
func TestAPartitionIsASortedListHoweverItGrows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p, want := &partition{}, []string{}
		pattern := rapid.SampledFrom([]int{1, 7919, -1}).Draw(t, "step") // rising, mixed, falling
		n := rapid.IntRange(1, 5*chunkSize).Draw(t, "rows")
		for i := range n {
			sk := fmt.Sprintf("%05d", ((i*pattern)%10007+10007)%10007)
			p.set(&row{sk: sk})
			if at, known := slices.BinarySearch(want, sk); !known {
				want = slices.Insert(want, at, sk)
			}
		}
		from, to := rapid.IntRange(0, len(want)).Draw(t, "from"), rapid.IntRange(0, len(want)).Draw(t, "to")
		gone := slices.Clone(want[min(from, to):max(from, to)])
		for _, sk := range gone {
			p.remove(sk)
		}
		p.remove("never there")
		want = slices.Delete(want, min(from, to), max(from, to))

		for _, reverse := range []bool{false, true} {
			rows, more := p.page(store.Query{Limit: 1 << 20, Reverse: reverse})
			got := []string{}
			for _, r := range rows {
				got = append(got, r.sk)
			}
			if reverse {
				slices.Reverse(got)
			}
			if more || !slices.Equal(got, want) {
				t.Fatalf("reverse %t: %d rows, want %d in order", reverse, len(got), len(want))
			}
		}
		for _, sk := range want {
			if r := p.get(sk); r == nil || r.sk != sk {
				t.Fatalf("%s is not found", sk)
			}
		}
		for _, sk := range gone {
			if p.get(sk) != nil {
				t.Fatalf("%s is still there", sk)
			}
		}
		if p.empty() != (len(want) == 0) {
			t.Fatalf("empty is %t with %d rows", p.empty(), len(want))
		}
		for _, c := range p.chunks {
			if len(c) == 0 || len(c) > chunkSize {
				t.Fatalf("a chunk of %d rows", len(c))
			}
		}
	})
}
