package storetest

import (
	"fmt"
	"slices"
	"strings"

	"pricemanager/internal/store"
)

// filter is Query in plain words: what of the sorted sks the query is about,
// without its limit.
func filter(sks []string, q store.Query) []string {
	var out []string
	for _, sk := range sks {
		after := q.After == "" || !q.Reverse && sk > q.After || q.Reverse && sk < q.After
		if after && strings.HasPrefix(sk, q.Prefix) {
			out = append(out, sk)
		}
	}
	if q.Reverse {
		slices.Reverse(out)
	}
	return out
}

func sks(items []store.Item) []string {
	var out []string
	for _, it := range items {
		out = append(out, it.SK)
	}
	return out
}

// fill writes one item for each SK, in the order given.
func (s *suite) fill(pk string, sks []string) {
	s.Helper()
	for chunk := range slices.Chunk(sks, store.MaxTransact) {
		var writes []store.Write
		for _, sk := range chunk {
			it := item(pk, sk, attrs{"name": sk})
			writes = append(writes, store.Write{Tenant: s.a, Table: store.Offers, Put: &it})
		}
		s.ok(s.db.Transact(s.ctx, writes...))
	}
}

func (s *suite) queriesMatchAPlainFilter() {
	all := []string{"m#2", "a", "z", "m", "m#10", "m#1", "b#1", "m$", "mz", "m#", "zz", "l#9", "n#0"}
	s.fill("p", all)
	s.fill("other", []string{"m#3"})
	slices.Sort(all)
	points := append(slices.Clone(all), "", "0", "m#15", "m\U0010FFFF", "~")
	for _, prefix := range []string{"", "m", "m#", "m#1", "zz", "q", "m#\U0010FFFF"} {
		for _, after := range points {
			for _, reverse := range []bool{false, true} {
				q := store.Query{PK: "p", Prefix: prefix, After: after, Reverse: reverse, Limit: 3}
				whole := filter(all, q)
				want := whole[:min(3, len(whole))]
				page, err := s.db.Query(s.ctx, s.a, store.Offers, q)
				s.ok(err)
				if got := sks(page.Items); !slices.Equal(got, want) {
					s.Fatalf("%+v: got %q, want %q", q, got, want)
				}
				next := ""
				if len(whole) > 3 {
					next = want[2]
				}
				if page.Next != next {
					s.Fatalf("%+v of %q: Next is %q, want %q", q, whole, page.Next, next)
				}
			}
		}
	}
	nothing, err := s.db.Query(s.ctx, s.a, store.Offers, store.Query{PK: "unknown"})
	s.ok(err)
	if len(nothing.Items) != 0 || nothing.Next != "" {
		s.Errorf("a PK without items: %v", nothing)
	}
}

// pagesJoinToTheWhole also holds the default limit to its number.
func (s *suite) pagesJoinToTheWhole() {
	var all []string
	for i := range store.DefaultLimit + 5 {
		all = append(all, fmt.Sprintf("s%06d", i*7919%1_000_003)) // in no order
	}
	s.fill("p", all)
	slices.Sort(all)
	for _, q := range []store.Query{{PK: "p"}, {PK: "p", Limit: 335, Reverse: true}, {PK: "p", Limit: 201, Prefix: "s"}} {
		want := filter(all, q)
		var got []string
		pages := 0
		for more := true; more; pages++ {
			page, err := s.db.Query(s.ctx, s.a, store.Offers, q)
			s.ok(err)
			got = append(got, sks(page.Items)...)
			q.After, more = page.Next, page.Next != ""
		}
		limit := max(q.Limit, 1)
		if q.Limit == 0 {
			limit = store.DefaultLimit
		}
		if wantPages := (len(want) + limit - 1) / limit; pages != wantPages || !slices.Equal(got, want) {
			s.Errorf("%+v: %d pages with %d items, want %d with %d in order", q, pages, len(got), wantPages, len(want))
		}
	}
}

// keysAreOrderedByTheirBytes has keys whose order differs in UTF-16, in any
// collation, and when case is ignored.
func (s *suite) keysAreOrderedByTheirBytes() {
	all := []string{"\U0001F600", "\uFFFD", "é", "e", "z", "Z", "a b", "a", "a\x00", "a-b", "ab", "10", "9", " "}
	s.fill("p", all)
	slices.Sort(all)
	page, err := s.db.Query(s.ctx, s.a, store.Offers, store.Query{PK: "p"})
	s.ok(err)
	s.same(sks(page.Items), all)
	page, err = s.db.Query(s.ctx, s.a, store.Offers, store.Query{PK: "p", Reverse: true})
	s.ok(err)
	slices.Reverse(all)
	s.same(sks(page.Items), all)
}

func (s *suite) bigItemsEndAPageEarly() {
	const n = 5
	for i := range n {
		s.put(s.a, item("p", fmt.Sprintf("s%d", i), attrs{"b": make([]byte, 300<<10)}))
	}
	for _, reverse := range []bool{false, true} {
		q := store.Query{PK: "p", Reverse: reverse}
		var got []string
		for more := true; more; {
			page, err := s.db.Query(s.ctx, s.a, store.Offers, q)
			s.ok(err)
			if len(page.Items) == n {
				s.Fatalf("a page of %d items of 300 KB: more than %d bytes", n, store.MaxPage)
			}
			if len(page.Items) == 0 && len(got) < n {
				s.Fatal("an empty page in the midst")
			}
			got = append(got, sks(page.Items)...)
			q.After, more = page.Next, page.Next != ""
		}
		want := filter([]string{"s0", "s1", "s2", "s3", "s4"}, store.Query{Reverse: reverse})
		s.same(got, want)
	}
}
