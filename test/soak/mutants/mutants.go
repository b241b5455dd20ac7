package main

import "pricemanager/test/soak"

// edit is one replacement of source text below internal/, which must match
// exactly once.
type edit struct{ file, old, to string }

// mutant switches one protection off.
type mutant struct {
	name  string
	scene *scene
	edits []edit
}

// scene is the histories that a mutant has to survive.
type scene struct {
	name    string
	options soak.Options
	changes int64
}

var (
	usual  = &scene{"usual", soak.Options{}, 30_000}
	harsh  = &scene{"harsh", soak.Options{Harsh: 6, Ops: 120}, 35_000}                            // workers die, stores fail
	crowd  = &scene{"crowd", soak.Options{Hot: true, Offers: 12, Slow: 60_000, Ops: 600}, 12_000} // few offers, slow answers
	stream = &scene{"stream", soak.Options{Ledger: true, Ops: 100}, 12_000}                       // all of it into the ledger
	late   = &scene{"late", soak.Options{Harsh: 4, Late: 500_000, Ops: 120}, 20_000}              // prices show late
	mixed  = &scene{"mixed", soak.Options{Offers: 60, Ops: 150}, 20_000}                          // large batches and corrections of the same offers
	many   = &scene{"many", soak.Options{Hot: true, Offers: 200, Harsh: 6, Ops: 500}, 8_000}      // small batches, many requests
	strict = &scene{"strict", soak.Options{Guards: 25, Ops: 200}, 30_000}                         // guards change all the time
)

const anyFence = "If:  []store.Cond{store.AnyOf(store.Missing(aFence), store.Le(aFence, d.lease.fence))},"

