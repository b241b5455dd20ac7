package lane

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"context"

	"pricemanager/internal/amazon"
	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/store/memory"
)

var errLostAnswer = &amazon.Error{Op: "createFeed", Reached: true, Err: errors.New("connection reset")}

func TestALargeBatchGoesByFeedAndEveryPriceIsObserved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, m := withFeeds(t)
		skus := w.stock(300)
		w.apply("bat_a", "19.00", skus...)
		w.run(5 * time.Minute)
		if b := w.batch("bat_a"); b.State != Done {
			t.Fatalf("batch %s with %v", b.State, b.Counts)
		}
		w.wantCounts("bat_a", Counts{Observed: 300})
		w.wantPrices("19.00", skus...)
		if f := w.wantOneFeed("bat_a", "settled"); f.Rows != 300 || f.ID != "feed-1" || f.Escaped {
			t.Errorf("feed %+v", f)
		}
		if len(m.feeds) != 1 || len(w.shop.patches) != 0 {
			t.Errorf("%d feeds and %d patches, want one feed alone", len(m.feeds), len(w.shop.patches))
		}
		ev := w.events()
		for typ, n := range map[ledger.Type]int{ledger.FeedSent: 1, ledger.FeedEnded: 1, ledger.ChangeAccepted: 300, ledger.ChangeObserved: 300, ledger.ChangeSent: 0} {
			if ev[typ] != n {
				t.Errorf("%d events %s, want %d", ev[typ], typ, n)
			}
		}
		if live, err := (Stops{DB: w.db}).LiveFeeds(t.Context(), seller); err != nil || len(live) != 0 {
			t.Errorf("feeds that are over are still shown: %v, %v", live, err)
		}
	})
}

func TestASmallBatchAndALaneWithoutFeedsGoBySinglePatches(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rows  int
		takes time.Duration
	}{"too few rows": {19, time.Second}, "feeds take longer": {60, time.Hour}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, m := withFeeds(t)
				w.engine.Config.FeedTakes = c.takes
				w.apply("bat_a", "19.00", w.stock(c.rows)...)
				w.run(2 * time.Minute)
				w.wantCounts("bat_a", Counts{Observed: int64(c.rows)})
				if r := w.batch("bat_a").Routes[conn]; len(m.feeds) != 0 || r.Kind != ByPatch || c.rows >= 20 && !strings.HasPrefix(r.Reason, "single patches: ") {
					t.Errorf("%d feeds, route %+v", len(m.feeds), r)
				}
			})
		})
	}
}

func TestAFeedThatReportsSuccessButLeftThreePricesUnchangedEndsWithThoseUnconfirmed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, m := withFeeds(t)
		var logged bytes.Buffer
		w.engine.Log = slog.New(slog.NewJSONHandler(&logged, nil))
		skus := w.stock(200)
		left := map[price.SKU]bool{skus[7]: true, skus[8]: true, skus[150]: true}
		m.effect = func(s price.SKU) bool { return !left[s] }
		w.apply("bat_a", "19.00", skus...)
		w.run(10 * time.Minute)
		w.wantCounts("bat_a", Counts{Observed: 197, Unconfirmed: 3})
		for sku, r := range w.inState("bat_a", Unconfirmed) {
			if !left[sku] || !strings.Contains(r.Issue, "did not show this price") || r.Submission != "feed feed-1" {
				t.Errorf("%s: %+v", sku, r)
			}
		}
		for sku := range left {
			if !strings.Contains(logged.String(), `"alarm":"unconfirmed","marketplace":"`+string(de)+`","sku":"`+string(sku)+`"`) {
				t.Errorf("no alarm about %s", sku)
			}
		}
		if n := w.events()[ledger.ChangeUnconfirmed]; n != 3 || len(w.shop.patches) != 0 {
			t.Errorf("%d events, %d patches", n, len(w.shop.patches))
		}
	})
}

func TestWhatAFeedsReportRefusesIsRejectedWithAmazonsWords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, m := withFeeds(t)
		skus := w.stock(40)
		m.verdict = func(s price.SKU) amazon.FeedOutcome {
			if s == skus[3] {
				return amazon.FeedOutcome{Status: amazon.Invalid, Issues: []amazon.Issue{{Code: "90220", Message: "required attribute is missing"}}}
			}
			return amazon.FeedOutcome{Status: amazon.Accepted}
		}
		w.apply("bat_a", "19.00", skus...)
		w.run(5 * time.Minute)
		w.wantCounts("bat_a", Counts{Observed: 39, Rejected: 1})
		if r := w.inState("bat_a", Rejected)[skus[3]]; !strings.Contains(r.Issue, "90220 required attribute") {
			t.Errorf("%+v", r)
		}
	})
}

