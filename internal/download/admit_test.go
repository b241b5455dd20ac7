package download

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/store"
)

func TestOnlySoManyDownloadsAreMadeAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stock(t, seller, 4)
	var mine []string
	for range AtOnce {
		mine = append(mine, w.request(t, ofBoth).ID)
	}
	queued := w.queue.Len()
	_, err := w.maker.Request(t.Context(), seller, "key:k", "req-2", ofBoth)
	var f *fault.Fault
	if !errors.As(err, &f) || f.Kind != fault.Conflict || f.Type != "downloads-running" || !slices.Equal(f.Extra["downloads"].([]string), mine) || !strings.Contains(f.Public, mine[0]) {
		t.Fatalf("one too many: %v", err)
	}
	all, _, err := w.maker.List(t.Context(), seller, "", 100)
	if err != nil || len(all) != AtOnce || w.queue.Len() != queued {
		t.Errorf("%d are kept, %d sent for, %v", len(all), w.queue.Len(), err)
	}
	if _, err := w.maker.Request(t.Context(), stranger, "key:s", "req-3", ofBoth); err != nil {
		t.Errorf("another tenant waits for it: %v", err)
	}
	if err := w.maker.Note(t.Context(), seller, "key:k", "req-4", ofBoth, 1); err != nil {
		t.Errorf("a table that is answered at once waits for it: %v", err)
	}
	if done, err := w.maker.Run(t.Context(), seller, mine[2], w.clock.Now().Add(time.Hour)); !done || err != nil {
		t.Fatal(done, err)
	}
	w.request(t, ofBoth)
	if _, err := w.maker.Request(t.Context(), seller, "key:k", "req-5", ofBoth); fault.KindOf(err) != fault.Conflict {
		t.Errorf("two for the place of one: %v", err)
	}
	w.clock.Advance(Keep) // nobody made them
	w.request(t, ofBoth)
}

func TestOfManyWhoAskAtOnceOnlySoManyAreAdmitted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var all sync.WaitGroup
	errs := make([]error, 4*AtOnce)
	for i := range errs {
		all.Go(func() {
			_, errs[i] = w.maker.Request(t.Context(), seller, "key:k", "req", ofBoth)
		})
	}
	all.Wait()
	admitted := 0
	for _, err := range errs {
		switch kind := fault.KindOf(err); {
		case err == nil:
			admitted++
		case kind != fault.Conflict && kind != fault.Unavailable:
			t.Error(err)
		}
	}
	page, err := w.DB.Query(t.Context(), seller, store.Offers, store.Query{PK: downloadsPK})
	if err != nil || admitted == 0 || admitted > AtOnce || len(page.Items) != admitted {
		t.Errorf("%d were admitted and %d are kept, %v", admitted, len(page.Items), err)
	}
}
