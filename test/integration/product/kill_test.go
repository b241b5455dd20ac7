package product_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"pricemanager/infra/local/localaws"
	"pricemanager/internal/ledger"
	"pricemanager/test/fakeamazon"
)

// killedWorker brings three lanes to the three points at which a worker's death
// could do harm, kills every price-sync process of the stack there, and lets the
// sweep find the lanes again when their leases have run out.
func killedWorker(t *testing.T, r *rig, p *proxy) {
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		t.Skipf("SKIPPED: no worker was killed: they are found through /proc, which this system does not have: %v", err)
	}
	const to = "20.60"
	before, after, effect := r.seller(t, "killbefore", 10), r.seller(t, "killafter", 10), r.seller(t, "killeffect", 10)
	held := effect.skus[4]

	first := p.hold(false, announces(before))
	second := p.hold(true, announces(after))
	fault, release := r.amazon.fault(t, fakeamazon.Fault{
		Kind: fakeamazon.HoldAfter, Op: "patchListingsItem", Seller: effect.account, SKU: held, Times: 1,
	})
	batches := map[*seller]string{}
	for _, s := range []*seller{before, after, effect} {
		batches[s] = s.change(t, to)
	}
	eventually(t, 30*time.Second, "all three lanes are held", func() bool {
		return is(first.caught) && is(second.caught) && r.amazon.holds(t, fault) == 1
	})
	killAll(t, r.Function("price-sync"), p.URL)
	eventually(t, 10*time.Second, "the held requests have no client", func() bool { return is(first.gone) && is(second.gone) })
	release()
	eventually(t, 2*time.Minute, "the sweep has found the lanes and their batches are done", func() bool {
		r.sweep(t)
		return before.batch(t, batches[before]).State == "done" && after.batch(t, batches[after]).State == "done" &&
			effect.batch(t, batches[effect]).State == "done"
	})

	// What the three share: each price is there, was set once, and is recorded once.
	happened := func(t *testing.T, s *seller) history {
		s.isObserved(t, batches[s], to)
		if effects := r.amazon.effects(t, s.account); len(effects) != len(s.skus) {
			t.Errorf("Amazon changed %d offers, want %d", len(effects), len(s.skus))
		} else {
			once(t, effects)
		}
		h := s.history(t, batches[s])
		h.isOnce(t)
		return h
	}
	n := len(before.skus)
	t.Run("BeforeTheIntent", func(t *testing.T) {
		h := happened(t, before)
		// Nothing had been announced, so nothing is in doubt.
		if sent, unknown := h.count(ledger.ChangeSent), h.count(ledger.ChangeUnknown); sent != n || unknown != 0 {
			t.Errorf("%d sends announced and %d prices in doubt, want %d and none", sent, unknown, n)
		}
	})
	t.Run("AfterTheIntentAndBeforeTheSend", func(t *testing.T) {
		h := happened(t, after)
		// Everything announced is in doubt, is read back, and then sent once more.
		if sent, unknown := h.count(ledger.ChangeSent), h.count(ledger.ChangeUnknown); sent != 2*n || unknown != n {
			t.Errorf("%d sends announced and %d prices in doubt, want %d and %d", sent, unknown, 2*n, n)
		}
	})
	t.Run("AfterTheEffectAtAmazon", func(t *testing.T) {
		h := happened(t, effect)
		// The answer never came. Reading back is what finds the effect.
		if got := h[held]; len(got[ledger.ChangeSent]) != 1 || len(got[ledger.ChangeUnknown]) != 1 || len(got[ledger.ChangeAccepted]) != 0 {
			t.Errorf("the ledger says %v of %s, want it sent once, in doubt, and never accepted", got, held)
		}
	})
}

// announces matches the write that puts the first intents of a seller's lane into
// its journal.
func announces(s *seller) func(*http.Request, []byte) bool {
	return func(r *http.Request, body []byte) bool {
		if r.Header.Get("X-Amz-Target") != "DynamoDB_20120810.UpdateItem" {
			return false
		}
		var in struct {
			Key                       map[string]struct{ S string }
			ExpressionAttributeValues map[string]struct{ B []byte }
		}
		if json.Unmarshal(body, &in) != nil || !strings.HasPrefix(in.Key["sk"].S, "work#") ||
			in.Key["pk"].S != string(s.tenant)+"#lane#"+string(s.conn) {
			return false
		}
		for _, v := range in.ExpressionAttributeValues {
			if bytes.Contains(v.B, []byte(`"intents":[{`)) {
				return true
			}
		}
		return false
	}
}

// sweep does at once what the schedule does every minute.
func (r *rig) sweep(t *testing.T) {
	t.Helper()
	if failed := r.invoke(t, "scheduler", `{"job":"sweep"}`); failed != "" {
		t.Fatalf("the sweep failed: %s", failed)
	}
}

// killAll ends the processes of a function with SIGKILL. They are known by their
// environment: the function's name, and the endpoint that only this test's
// functions have.
func killAll(t *testing.T, function, endpoint string) {
	t.Helper()
	killed, err := localaws.Workers(function, endpoint)
	if err != nil {
		t.Fatal(err)
	}
	if len(killed) == 0 {
		t.Fatalf("%s has no process to kill", function)
	}
	for _, p := range killed {
		if err := p.Kill(); err != nil {
			t.Errorf("kill process %d: %v", p.Pid, err)
		}
	}
	t.Logf("killed %d processes of %s", len(killed), function)
}