func TestPricesWithoutAWordInTheReportAreReadBackBeforeTheyAreSentAgain(t *testing.T) {
	t.Parallel()
	for _, end := range []amazon.FeedStatus{amazon.FeedDone, amazon.FeedFatal} {
		t.Run(string(end), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, m := withFeeds(t)
				skus := w.stock(30)
				m.end = end
				m.effect = func(s price.SKU) bool { return s != skus[0] && s != skus[1] }
				m.verdict = func(price.SKU) amazon.FeedOutcome { return amazon.FeedOutcome{Status: amazon.Unsaid} }
				w.apply("bat_a", "19.00", skus...)
				w.run(6 * time.Minute)
				w.wantCounts("bat_a", Counts{Observed: 30})
				w.wantPrices("19.00", skus...)
				if w.shop.calls[skus[0]] != 1 || w.shop.calls[skus[1]] != 1 || len(w.shop.patches) != 2 {
					t.Errorf("patches %v, want the two that did not show", w.shop.calls)
				}
				if wait := w.shop.patches[0].Sub(m.feeds[0].created); wait < m.takes+w.engine.Config.UnknownFor {
					t.Errorf("sent again %s after the feed was made: before its effect must show", wait)
				}
			})
		})
	}
}

func TestAStuckFeedIsCancelledBeforeItsRowsGoElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, m := withFeeds(t)
		m.queued, m.takes = 24*time.Hour, 25*time.Hour
		skus := w.stock(30)
		w.apply("bat_a", "19.00", skus...)
		w.run(20 * time.Minute)
		w.wantCounts("bat_a", Counts{Observed: 30})
		w.wantPrices("19.00", skus...)
		if len(w.shop.patches) != 30 || m.status(0) != amazon.FeedCancelled {
			t.Fatalf("%d patches, feed %s", len(w.shop.patches), m.status(0))
		}
		if wait := w.shop.patches[0].Sub(m.feeds[0].created); wait < w.engine.Config.FeedStall {
			t.Errorf("the first patch came after %s, while the feed was in the queue", wait)
		}
		if r := w.batch("bat_a").Routes[conn].Reason; !strings.Contains(r, "30 prices of feed 1 go by single patches: it was in Amazon's queue for ") {
			t.Errorf("reason %q", r)
		}
	})
}

func TestRowsOfAFeedThatCannotBeCancelledGoNowhereElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, m := withFeeds(t)
		m.queued, m.takes = time.Second, 6*time.Hour
		skus := w.stock(30)
		w.apply("bat_a", "19.00", skus...)
		w.run(5 * time.Hour)
		if len(w.shop.patches) != 0 {
			t.Fatalf("%d patches while the feed can still be applied", len(w.shop.patches))
		}
		w.wantCounts("bat_a", Counts{Sent: 30})
		w.run(90 * time.Minute)
		w.wantCounts("bat_a", Counts{Observed: 30})
		for sku, n := range w.shop.effects {
			if n != 1 {
				t.Errorf("%s was changed %d times", sku, n)
			}
		}
	})
}

func TestAStopCancelsFeedsAndListsWhatEscaped(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		after   time.Duration
		escapes bool
	}{"in the queue": {12 * time.Second, false}, "being applied": {30 * time.Second, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, m := withFeeds(t)
				m.takes = 20 * time.Minute
				skus := w.stock(30)
				w.apply("bat_a", "19.00", skus...)
				stops := Stops{DB: w.db, Bell: w.engine.Bell}
				stop := Stop{Scope: ScopeMarketplace, ID: string(de), Actor: "key:test", Reason: "wrong file"}
				time.AfterFunc(c.after, func() {
					if err := stops.Set(context.WithoutCancel(t.Context()), seller, stop); err != nil {
						t.Error(err)
					}
				})
				w.run(2 * time.Minute)
				live, err := stops.LiveFeeds(t.Context(), seller)
				if err != nil {
					t.Fatal(err)
				}
				if !c.escapes {
					if m.status(0) != amazon.FeedCancelled || len(live) != 0 {
						t.Fatalf("feed %s, shown %+v", m.status(0), live)
					}
					w.run(30 * time.Minute)
					if len(w.shop.effects) != 0 {
						t.Fatalf("prices were set: %v", w.shop.effects)
					}
				} else if len(live) != 1 || !live[0].Escaped || live[0].Rows != 30 || live[0].ID != "feed-1" || live[0].Reason != "it was stopped" {
					t.Fatalf("shown %+v, want the feed that escaped", live)
				}
				if err := stops.Lift(t.Context(), seller, "key:test", stop); err != nil {
					t.Fatal(err)
				}
				w.run(30 * time.Minute)
				w.wantCounts("bat_a", Counts{Observed: 30})
				ev := w.events()
				if want := map[bool]int{true: 1}[c.escapes]; ev[ledger.FeedEscaped] != want || ev[ledger.FeedEnded] != 1 {
					t.Errorf("%d events of an escape, want %d; %d of an end", ev[ledger.FeedEscaped], want, ev[ledger.FeedEnded])
				}
			})
		})
	}
}

