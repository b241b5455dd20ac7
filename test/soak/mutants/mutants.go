package main

// edit is one replacement of source text, which must match exactly once.
type edit struct{ file, old, to string }

// mutant switches one protection of the lane engine off.
type mutant struct {
	name  string
	edits []edit
}

var mutants = []mutant{
	{"fence on outcome writes", []edit{{"settle.go",
		"If:  []store.Cond{store.AnyOf(store.Missing(aFence), store.Le(aFence, d.lease.fence))},",
		"If:  []store.Cond{},"}}},
	{"fence on journal writes", []edit{{"work.go",
		"If:  []store.Cond{store.Exists(), store.Le(aFence, d.lease.fence)},",
		"If:  []store.Cond{store.Exists()},"}}},
	{"lease before driving a lane", []edit{{"lease.go",
		"store.AnyOf(store.Missing(aUntil), store.Lt(aUntil, store.Millis(now))),",
		"store.AnyOf(store.Missing(aUntil), store.Ge(aUntil, int64(0))),"}}},
	{"read-back before a resend after a crash", []edit{{"work.go",
		"case sent || c.State == Unknown:",
		"case sent && c.State == Unknown:"}}},
	{"time for a lost send to show", []edit{{"readback.go",
		"begun.Sub(r.notAfter) >= d.unknownFor(r.Marketplace) && r.lost <= 1",
		"r.lost <= 1"}}},
	{"wait for notAfter", []edit{
		{"work.go", "later(r.notAfter, now))\n				d.busy[r.key] = r.notAfter", "now)"},
		{"send.go", "later(r.notAfter, now))\n	d.busy[r.key] = r.notAfter", "now)"},
		{"readback.go", "begun.Sub(r.notAfter) >= d.unknownFor(r.Marketplace)", "now.Sub(r.first) >= time.Second"}}},
	{"guards at send time", []edit{{"send.go",
		"if decision != price.Held && decision != price.Refused {",
		"if decision != price.Held || decision != price.Refused {"}}},
	{"no send of a superseded change", []edit{{"send.go",
		"if counts { // a newer batch",
		"if counts && false { // a newer batch"}}},
	{"a plan's version when staging", []edit{{"apply.go",
		"If: []store.Cond{store.Eq(aVersion, r.Version), store.Missing(aNextBatch)},",
		"If: []store.Cond{store.Missing(aNextBatch)},"}}},
	{"nothing is staged over a staged row", []edit{{"apply.go",
		"If: []store.Cond{store.Eq(aVersion, r.Version), store.Missing(aNextBatch)},",
		"If: []store.Cond{store.Eq(aVersion, r.Version)},"}}},
	{"promotion of the staged row only", []edit{{"settle.go",
		"up.If = append(up.If, store.Eq(aNextBatch, batch), store.Eq(aNextRow, r.N))",
		"up.If = append(up.If, store.Has(aVersion))"}}},
	{"an outcome for its own change only", []edit{{"settle.go",
		"up.If = append(up.If, store.Eq(aBatch, batch), store.Eq(aRow, r.N), store.AnyOf(",
		"up.If = append(up.If, store.AnyOf("}}},
	{"withdrawing only what was not sent", []edit{{"work.go",
		"for _, r := range w.ready {\n		w.unsent(r)",
		"for _, r := range w.rows {\n		w.unsent(r)"}}},
}