var mutants = []mutant{
	{"fence on outcome writes", usual, []edit{{"lane/settle.go", anyFence, "If:  []store.Cond{},"}}},
	{"fence on journal writes", usual, []edit{{"lane/work.go",
		"If:  []store.Cond{store.Exists(), store.Le(aFence, d.lease.fence)},",
		"If:  []store.Cond{store.Exists()},"}}},
	{"lease before driving a lane", usual, []edit{{"lane/lease.go",
		"store.AnyOf(store.Missing(aUntil), store.Lt(aUntil, store.Millis(now))),",
		"store.AnyOf(store.Missing(aUntil), store.Ge(aUntil, int64(0))),"}}},
	{"deadline: work ends with the slice", usual, []edit{{"lane/driver.go",
		"stopping := !now.Before(end) || d.parked", "stopping := d.parked"}}},
	{"hand-over rings for what is left", usual, []edit{{"lane/hold.go",
		"return d.e.Bell.send(ctx, d.doorbell(), min((delay", "_ = min((delay"},
		{"lane/hold.go", ".Truncate(time.Second), longestDelay))", ".Truncate(time.Second), longestDelay)\n	return nil"}}},
	{"a ring while leaving is heard", usual, []edit{{"lane/lease.go",
		"up.If = append(up.If, store.Eq(aRung, l.rung))", "up.If = append(up.If, store.Has(aRung))"}}},
	{"a failed look-up closes no marker", harsh, []edit{{"lane/hold.go", "case !d.looked:", "case false:"}}},
	{"the sweep rings for what nobody drives", usual, []edit{{"lane/sweep.go", "if !idle {", "if idle || !idle {"}}},
	{"intents are written before a send", usual, []edit{{"lane/send.go",
		"	if err := d.writeJournal(ctx, w, now); err != nil {\n		return err\n	}\n	w.ready", "	w.ready"}}},
	{"read-back before a resend after a crash", usual, []edit{{"lane/work.go",
		"case sent || c.State == Unknown:",
		"case sent && c.State == Unknown:"}}},
	{"time for a lost send to show", late, []edit{{"lane/readback.go",
		"begun.Sub(r.notAfter) >= d.unknownFor(r.Marketplace) && r.lost <= 1",
		"r.lost <= 1"}}},
	{"wait for notAfter", usual, []edit{
		{"lane/work.go", "later(r.notAfter, now))\n		d.busy[r.key] = r.notAfter", "now)"},
		{"lane/send.go", "later(r.notAfter, now))\n	d.busy[r.key] = r.notAfter", "now)"},
		{"lane/readback.go", "begun.Sub(r.notAfter) >= d.unknownFor(r.Marketplace)", "now.Sub(r.first) >= time.Second"}}},
	{"one patch of an offer at a time", crowd, []edit{{"lane/send.go",
		"case picked != nil || d.busy[r.key].After(now):", "case picked != nil:"}}},
	{"guards at send time", usual, []edit{{"lane/weigh.go",
		"if verdict != price.Held && verdict != price.Refused {",
		"if verdict != price.Held || verdict != price.Refused {"}}},
	{"stops are read before each request", usual, []edit{{"lane/send.go",
		"if err != nil || slices.ContainsFunc(rows, d.blockedBy(stops)) {", "if err != nil {"}}},
	{"refused credentials stop everything", usual, []edit{{"lane/send.go",
		"case amazon.Reauthorise, amazon.Operator:\n		d.park(ctx, out, err)\n	case amazon.Retry, amazon.Permanent",
		"case amazon.Reauthorise:\n		d.park(ctx, out, err)\n	case amazon.Operator:\n		r.set(Rejected)\n	case amazon.Retry, amazon.Permanent"}}},
	{"guards as they are now", strict, []edit{{"lane/breaker.go",
		"if begun.Sub(d.guardsAt) < guardsFor {",
		"if !d.guardsAt.IsZero() {"}}},
	{"what was passed is looked at again", mixed, []edit{{"lane/overtake.go", "return r.key == waits.key", "return r.key == waits.key && r == waits"}}},
	{"no send of a superseded change", usual, []edit{{"lane/send.go",
		"if counts { // a newer batch",
		"if counts && false { // a newer batch"}}},
	{"a read-back begun after acceptance", crowd, []edit{
		{"lane/readback.go", "if l == nil || begun.Before(r.sentAt) {", "if l == nil {"},
		{"lane/send.go", "	call := d.radar.begin(now)\n", "	d.await(r, now)\n	call := d.radar.begin(now)\n"}}},
	{"every field as wanted", usual, []edit{{"price/offer.go", "return len(missing) == 0, missing", "return len(missing) < len(e.Touched()), missing"}}},
	{"a price that differs is not observed", usual, []edit{{"lane/readback.go", "met, _ := r.Edit.Met(l.Prices); !met", "met, _ := r.Edit.Met(l.Prices); !met && met"}}},
	{"a plan's version when staging", usual, []edit{{"lane/apply.go",
		"If: []store.Cond{store.Eq(aVersion, r.Version), store.Missing(aNextBatch)},",
		"If: []store.Cond{store.Missing(aNextBatch)},"}}},
	{"nothing is staged over a staged row", usual, []edit{{"lane/apply.go",
		"If: []store.Cond{store.Eq(aVersion, r.Version), store.Missing(aNextBatch)},",
		"If: []store.Cond{store.Eq(aVersion, r.Version)},"}}},
	{"a batch is created once", many, []edit{{"lane/apply.go", "Attrs: attrs}, store.Absent())", "Attrs: attrs})"}}},
	{"a batch is committed once", harsh, []edit{
		{"lane/apply.go", "aJournal: mustJSON(j)}}, If: []store.Cond{store.Absent()}})", "aJournal: mustJSON(j)}}})"},
		{"lane/apply.go", "Update: &store.Update{Set: set, If: []store.Cond{store.Eq(aBatchState, string(Staging))}}})", "Update: &store.Update{Set: set}})"}}},
	{"promotion of the staged row only", usual, []edit{{"lane/settle.go",
		"up.If = append(up.If, store.Eq(aNextBatch, batch), store.Eq(aNextRow, r.N))",
		"up.If = append(up.If, store.Has(aVersion))"}}},
	{"an outcome for its own change only", usual, []edit{{"lane/settle.go",
		"up.If = append(up.If, store.Eq(aBatch, batch), store.Eq(aRow, r.N), store.AnyOf(",
		"up.If = append(up.If, store.AnyOf("}}},
	{"withdrawing only what was not sent", usual, []edit{{"lane/work.go",
		"for _, r := range w.ready {\n		w.unsent(r)",
		"for _, r := range w.rows {\n		w.unsent(r)"}}},
	{"an intent is told once", usual, []edit{{"lane/events.go",
		"if seen[id{i.Row, i.Attempt}] {", "if seen[id{i.Row, i.Attempt}] && i.Row < 0 {"}}},
	{"a state is told once", usual, []edit{{"lane/events.go",
		"stateEvents[c.State]; ok && c.State != was {", "stateEvents[c.State]; ok && c.State != was+\"?\" {"}}},
	{"stream records are taken once", stream, []edit{{"ledger/tail.go",
		"if ok && !p.seq.after(old) {", "if ok && p.seq == old {"}}},
	{"an append goes behind the last one", stream, []edit{{"ledger/append.go",
		"err = l.db.Put(ctx, t, store.Ledger, seg.item(), store.Absent())", "err = l.db.Put(ctx, t, store.Ledger, seg.item())"}}},
}