func TestANewerPriceIsSentAtOnceAndAgainIfAFeedWroteOverIt(t *testing.T) {
	t.Parallel()
	for name, writesOver := range map[string]bool{"written over": true, "left alone": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, m := withFeeds(t)
				m.queued, m.takes = 5*time.Second, 8*time.Minute
				skus := w.stock(30)
				if !writesOver {
					m.effect = func(s price.SKU) bool { return s != skus[4] }
				}
				w.apply("bat_a", "19.00", skus...)
				w.run(2 * time.Minute)
				w.apply("bat_b", "17.00", skus[4])
				w.run(2 * time.Minute)
				if w.shop.calls[skus[4]] != 1 {
					t.Fatalf("%d patches of the newer price, want it sent at once", w.shop.calls[skus[4]])
				}
				w.wantPrices("17.00", skus[4])
				w.wantCounts("bat_b", Counts{Accepted: 1}) // not observed: the feed can still write over it
				w.run(20 * time.Minute)
				w.wantCounts("bat_a", Counts{Observed: 29, Superseded: 1})
				w.wantCounts("bat_b", Counts{Observed: 1})
				w.wantPrices("17.00", skus[4])
				if want := map[bool]int{true: 2, false: 1}[writesOver]; w.shop.calls[skus[4]] != want {
					t.Errorf("%d patches of the newer price, want %d", w.shop.calls[skus[4]], want)
				}
				for _, id := range []string{"bat_a", "bat_b"} {
					if b := w.batch(id); b.State != Done {
						t.Errorf("batch %s is %s", id, b.State)
					}
				}
			})
		})
	}
}

func TestAFeedWhoseAnswerWasLostIsWaitedForBeforeItsRowsAreSent(t *testing.T) {
	t.Parallel()
	for name, made := range map[string]bool{"it was made": true, "it was not made": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, m := withFeeds(t)
				m.takes = 15 * time.Minute
				m.submit = func(int) (bool, error) { return made, errLostAnswer }
				skus := w.stock(30)
				w.apply("bat_a", "19.00", skus...)
				w.run(40 * time.Minute)
				w.wantCounts("bat_a", Counts{Observed: 30})
				for sku, n := range w.shop.effects {
					if n != 1 {
						t.Errorf("%s was changed %d times", sku, n)
					}
				}
				if want := map[bool]int{true: 0, false: 30}[made]; len(w.shop.patches) != want {
					t.Errorf("%d patches, want %d", len(w.shop.patches), want)
				}
			})
		})
	}
}

// A worker dies at every single write while a batch goes by feed, before and
// after its effect. Every price is set exactly once, also when createFeed was on
// the wire.
func TestAWorkerMayDieAtAnyWriteOfAFeed(t *testing.T) {
	t.Parallel()
	writes := dieInFeed(t, 1_000_000, false)
	if writes < 40 {
		t.Fatalf("only %d writes were made: the test proves nothing", writes)
	}
	for n := range writes {
		for _, after := range []bool{false, true} {
			dieInFeed(t, n+1, after)
		}
	}
}

func dieInFeed(t *testing.T, n int, after bool) (writes int) {
	synctest.Test(t, func(t *testing.T) {
		w, m := withFeeds(t)
		w.engine.Config.FeedFrom, w.engine.Config.FeedTakes = 10, time.Millisecond
		skus := w.stock(12)
		m.verdict = func(s price.SKU) amazon.FeedOutcome {
			if s == skus[3] {
				return amazon.FeedOutcome{Status: amazon.Unsaid}
			}
			return amazon.FeedOutcome{Status: amazon.Accepted}
		}
		w.apply("bat_a", "19.00", skus...)
		writes = w.dieAt(n, after, skus, func(ctx context.Context) bool {
			at, ok := w.queue.Next()
			if !ok {
				return false
			}
			_ = w.engine.Clock.Sleep(t.Context(), at.Sub(w.engine.Clock.Now()))
			for _, msg := range w.queue.Receive(1, time.Hour) {
				d, _ := ParseDoorbell(msg.Body)
				if _, err := w.engine.Handle(ctx, d); err == nil {
					w.queue.Delete(msg.ID)
				}
			}
			return true
		}, func() { w.run(40 * time.Minute) })
	})
	return writes
}

func TestAMarkedStopDoesNotLoseRowsThatWaitToBeAnnounced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(400)
		stops := Stops{DB: w.db, Bell: w.engine.Bell}
		stop := Stop{Scope: ScopeMarketplace, ID: string(de), Actor: "key:test"}
		if err := stops.Set(t.Context(), seller, stop); err != nil {
			t.Fatal(err)
		}
		w.apply("bat_a", "19.00", skus...)
		w.run(3 * time.Minute)
		if err := stops.Lift(t.Context(), seller, "key:test", stop); err != nil {
			t.Fatal(err)
		}
		most := 0
		w.db.Hook = func(op memory.Op) (bool, error) {
			if op.Kind == memory.Update && op.Writes[0].Key == workKey(conn, "bat_a") {
				if b, ok := op.Writes[0].Update.Set[aJournal].([]byte); ok {
					most = max(most, bytes.Count(b, []byte(`"sku"`)))
				}
			}
			return true, nil
		}
		w.run(5 * time.Minute)
		w.wantCounts("bat_a", Counts{Observed: 400})
		if most > 4*intentsPerWrite {
			t.Errorf("a journal named %d rows: an item has room for 400 KB", most)
		}
	})
}
