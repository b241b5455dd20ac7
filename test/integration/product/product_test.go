// Package product_test holds the whole product to its promises: every function
// as a process of its own on the local AWS, deployed from template.yaml, with
// the fake Amazon beside it, used through the public API as a seller would.
//
// Two stacks run side by side. On the first, every call of a function is checked
// against the role that the template gives it, and nobody interferes: what
// happens there happens by the product alone. On the second, a proxy between the
// functions and AWS holds requests, workers are killed, and functions are broken.
// At the end both are closed, and what they left on disk and answered is searched
// for secrets and personal data that were planted (package canary).
//
// The tests wait for real processes by asking again until a limit; none sleeps
// for a fixed time.
package product_test

import (
	"testing"

	"pricemanager/infra/local/stack"
	"pricemanager/test/fakeamazon"
)

func TestProduct(t *testing.T) {
	top := t
	var quiet, rough *rig
	t.Run("promises", func(t *testing.T) {
		t.Run("with every role enforced", func(t *testing.T) {
			t.Parallel()
			quiet = start(t, top, stack.Options{
				EnforceIAM: true, SeedFile: demoFile(t, "fakeamazon-seed.json"),
				// A price that does not show is given up soon.
				Parameters: map[string]string{"ConfirmWithin": "6s", "LimitAllow": "127.0.0.1"},
			})
			undisturbed(t, quiet)
		})
		t.Run("under kills and failures", func(t *testing.T) {
			t.Parallel()
			proxy := newProxy(t)
			rough = start(t, top, stack.Options{
				EndpointForFunctions: proxy.URL,
				// Short, and still longer than an intent lives and a price takes to show.
				Parameters: map[string]string{"UnknownFor": "2s", "ConfirmWithin": "60s", "LimitAllow": "127.0.0.1"},
			})
			proxy.open(rough.Config())
			disturbed(t, rough, proxy)
		})
	})
	t.Run("NoSecretIsInClearOutsideItsPlace", func(t *testing.T) {
		for _, r := range []*rig{quiet, rough} {
			if r != nil { // it was asked for and came up
				canariesStayInTheirPlace(t, r)
			}
		}
	})
}

// undisturbed are the promises that the product keeps by itself.
func undisturbed(t *testing.T, r *rig) {
	r.plant(t)
	// First: the schedule takes its minute while the others run.
	lost := r.loseDoorbell(t)
	fed := r.feed(t)
	short := r.endsSoon(t)
	t.Run("TheMainJobEndsWithBooksThatBalance", func(t *testing.T) { mainJob(t, r) })
	t.Run("APriceThatAmazonDropsFailsTheDemoAndIsNamed", func(t *testing.T) { droppedPrice(t, r) })
	t.Run("AFileOfBadRowsChangesNothingAtAmazon", func(t *testing.T) { badRows(t, r) })
	t.Run("AnUploadedFileIsPlannedInSeveralRunsAndSent", func(t *testing.T) { uploadedFile(t, r) })
	t.Run("ACorrectionTakesThePlaceOfAPriceUnderWay", func(t *testing.T) { correctedPrice(t, r) })
	t.Run("ASaleInAnUploadIsJudgedByThePastPrices", func(t *testing.T) { uploadedSale(t, r) })
	t.Run("AFileIsFetchedOnItsScheduleAndItsPlanWaits", func(t *testing.T) { fed.isFetched(t) })
	t.Run("TablesAreTakenAwayAndChangeNothingWhenTheyComeBack", func(t *testing.T) { takenAway(t, r) })
	t.Run("ABatchEndsByItselfAtItsTime", func(t *testing.T) { short.isTakenBack(t) })
	t.Run("TheHundredAndFirstRequestOfAMinuteWaitsAndTheKillSwitchDoesNot", func(t *testing.T) { limited(t, r) })
	t.Run("TheScheduleFindsWorkWhoseDoorbellWasLost", func(t *testing.T) { lost.isFound(t) })
	t.Run("ItemsAreComparedWithTheLedger", func(t *testing.T) {
		if failed := r.invoke(t, "scheduler", `{"job":"reconcile"}`); failed != "" {
			t.Error(failed)
		}
	})
	r.amazon.isPleased(t)
}

// disturbed are the promises that hold when processes die and functions fail.
func disturbed(t *testing.T, r *rig, p *proxy) {
	r.plant(t)
	t.Run("AKilledWorkerLosesNothingAndSendsNothingTwice", func(t *testing.T) { killedWorker(t, r, p) })
	t.Run("AFailingFunctionRaisesItsAlarm", func(t *testing.T) { alarm(t, r) })
	t.Run("WithOneFunctionFailingTheOthersGoOn", func(t *testing.T) { oneFunctionFailing(t, r) })
	r.amazon.isPleased(t)
}

// isPleased fails the test for everything that a correct client never does.
//
// A few patches may be over the budget: at most one in five, which only a worker
// without any pacing exceeds. At twenty times Amazon's pace a token is there every
// 10 ms, so that a busy machine which stalls for 50 ms makes requests arrive
// together that left in good time. That the pace itself is right, without a single
// refusal, is proven with simulated time in internal/lane and test/bench/lane.
func (a amazon) isPleased(t *testing.T) {
	t.Helper()
	over, patches := 0, len(a.patches(t, ""))
	for _, v := range fetch[[]fakeamazon.Violation](t, a, "violations") {
		if v.Kind == "over-budget" {
			over++
			t.Logf("over the budget: %+v", v)
			continue
		}
		t.Errorf("Amazon saw a violation: %+v", v)
	}
	if over > patches/5 {
		t.Errorf("%d of %d patches were over Amazon's budget", over, patches)
	}
}
