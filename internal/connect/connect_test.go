package connect_test

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/connect"
	"pricemanager/internal/fault"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
	"pricemanager/test/fakeamazon"
)

func TestAConsentMakesAConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, address := w.start(alpha)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if q.Get("application_id") != "amzn1.sp.solution.x" || q.Get("redirect_uri") != redirect || q.Get("version") != "beta" || len(q.Get("state")) < 43 {
		t.Errorf("address %s", address)
	}
	c, err := w.service.Callback(t.Context(), w.consent(address, seller1))
	if err != nil {
		t.Fatal(err)
	}
	if c.ID != id || c.State != connect.Active || c.Seller != seller1 || c.Grant != 1 || !c.AuthorisedAt.Equal(w.clock.Now()) ||
		!slices.Contains(c.Marketplaces, germany) || len(c.Marketplaces) != 2 || c.Import.State != connect.ImportRunning {
		t.Errorf("connection %+v", c)
	}
	if !slices.Equal(w.rung, []price.ConnectionID{id}) {
		t.Errorf("rung %v", w.rung)
	}
	if names := w.vault.Names(); !slices.Equal(names, []string{prefix + "t_alpha1/" + string(id) + "/1"}) {
		t.Errorf("vault holds %v", names)
	}
	w.works(alpha, c)
	for _, v := range w.fake.Violations() {
		t.Errorf("violation: %+v", v)
	}
}

// The database holds neither a state nor a token in a form that could be used.
func TestNoSecretRestsInTheDatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, pending := w.start(alpha)
	w.connect(alpha, seller1)
	u, _ := url.Parse(pending)
	dump := fmt.Sprintf("%v", w.everything())
	for _, hidden := range []string{u.Query().Get("state"), "Atzr|", "Atza|"} {
		if strings.Contains(dump, hidden) {
			t.Errorf("%s is in the database", hidden)
		}
	}
}

func TestAStateWorksOnceInTimeAndForWhoeverBeganIt(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*world, *connect.Return){
		"replayed": func(w *world, r *connect.Return) {
			if _, err := w.service.Callback(w.t.Context(), *r); err != nil {
				w.t.Fatal(err)
			}
			_, address := w.start(alpha) // a second, honest code with the used state
			r.Code = w.consent(address, seller1).Code
		},
		"expired":           func(w *world, _ *connect.Return) { w.clock.Advance(connect.StateLife) },
		"unknown":           func(_ *world, r *connect.Return) { r.State = secret.New("made-up") },
		"missing":           func(_ *world, r *connect.Return) { r.State = secret.Value{} },
		"no code":           func(_ *world, r *connect.Return) { r.Code = secret.Value{} },
		"no seller":         func(_ *world, r *connect.Return) { r.Seller = "" },
		"odd seller":        func(_ *world, r *connect.Return) { r.Seller = "A1/../A2" },
		"another tenant's":  func(_ *world, r *connect.Return) { r.Caller = &connect.Caller{Tenant: beta, Actor: "key:tester"} },
		"another member's":  func(_ *world, r *connect.Return) { r.Caller = &connect.Caller{Tenant: alpha, Actor: "key:other"} },
		"connection erased": func(w *world, _ *connect.Return) { w.erase() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			id, address := w.start(alpha)
			r := w.consent(address, seller1)
			spoil(w, &r)
			before := w.vault.Names()
			_, err := w.service.Callback(t.Context(), r)
			refused(t, err, fault.Invalid, "consent")
			var f *fault.Fault
			if errors.As(err, &f) && f.Public != "This consent cannot be completed: it was used already, took longer than ten minutes, or was not begun here. Start the connection again." {
				t.Errorf("the answer tells which: %s", f.Public)
			}
			if after := w.vault.Names(); !slices.Equal(before, after) {
				t.Errorf("vault went from %v to %v", before, after)
			}
			if name != "replayed" && name != "connection erased" {
				if c := w.get(alpha, id); c.State != connect.Pending {
					t.Errorf("connection is %s", c.State)
				}
			}
		})
	}
}

func (w *world) erase() {
	w.db.Each(func(t tenant.ID, table store.Table, it store.Item) bool {
		if t == alpha {
			if err := w.db.Delete(w.t.Context(), t, table, it.Key); err != nil {
				w.t.Error(err)
			}
			return false
		}
		return true
	})
}

