package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/fx"
	"pricemanager/internal/guard"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
)

// noticeQueue fails with down.
type noticeQueue struct {
	*memory.Queue
	down error
}

func (q *noticeQueue) Send(ctx context.Context, body []byte, delay time.Duration) error {
	if q.down != nil {
		return q.down
	}
	return q.Queue.Send(ctx, body, delay)
}

// changes are the ways to change what protects prices, or computes them, as calls that
// are not refused.
var changes = map[string]func(w *world) (int, string){
	"guards": func(w *world) (int, string) {
		return w.putGuards(mine, byDefault(), `{"rules":[{"hold_drop_percent":5}]}`)
	},
	"costs": func(w *world) (int, string) {
		status, body, _ := w.put(mine, "/costs", "text/csv", `""`, "sku,cost,currency\nSKU-1,1,EUR\n", nil)
		return status, body
	},
	"links": func(w *world) (int, string) {
		status, body, _ := w.put(mine, "/links", "application/json", etag(fx.Default().Hash()), `{"max_age_days":5}`, nil)
		return status, body
	},
	"rates": func(w *world) (int, string) {
		status, body, _ := w.put(mine, "/rates", "text/csv", `""`, "currency,rate\nSEK,11\n", ratesOf("2026-11-20"))
		return status, body
	},
	"a source of rates": func(w *world) (int, string) {
		status, body := w.ask(mine, http.MethodPost, "/pulls", "", "", ratesOnASchedule)
		if status == http.StatusCreated {
			status = http.StatusOK
		}
		return status, body
	},
}

// changed reports whether a write is one of what protects prices or computes them, or of
// its notice.
func changed(op memory.Op) bool {
	for _, w := range op.Writes {
		key := w.Key
		if w.Put != nil {
			key = w.Put.Key
		}
		if w.Table == store.Offers && (key.PK == "guards" || key.PK == "fx" || key.PK == "pulls" || key.PK == "guard-notices") {
			return true
		}
	}
	return false
}

func TestTheMessageToTheOwnersIsThereBeforeTheChangeAndComesAfterTheCall(t *testing.T) {
	t.Parallel()
	for name, change := range changes {
		w, before := newWorld(t), 0
		w.db.Hook = func(op memory.Op) (bool, error) {
			if changed(op) {
				before = max(before, w.notices.Sent())
				if w.notices.Sent() == 0 {
					t.Errorf("%s: changed before anybody is told", name)
				}
			}
			return true, nil
		}
		if status, body := change(w); status != http.StatusOK || before != 1 {
			t.Fatalf("%s: %d %s, %d messages", name, status, body, before)
		}
		next, _ := w.notices.Next()
		if next.Sub(w.clock.Now()) != guard.NewsAfter || guard.NewsAfter < 29*time.Second {
			t.Errorf("%s: it comes at %s", name, next)
		}
		w.clock.Advance(guard.NewsAfter)
		news, err := guard.ParseNews(w.notices.Receive(1, time.Minute)[0].Body)
		if err != nil || news.Tenant != seller || !news.At().Equal(began) {
			t.Errorf("%s: %+v, %v", name, news, err)
		}
	}
}

func TestAChangeWhoseOwnersCannotBeToldIsRefusedAndNothingIsChanged(t *testing.T) {
	t.Parallel()
	for name, change := range changes {
		w := newWorld(t)
		w.notices.down = errors.New("queue out of order")
		w.db.Hook = func(op memory.Op) (bool, error) {
			if changed(op) {
				t.Errorf("%s: written although nobody is told", name)
			}
			return true, nil
		}
		if status, body := change(w); status != http.StatusServiceUnavailable || !strings.Contains(body, "nothing was changed") || strings.Contains(body, "out of order") {
			t.Errorf("%s: %d %s", name, status, body)
		}
		w.notices.down, w.db.Hook = nil, nil
		if status, body := change(w); status != http.StatusOK { // what If-Match names is there still
			t.Errorf("%s again: %d %s", name, status, body)
		}
	}
}
