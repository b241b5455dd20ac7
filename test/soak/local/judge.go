package main

import (
	"errors"
	"fmt"
	"maps"

	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/test/canary"
	"pricemanager/test/fakeamazon"
)

// Result is what happened, in rows, faults and events, and which promises were
// broken: all of those from duplicateEffects to duplicateEvents must be 0.
type Result struct {
	OK         bool    `json:"ok"`
	Error      string  `json:"error,omitempty"`
	Seed       int     `json:"seed"`
	Seconds    float64 `json:"seconds"`
	Changes    int     `json:"changes"` // rows of committed batches
	Observed   int     `json:"observed"`
	Superseded int     `json:"superseded"`
	Held       int     `json:"held"`

	CalledSuperseded int            `json:"calledSuperseded"` // see compare
	RefusedBatches   int            `json:"refusedBatches"`   // whose offers had moved; planned anew
	Kills            int            `json:"kills"`
	Killed           map[string]int `json:"killed"`
	AmazonCuts       int            `json:"amazonCuts"`
	AWSFaults        int            `json:"awsFaults"`
	AWSFaultsByKind  map[string]int `json:"awsFaultsByKind"`
	RepeatedMessages int            `json:"repeatedMessages"`
	Stops            int            `json:"stops"`
	OverBudget       int            `json:"overBudget"` // patches; see atMostOverBudget

	DuplicateEffects int `json:"duplicateEffects"`
	LostChanges      int `json:"lostChanges"`
	WrongFinalPrices int `json:"wrongFinalPrices"`
	WrongReports     int `json:"wrongReports"` // rows and counts of batches that the ledger contradicts
	Unconfirmed      int `json:"unconfirmed"`
	Rejected         int `json:"rejected"`
	SentWhileStopped int `json:"sentWhileStopped"`
	Violations       int `json:"violations"` // other than over-budget
	MissingEvents    int `json:"missingEvents"`
	DuplicateEvents  int `json:"duplicateEvents"`

	LedgerVerified bool `json:"ledgerVerified"`
	LedgerEvents   int  `json:"ledgerEvents"`

	// Canary is how many secrets and personal data were planted and searched for;
	// finding one in clear is an error.
	Canary canary.Figures `json:"canary"`

	contradictions []string // what WrongReports counts
}

// endings are the events that end a change, with the state that the batch counts
// it in.
var endings = map[ledger.Type]string{
	ledger.ChangeObserved: "observed", ledger.ChangeSuperseded: "superseded", ledger.ChangeHeld: "held",
	ledger.ChangeRejected: "rejected", ledger.ChangeUnconfirmed: "unconfirmed",
}

// evidence is what is known of one seller at the end.
type evidence struct {
	series  []*series
	conn    price.ConnectionID
	shown   map[string]string            // SKU to the price that Amazon shows
	effects map[string]fakeamazon.Effect // by SKU
	events  []ledger.Event
}

// change names one row of one batch as the ledger does.
type change struct{ batch, target string }

// weigh adds to the result what the evidence says. The ledger decides how each
// change ended; the batches' counts, their reports and Amazon have to agree.
func (r *Result) weigh(e evidence) {
	recorded := map[change]map[ledger.Type]int{}
	for _, ev := range e.events {
		at := change{ev.Batch, ev.Target}
		if recorded[at] == nil {
			recorded[at] = map[ledger.Type]int{}
		}
		recorded[at][ev.Type]++
	}
	r.LedgerEvents += len(e.events)
	for _, f := range e.series {
		r.RefusedBatches += f.refused
		counts := make([]map[string]int, len(f.batches))
		for i := range counts {
			counts[i] = map[string]int{}
		}
		for _, sku := range f.skus {
			want, certain, possible := firstPrice, 0, 0
			target := "offer:" + price.OfferKey{Connection: e.conn, Marketplace: de, SKU: price.SKU(sku)}.String()
			for i, b := range f.batches {
				state := r.ending(recorded[change{b.id, target}])
				counts[i][state]++
				switch state {
				case "observed":
					want = b.price
					certain++
				case "superseded", "unconfirmed": // it may have been on its way
					possible++
				}
				// A report calls superseded whatever a later batch has changed again.
				if last := i == len(f.batches)-1; b.rows[sku] != state && (last || b.rows[sku] != "superseded") {
					r.contradict("%s %s: the report says %q, the ledger %q", b.id, sku, b.rows[sku], state)
				}
			}
			if e.shown[sku] != want {
				r.WrongFinalPrices++
			}
			effect := e.effects[sku]
			r.DuplicateEffects += max(effect.Doubles, effect.Count-certain-possible, 0)
			r.LostChanges += max(certain-effect.Count, 0) // observed, and yet never at Amazon
		}
		for i, b := range f.batches {
			r.compare(b, counts[i], i == len(f.batches)-1)
		}
	}
}