func TestOfManyWithTheSameStateOneFinishes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, address := w.start(alpha)
	r := w.consent(address, seller1)
	var wg sync.WaitGroup
	errs := make(chan error, 8)
	for range cap(errs) {
		wg.Go(func() { _, err := w.service.Callback(t.Context(), r); errs <- err })
	}
	wg.Wait()
	close(errs)
	won := 0
	for err := range errs {
		if err == nil {
			won++
			continue
		}
		refused(t, err, fault.Invalid, "consent")
	}
	if won != 1 {
		t.Errorf("%d finished", won)
	}
}

// The seller id is a query value of the browser: pairing one's own code with a
// victim's seller id must not connect the victim.
func TestASellerIDIsWorthNothingWithoutItsToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, address := w.start(alpha)
	r := w.consent(address, seller1)
	r.Seller = seller2
	_, err := w.service.Callback(t.Context(), r)
	refused(t, err, fault.Forbidden, "seller")
	if c := w.get(alpha, id); c.State != connect.Pending || c.Seller != "" {
		t.Errorf("connection %+v", c)
	}
	if names := w.vault.Names(); len(names) != 0 {
		t.Errorf("vault holds %v", names)
	}
	w.connect(beta, seller2) // the victim is still free
}

func TestAStaleCodeIsExplained(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, address := w.start(alpha)
	r := w.consent(address, seller1)
	w.clock.Advance(6 * time.Minute) // codes live five, states ten
	_, err := w.service.Callback(t.Context(), r)
	refused(t, err, fault.Invalid, "code")
}

func TestASellerBelongsToOneTenantAndWhoseIsNotTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.connect(alpha, seller1)
	id, address := w.start(beta)
	_, err := w.service.Callback(t.Context(), w.consent(address, seller1))
	refused(t, err, fault.Conflict, "seller-taken")
	var f *fault.Fault
	if errors.As(err, &f); strings.Contains(f.Public, string(alpha)) || strings.Contains(f.Public, string(first.ID)) {
		t.Errorf("told: %s", f.Public)
	}
	if c := w.get(beta, id); c.State != connect.Pending {
		t.Errorf("connection is %s", c.State)
	}
	if names := w.vault.Names(); len(names) != 1 {
		t.Errorf("vault holds %v", names)
	}
	w.works(alpha, w.get(alpha, first.ID))
}

func TestASellerIsConnectedOncePerTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.connect(alpha, seller1)
	_, address := w.start(alpha)
	_, err := w.service.Callback(t.Context(), w.consent(address, seller1))
	refused(t, err, fault.Conflict, "seller-connected")
	var f *fault.Fault
	if errors.As(err, &f); !strings.Contains(f.Public, string(first.ID)) {
		t.Errorf("does not name the connection: %s", f.Public)
	}
}

func TestAuthorisingAgainReplacesTheAuthorisation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(alpha, seller1)
	old := c.Account(alpha)
	w.fake.Revoke(price.EU, seller1)
	if err := w.service.MarkReauthorise(t.Context(), old, "invalid_grant"); err != nil {
		t.Fatal(err)
	}
	if c = w.get(alpha, c.ID); c.State != connect.Reauthorise || c.Reason != "invalid_grant" {
		t.Fatalf("connection %+v", c)
	}
	_, address, err := w.service.StartAgain(t.Context(), "key:tester", alpha, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	c, err = w.service.Callback(t.Context(), w.consent(address, seller1))
	if err != nil || c.State != connect.Active || c.Grant != 2 || c.Reason != "" {
		t.Fatalf("%+v, %v", c, err)
	}
	w.works(alpha, c)
	if names := w.vault.Names(); !slices.Equal(names, []string{prefix + "t_alpha1/" + string(c.ID) + "/2"}) {
		t.Errorf("vault holds %v", names)
	}
	// News of the old authorisation comes late and changes nothing.
	if err := w.service.MarkReauthorise(t.Context(), old, "late"); err != nil {
		t.Fatal(err)
	}
	if c = w.get(alpha, c.ID); c.State != connect.Active {
		t.Errorf("connection is %s", c.State)
	}
}

