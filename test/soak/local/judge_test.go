package main

import (
	"fmt"
	"strings"
	"testing"

	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/test/fakeamazon"
)

// good is the evidence of two offers that two batches changed, the second price
// of S2 superseding the first.
func good() evidence {
	e := evidence{
		conn: "con_a", shown: map[string]string{"S1": "20.20", "S2": "20.20"},
		effects: map[string]fakeamazon.Effect{"S1": {Count: 2}, "S2": {Count: 1}},
		series: []*series{{skus: []string{"S1", "S2"}, batches: []*batch{
			{id: "b1", price: "20.10", rows: map[string]string{"S1": "observed", "S2": "superseded"}},
			{id: "b2", price: "20.20", rows: map[string]string{"S1": "observed", "S2": "observed"}},
		}}},
	}
	e.series[0].batches[0].counts = map[string]int{"observed": 1, "superseded": 1, "held": 0}
	e.series[0].batches[1].counts = map[string]int{"observed": 2}
	for _, b := range e.series[0].batches {
		for sku, state := range b.rows {
			e.record(b.id, sku, ledger.ChangeDesired)
			e.record(b.id, sku, ending(state))
		}
	}
	return e
}

func ending(state string) ledger.Type {
	for t, name := range endings {
		if name == state {
			return t
		}
	}
	return ""
}

// instead has another event where there was one.
func (e *evidence) instead(batch string, was, is ledger.Type) {
	for i := range e.events {
		if ev := &e.events[i]; ev.Batch == batch && ev.Type == was {
			ev.Type = is
			return
		}
	}
}

func (e *evidence) record(batch, sku string, t ledger.Type) {
	target := "offer:" + price.OfferKey{Connection: e.conn, Marketplace: de, SKU: price.SKU(sku)}.String()
	e.events = append(e.events, ledger.Event{Type: t, Batch: batch, Target: target})
}

// enough is a result with as much trouble as a verdict wants.
func enough() Result {
	return Result{Kills: leastKills, AmazonCuts: leastCuts, AWSFaults: leastAWSFaults, Stops: 1, RepeatedMessages: 1, LedgerVerified: true}
}

func TestAGoodRunIsGood(t *testing.T) {
	t.Parallel()
	r := enough()
	r.weigh(good())
	if err := r.verdict(); err != nil {
		t.Error(err)
	}
	if r.Changes != 4 || r.Observed != 3 || r.Superseded != 1 {
		t.Errorf("%+v", r)
	}
}

func TestAnOutcomeThatALaterBatchHidIsNoContradiction(t *testing.T) {
	t.Parallel()
	e, r := good(), enough()
	e.series[0].batches[0].counts = map[string]int{"superseded": 2}
	r.weigh(e)
	if err := r.verdict(); err != nil || r.CalledSuperseded != 1 {
		t.Errorf("%d called superseded, verdict %v", r.CalledSuperseded, err)
	}
	e.series[0].batches[1].counts = map[string]int{"superseded": 2}
	r = enough()
	if r.weigh(e); r.WrongReports != 2 {
		t.Errorf("the last batch calls two superseded: %d wrong reports, want 2", r.WrongReports)
	}
}

func TestEveryBrokenPromiseIsNoticed(t *testing.T) {
	t.Parallel()
	first := func(e *evidence) *batch { return e.series[0].batches[0] }
	last := func(e *evidence) *batch { return e.series[0].batches[1] }
	for want, breaks := range map[string]func(*evidence, *Result){
		"1 duplicateEffects": func(e *evidence, _ *Result) { e.effects["S1"] = fakeamazon.Effect{Count: 3} },
		"2 duplicateEffects": func(e *evidence, _ *Result) { e.effects["S2"] = fakeamazon.Effect{Count: 2, Doubles: 2} },
		"1 lostChanges":      func(e *evidence, _ *Result) { e.effects["S1"] = fakeamazon.Effect{Count: 1} },
		"2 lostChanges": func(e *evidence, _ *Result) {
			e.instead("b1", ledger.ChangeObserved, "x")
			e.instead("b2", ledger.ChangeObserved, "x")
		},
		"1 wrongFinalPrices":  func(e *evidence, _ *Result) { e.shown["S2"] = "20.10" },
		"1 unconfirmed":       func(e *evidence, _ *Result) { e.instead("b2", ledger.ChangeObserved, ledger.ChangeUnconfirmed) },
		"1 rejected":          func(e *evidence, _ *Result) { e.instead("b2", ledger.ChangeObserved, ledger.ChangeRejected) },
		"1 wrongReports":      func(e *evidence, _ *Result) { last(e).rows["S1"] = "superseded" },
		"2 wrongReports":      func(e *evidence, _ *Result) { first(e).rows["S2"] = "sent"; first(e).counts["observed"] = 0 },
		"1 duplicateEvents":   func(e *evidence, _ *Result) { e.record("b1", "S1", ledger.ChangeObserved) },
		"1 missingEvents":     func(e *evidence, _ *Result) { e.events = e.events[1:] },
		"1 sentWhileStopped":  func(_ *evidence, r *Result) { r.SentWhileStopped = 1 },
		"1 violations":        func(_ *evidence, r *Result) { r.Violations = 1 },
		"over the budget":     func(_ *evidence, r *Result) { r.OverBudget = 2 },
		"not verified":        func(_ *evidence, r *Result) { r.LedgerVerified = false },
		"too few to show":     func(_ *evidence, r *Result) { r.Kills = 1 },
		"0 of 4 changes were": func(e *evidence, _ *Result) { noneObserved(e) },
	} {
		e, r := good(), enough()
		breaks(&e, &r)
		r.weigh(e)
		if got := fmt.Sprint(r.verdict()); !strings.Contains(got, want) {
			t.Errorf("the verdict is %q, want %q in it", got, want)
		}
	}
}

func noneObserved(e *evidence) {
	for i := range e.events {
		if e.events[i].Type == ledger.ChangeObserved {
			e.events[i].Type = ledger.ChangeHeld
		}
	}
}
