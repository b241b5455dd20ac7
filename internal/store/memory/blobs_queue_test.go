package memory_test

import (
	"fmt"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/store/storetest"
	"pricemanager/internal/tenant"
)

func TestMemoryKeepsThePromisesOfBlobs(t *testing.T) {
	t.Parallel()
	blobs := memory.NewBlobs(clock.NewManual(epoch))
	storetest.Blobs(t, blobs, blobs.Follow)
	storetest.Uploads(t, blobs, blobs.Submit)
	storetest.Large(t, blobs)
}

func TestALinkDiesOnTime(t *testing.T) {
	t.Parallel()
	clk := clock.NewManual(epoch)
	blobs := memory.NewBlobs(clk)
	must(t, blobs.Put(t.Context(), seller, store.Exports, "x", "text/plain", []byte("body")))
	link, err := blobs.Link(t.Context(), seller, store.Exports, "x", time.Hour)
	must(t, err)
	clk.Advance(time.Hour - time.Second)
	if _, body, err := blobs.Follow(link); err != nil || string(body) != "body" {
		t.Errorf("a second early: %q, %v", body, err)
	}
	clk.Advance(time.Second)
	if _, body, err := blobs.Follow(link); err == nil {
		t.Errorf("the dead link brings %q", body)
	}
	if _, _, err := blobs.Follow("https://example.com/x"); err == nil {
		t.Error("a stranger's link works")
	}
}

func TestEachFindsEveryObject(t *testing.T) {
	t.Parallel()
	blobs := memory.NewBlobs(clock.NewManual(epoch))
	must(t, blobs.Put(t.Context(), seller, store.Files, "a", "", []byte("1")))
	must(t, blobs.Put(t.Context(), "t_bbbbbb", store.Archive, "b/c", "", []byte("2")))
	got := map[string]bool{}
	blobs.Each(func(t tenant.ID, b store.Bucket, name string, body []byte) bool {
		got[fmt.Sprintf("%s %s %s %s", t, b, name, body)] = true
		return true
	})
	if len(got) != 2 || !got["t_aaaaaa files a 1"] || !got["t_bbbbbb archive b/c 2"] {
		t.Errorf("found %v", got)
	}
}

func TestMemoryKeepsThePromisesOfQueue(t *testing.T) {
	t.Parallel()
	q := memory.NewQueue(clock.NewManual(epoch))
	storetest.Queue(t, q, func(*testing.T) [][]byte {
		var bodies [][]byte
		for _, m := range q.Receive(100, time.Minute) {
			bodies = append(bodies, m.Body)
			q.Delete(m.ID)
		}
		return bodies
	})
}

func bodies(ms []memory.Message) string {
	out := ""
	for _, m := range ms {
		out += string(m.Body)
	}
	return out
}

func TestAMessageWaitsForItsDelay(t *testing.T) {
	t.Parallel()
	clk := clock.NewManual(epoch)
	q := memory.NewQueue(clk)
	must(t, q.Send(t.Context(), []byte("3"), 2*time.Second+1)) // rounded up to 3 s
	must(t, q.Send(t.Context(), []byte("2"), 2*time.Second))
	must(t, q.Send(t.Context(), []byte("1"), 0))
	must(t, q.Send(t.Context(), []byte("9"), 0))
	if got := bodies(q.Receive(1, time.Hour)); got != "1" {
		t.Errorf("received %q, want the first of those that are due", got)
	}
	if got := bodies(q.Receive(10, time.Hour)); got != "9" {
		t.Errorf("received %q, want the other", got)
	}
	if at, ok := q.Next(); !ok || at != epoch.Add(2*time.Second) {
		t.Errorf("Next is %s, %t", at, ok)
	}
	clk.Advance(2 * time.Second)
	if got := bodies(q.Receive(10, time.Hour)); got != "2" {
		t.Errorf("received %q after 2 s", got)
	}
	clk.Advance(time.Second)
	if got := bodies(q.Receive(10, time.Hour)); got != "3" {
		t.Errorf("received %q after 3 s", got)
	}
	if q.Sent() != 4 {
		t.Errorf("sent %d, want 4", q.Sent())
	}
}

func TestAMessageComesBackUntilItIsDeleted(t *testing.T) {
	t.Parallel()
	clk := clock.NewManual(epoch)
	q := memory.NewQueue(clk)
	must(t, q.Send(t.Context(), []byte(`{}`), 0))
	for delivery := 1; delivery <= 3; delivery++ {
		got := q.Receive(10, 30*time.Second)
		if len(got) != 1 || got[0].Deliveries != delivery {
			t.Fatalf("delivery %d: %+v", delivery, got)
		}
		got[0].Body[0] = 'X' // is a copy
		clk.Advance(30*time.Second - 1)
		if early := q.Receive(10, time.Second); len(early) != 0 {
			t.Fatalf("hidden, but received: %+v", early)
		}
		clk.Advance(1)
	}
	last := q.Receive(10, 30*time.Second)
	q.Delete(last[0].ID, "unknown")
	clk.Advance(time.Hour)
	if _, ok := q.Next(); ok || q.Len() != 0 || bodies(last) != `{}` {
		t.Errorf("after Delete: %d messages; the last was %q", q.Len(), bodies(last))
	}
}
