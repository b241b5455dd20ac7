package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/store"
)

func TestAConnectionShowsWhatItGetsOfAmazonsQuota(t *testing.T) {
	t.Parallel()
	w := newRecorded(t)
	h := &handler{connections: w.service}
	if q, err := h.quota(t.Context(), recorded, active); q != nil || err != nil {
		t.Errorf("before anything was sent: %+v, %v", q, err)
	}
	// As the lane leaves it: 300 calls in a minute of sending, 45 refused.
	lane := store.Item{Key: store.Key{PK: "lane#" + string(active), SK: "lane"}, Attrs: map[string]any{
		"radar": []byte(`{"stated":5000,"send":900,"read":1000,"at":1795338060000,"since":1795338000000,"w":[[1795338000,60000,300,45,40]]}`),
	}}
	if err := w.service.DB.Put(t.Context(), recorded, store.Offers, lane); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	q, err := h.quota(t.Context(), recorded, active)
	if err != nil {
		t.Fatal(err)
	}
	want := &quotaDoc{StatedPerSecond: 5, AchievedPerSecond: 4.25, ThrottledShare: 0.15, ForeignUse: "suspected", Since: &at, MeasuredAt: at.Add(time.Minute)}
	if d := cmp.Diff(want, q); d != "" {
		t.Error(d)
	}
	b, err := json.Marshal(q)
	if err != nil || string(b) != `{"statedPerSecond":5,"achievedPerSecond":4.25,"throttledShare":0.15,"foreignUse":"suspected","since":"2026-11-22T09:00:00Z","measuredAt":"2026-11-22T09:01:00Z"}` {
		t.Errorf("%s, %v", b, err)
	}
	if q, err := h.quota(t.Context(), stranger, active); q != nil || err != nil {
		t.Errorf("another tenant sees %+v, %v", q, err)
	}
}
