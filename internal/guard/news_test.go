package guard_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/guard"
	"pricemanager/internal/store/memory"
)

func TestNewsArrivesAsItWasSentAndAfterItsDelay(t *testing.T) {
	t.Parallel()
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	q := memory.NewQueue(clk)
	bell := guard.Bell{Queue: q, Trace: func(context.Context) string { return "Root=1-1" }}
	sent := guard.News{Tenant: seller, Since: clk.Now().UnixMilli()}
	if err := bell.Ring(t.Context(), sent, guard.NewsAfter); err != nil {
		t.Fatal(err)
	}
	clk.Advance(guard.NewsAfter - time.Second)
	if early := q.Receive(1, time.Minute); len(early) != 0 {
		t.Errorf("%s came at once", early[0].Body)
	}
	clk.Advance(time.Second)
	sent.Kind, sent.Trace = guard.KindNews, "Root=1-1"
	if got, err := guard.ParseNews(q.Receive(1, time.Minute)[0].Body); err != nil || got != sent || !got.At().Equal(clk.Now().Add(-guard.NewsAfter)) {
		t.Errorf("%+v, %v, want %+v", got, err, sent)
	}
	ctx, end := context.WithCancel(t.Context())
	end()
	if err := bell.Ring(ctx, sent, guard.NewsAfter); !errors.Is(err, context.Canceled) {
		t.Errorf("not sent: %v", err)
	}
}

func TestNewsOfNobodyOrOfNoTimeIsRefused(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"", "[]", `{}`, `{"kind":"guard-news","tenant":"t_seller001"}`, `{"kind":"guard-news","tenant":"t_seller001","since":-1}`,
		`{"kind":"guard-news","tenant":"t_../../","since":1}`, `{"kind":"plan","tenant":"t_seller001","since":1}`, `{"kind":"guard-news","tenant":"t_seller001","since":"1"}`,
	} {
		if n, err := guard.ParseNews([]byte(body)); err == nil {
			t.Errorf("%s is %+v", body, n)
		}
	}
}
