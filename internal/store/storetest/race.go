package storetest

import (
	"errors"
	"fmt"
	"sync"

	"pricemanager/internal/store"
)

const racers = 8

// race runs f in several goroutines at once.
func race(f func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range racers {
		wg.Go(func() { <-start; f(i) })
	}
	close(start)
	wg.Wait()
}

// lost reports that the write did nothing and may be tried again.
func lost(err error) bool {
	return errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrThrottled)
}

// oneWinnerPerVersion raises a version by compare and swap, as every room of the
// house does: each version may have one author only.
func (s *suite) oneWinnerPerVersion() {
	const versions = 20
	k := key("p", "s")
	s.put(s.a, item("p", "s", attrs{"v": int64(0)}))
	var mu sync.Mutex
	authors := map[int64][]int{}
	race(func(i int) {
		for {
			it, err := s.db.Get(s.ctx, s.a, store.Offers, k)
			if err != nil || it.Int("v") >= versions {
				if err != nil {
					s.Error(err)
				}
				return
			}
			next := it.Int("v") + 1
			got, err := s.db.Update(s.ctx, s.a, store.Offers, k, store.Update{
				Set: attrs{"v": next, "author": int64(i)}, If: []store.Cond{store.Eq("v", next-1)},
			})
			switch {
			case err == nil:
				if got.Int("v") != next || got.Int("author") != int64(i) {
					s.Errorf("the winner of %d is shown %v", next, got.Attrs)
				}
				mu.Lock()
				authors[next] = append(authors[next], i)
				mu.Unlock()
			case !lost(err):
				s.Error(err)
				return
			}
		}
	})
	for v := int64(1); v <= versions; v++ {
		if len(authors[v]) != 1 {
			s.Errorf("version %d has the authors %v, want one", v, authors[v])
		}
	}
}

func (s *suite) oneCreator() {
	won := make([]bool, racers)
	race(func(i int) {
		for {
			err := s.db.Put(s.ctx, s.a, store.Offers, item("p", "s", attrs{"by": int64(i)}), store.Absent())
			if errors.Is(err, store.ErrThrottled) {
				continue
			}
			if won[i] = err == nil; err != nil && !errors.Is(err, store.ErrConflict) {
				s.Error(err)
			}
			return
		}
	})
	winner := int64(-1)
	for i, w := range won {
		if w && winner >= 0 {
			s.Fatalf("both %d and %d created the item", winner, i)
		}
		if w {
			winner = int64(i)
		}
	}
	s.is(s.a, key("p", "s"), attrs{"by": winner})
}

func (s *suite) noAddIsLost() {
	const each = 10
	race(func(int) {
		for range each {
			if _, err := s.db.Update(s.ctx, s.a, store.Offers, key("p", "s"), store.Update{Add: map[string]int64{"n": 1}}); err != nil {
				s.Error(err)
			}
		}
	})
	s.is(s.a, key("p", "s"), attrs{"n": int64(racers * each)})
}

// crossingTransactionsKeepTheSum moves amounts between accounts in all
// directions at once: a lost or half-done transaction changes the sum, and
// careless locking never ends.
func (s *suite) crossingTransactionsKeepTheSum() {
	const accounts, each = 3, 5
	for i := range accounts {
		s.put(s.a, item(fmt.Sprint("p", i), "s", attrs{"n": int64(100), "moves": int64(0)}))
	}
	race(func(i int) {
		from, to := fmt.Sprint("p", i%accounts), fmt.Sprint("p", (i+1+i/accounts)%accounts)
		if from == to {
			to = fmt.Sprint("p", (i+1)%accounts)
		}
		for done := 0; done < each; {
			err := s.db.Transact(s.ctx,
				update(s.a, key(from, "s"), store.Update{Add: map[string]int64{"n": -1, "moves": 1}, If: []store.Cond{store.Gt("n", int64(0))}}),
				update(s.a, key(to, "s"), store.Update{Add: map[string]int64{"n": 1, "moves": 1}}),
			)
			if err == nil {
				done++
			} else if !lost(err) {
				s.Error(err)
				return
			}
		}
	})
	var sum, moves int64
	for i := range accounts {
		it, err := s.db.Get(s.ctx, s.a, store.Offers, key(fmt.Sprint("p", i), "s"))
		s.ok(err)
		sum += it.Int("n")
		moves += it.Int("moves")
	}
	if sum != 100*accounts || moves != 2*racers*each {
		s.Errorf("the sum is %d after %d moves, want %d after %d", sum, moves, 100*accounts, 2*racers*each)
	}
}