func TestTheWrongAccountNeverReplacesAWorkingAuthorisation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(alpha, seller1)
	_, address, err := w.service.StartAgain(t.Context(), "key:tester", alpha, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.service.Callback(t.Context(), w.consent(address, seller2))
	refused(t, err, fault.Conflict, "other-seller")
	c.Consents = 2 // the consent took a number, and that is all
	if now := w.get(alpha, c.ID); !cmp.Equal(c, now) {
		t.Error(cmp.Diff(c, now))
	}
	w.works(alpha, c)
}

func TestWithoutTheSellersRoleTheWholeRegionIsTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.fake.AddFault(fakeamazon.Fault{Kind: fakeamazon.Answer, Op: "getMarketplaceParticipations", Status: 403}); err != nil {
		t.Fatal(err)
	}
	c := w.connect(alpha, seller1)
	if len(c.Marketplaces) != 16 || c.Marketplaces[0] != germany {
		t.Errorf("marketplaces %v", c.Marketplaces)
	}
}

func TestWhenAmazonIsDownNothingChangesAndTheSellerTriesAgain(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"token", "getMarketplaceParticipations", "searchListingsItems"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if _, err := w.fake.AddFault(fakeamazon.Fault{Kind: fakeamazon.Answer, Op: op, Status: 500, Times: 1}); err != nil {
				t.Fatal(err)
			}
			id, address := w.start(alpha)
			_, err := w.service.Callback(t.Context(), w.consent(address, seller1))
			refused(t, err, fault.Unavailable, "consent-unfinished")
			if c := w.get(alpha, id); c.State != connect.Pending || len(w.vault.Names()) != 0 {
				t.Errorf("connection %s, vault %v", c.State, w.vault.Names())
			}
			_, address, err = w.service.StartAgain(t.Context(), "key:tester", alpha, id)
			if err != nil {
				t.Fatal(err)
			}
			c, err := w.service.Callback(t.Context(), w.consent(address, seller1))
			if err != nil || c.State != connect.Active {
				t.Errorf("%+v, %v", c, err)
			}
		})
	}
}

// A callback is cut off at each of its writes, before and after the write took
// effect. Whatever is left, one more consent makes the connection work, and no
// refresh token but its own remains.
func TestEveryCrashPointIsRepairedByOneMoreConsent(t *testing.T) {
	t.Parallel()
	crash := errors.New("crash")
	for step := 1; ; step++ {
		reached := false
		for _, applied := range []bool{false, true} {
			w := newWorld(t)
			id, address := w.start(alpha)
			r := w.consent(address, seller1)
			n, armed := 0, true
			die := func() (bool, error) {
				if !armed {
					return true, nil
				}
				if n++; n < step {
					return true, nil
				}
				if n == step {
					reached = true
					return applied, crash
				}
				return false, crash // dead from here on
			}
			w.db.Hook = func(memory.Op) (bool, error) { return die() }
			w.vault.Hook = func(op, _ string) (bool, error) {
				if op == "get" {
					return true, nil
				}
				return die()
			}
			_, err := w.service.Callback(t.Context(), r)
			armed = false
			c := w.get(alpha, id)
			if err == nil && c.State != connect.Active {
				t.Errorf("step %d: success without a connection", step)
			}
			if c.State == connect.Active {
				w.works(alpha, c) // never active without a token
			}
			_, address, err = w.service.StartAgain(t.Context(), "key:tester", alpha, id)
			if err != nil {
				t.Fatal(err)
			}
			c, err = w.service.Callback(t.Context(), w.consent(address, seller1))
			if err != nil || c.State != connect.Active {
				t.Fatalf("step %d, applied %v: %+v, %v", step, applied, c, err)
			}
			w.works(alpha, c)
			want := []string{fmt.Sprintf("%st_alpha1/%s/%d", prefix, id, c.Grant)}
			if names := w.vault.Names(); !slices.Equal(names, want) {
				t.Errorf("step %d, applied %v: vault holds %v, want %v", step, applied, names, want)
			}
		}
		if !reached {
			if step < 6 {
				t.Errorf("only %d steps were tried", step-1)
			}
			return
		}
	}
}