// compare holds a batch's own counts against those of the ledger. A worker that
// dies between recording an outcome at the offer and counting it leaves the count
// to the next one, who cannot see it any more when a later batch has the offer: it
// calls the change superseded.
func (r *Result) compare(b *batch, ledger map[string]int, last bool) {
	counts := maps.Clone(b.counts)
	if taken := counts["superseded"] - ledger["superseded"]; !last && taken > 0 {
		r.CalledSuperseded += taken
		counts["superseded"] -= taken
		counts["observed"] += taken
	}
	for _, state := range endings {
		if counts[state] != ledger[state] {
			r.contradict("%s: the batch counts %d %s, the ledger %d", b.id, b.counts[state], state, ledger[state])
		}
	}
}

func (r *Result) contradict(format string, args ...any) {
	r.WrongReports++
	r.contradictions = append(r.contradictions, fmt.Sprintf(format, args...))
}

// ending counts a change and returns how it ended, "" when it did not.
func (r *Result) ending(events map[ledger.Type]int) (state string) {
	r.Changes++
	ends := 0
	for t, name := range endings {
		if n := events[t]; n > 0 {
			state = name
			ends += n
		}
	}
	switch state {
	case "observed":
		r.Observed++
	case "superseded":
		r.Superseded++
	case "held":
		r.Held++
	case "rejected":
		r.Rejected++
	case "unconfirmed":
		r.Unconfirmed++
	default:
		r.LostChanges++
	}
	for _, n := range []int{events[ledger.ChangeDesired], ends} {
		if n == 0 {
			r.MissingEvents++
		}
		r.DuplicateEvents += max(n-1, 0)
	}
	return state
}

// Below these numbers a soak shows nothing.
const (
	leastKills, leastCuts, leastAWSFaults = 5, 5, 10
	// A token is there every 20 ms, so that a busy machine which stalls makes
	// requests arrive together that left in good time. A worker without any pacing
	// exceeds one in five. That the pace itself is right is proven in simulated time.
	atMostOverBudget = 5
)

// verdict is nil when every promise was kept and enough went wrong.
func (r *Result) verdict() error {
	var errs []error
	for _, broken := range []struct {
		name string
		n    int
	}{
		{"duplicateEffects", r.DuplicateEffects}, {"lostChanges", r.LostChanges}, {"wrongFinalPrices", r.WrongFinalPrices}, {"wrongReports", r.WrongReports},
		{"unconfirmed", r.Unconfirmed}, {"rejected", r.Rejected}, {"sentWhileStopped", r.SentWhileStopped},
		{"violations", r.Violations}, {"missingEvents", r.MissingEvents}, {"duplicateEvents", r.DuplicateEvents},
	} {
		if broken.n != 0 {
			errs = append(errs, fmt.Errorf("%d %s, want none", broken.n, broken.name))
		}
	}
	if !r.LedgerVerified || r.LedgerEvents == 0 {
		errs = append(errs, errors.New("the ledgers were not verified"))
	}
	if r.OverBudget*atMostOverBudget > r.Changes {
		errs = append(errs, fmt.Errorf("%d patches over the budget for %d changes", r.OverBudget, r.Changes))
	}
	if r.Kills < leastKills || r.AmazonCuts < leastCuts || r.AWSFaults < leastAWSFaults || r.Stops == 0 || r.RepeatedMessages == 0 {
		errs = append(errs, fmt.Errorf("%d kills, %d cuts, %d faults of AWS, %d stops, %d messages again: too few to show anything",
			r.Kills, r.AmazonCuts, r.AWSFaults, r.Stops, r.RepeatedMessages))
	}
	if r.Observed*10 < r.Changes*5 {
		errs = append(errs, fmt.Errorf("only %d of %d changes were observed", r.Observed, r.Changes))
	}
	return errors.Join(errs...)
}
