package account_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/account"
	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/ledger"
	"pricemanager/internal/mail"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

const why = "prices of a whole company went to one cent"

// owned makes a company and returns it with its owner.
func (w *world) owned(email string) account.Joined {
	w.Helper()
	w.ok(w.svc.SignUp(w.Context(), text(email), text("Ann"), text("Lantern Trading")))
	_, _, ticket := w.letter()
	j, err := w.svc.CompleteSignUp(w.Context(), ticket, secret.New(phrase))
	w.ok(err)
	return j
}

func TestAnEmergencyIsToldToTheOwnersBeforeAnybodyLooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.owned("ann@example.com")
	other := w.owned("eva@strangers.example")
	v, err := w.svc.EnterInEmergency(t.Context(), ann.Tenant, "olga", why)
	w.ok(err)
	to, body, _ := w.letter()
	if to != "ann@example.com" || !strings.Contains(body, why) || !strings.Contains(body, "olga") || strings.Contains(body, v.Cookie.Reveal()) {
		t.Errorf("%s was told %q", to, body)
	}
	p, _, err := w.svc.Sessions.Resume(t.Context(), v.Cookie)
	if err != nil || p.Role != identity.Operator || p.Tenant != ann.Tenant {
		t.Errorf("%+v, %v", p, err)
	}
	seen, err := w.svc.Grants().List(t.Context(), ann.Tenant)
	if err != nil || len(seen) != 1 || !seen[0].Emergency || seen[0].Entries != 1 || seen[0].Until.Sub(w.clk.Now()) > identity.OperatorLife {
		t.Errorf("the tenant sees %+v, %v", seen, err)
	}
	if log := strings.Join(w.ledgered(ann.Tenant), " "); !strings.Contains(log, string(ledger.SupportGranted)) {
		t.Errorf("the ledger has %s", log)
	}
	w.ok(w.svc.Leave(t.Context(), ann.Tenant, "olga", v.Session.ID))
	if _, _, err := w.svc.Sessions.Resume(t.Context(), v.Cookie); fault.KindOf(err) != fault.Unauthenticated {
		t.Errorf("after leaving: %v", err)
	}
	_, err = w.svc.Enter(t.Context(), other.Tenant, "olga", seen[0].ID)
	w.refused(err, "no-grant")
	_, err = w.svc.EnterInEmergency(t.Context(), "t_nowhere001", "olga", why)
	if fault.KindOf(err) != fault.NotFound {
		t.Errorf("a company that is not: %v", err)
	}
}

// ledgered are the types of the ledger events that the identity table's changes mean.
func (w *world) ledgered(of tenant.ID) (types []string) {
	for _, r := range w.db.Records(store.Identity, "") {
		if r.Tenant != of {
			continue
		}
		for _, e := range identity.Events(r) {
			types = append(types, string(e.Type))
		}
	}
	return types
}

// deaf hands no mail over.
type deaf struct{}

func (deaf) Send(context.Context, mail.Message) error { return errors.New("no mail today") }

func TestNobodyLooksInAnEmergencyThatNobodyCouldBeToldOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.owned("ann@example.com")
	w.svc.Mail = deaf{}
	_, err := w.svc.EnterInEmergency(t.Context(), ann.Tenant, "olga", why)
	w.refused(err, "nobody-told")
	seen, err := w.svc.Grants().List(t.Context(), ann.Tenant)
	if err != nil || len(seen) != 1 || seen[0].Entries != 0 {
		t.Errorf("%+v, %v", seen, err)
	}
	_, err = w.svc.Enter(t.Context(), ann.Tenant, "olga", "")
	w.refused(err, "no-grant")
}

func (w *world) reviews() *account.Reviews {
	peppers := func(context.Context, bool) ([]secret.Value, error) {
		return []secret.Value{secret.New(strings.Repeat("p", 64))}, nil
	}
	return &account.Reviews{Service: w.svc, Keys: identity.NewKeys(w.db, peppers, w.clk, w.svc.Random).Sealing(w.svc.Seal)}
}

func TestAReviewSaysWhoHasAccessAndWhoDoesNotUseIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.owned("ann@example.com")
	w.owned("eva@strangers.example")
	r := w.reviews()
	scopes := []identity.Scope{identity.OffersRead}
	used, text1, err := r.Keys.Make(t.Context(), ann.Tenant, "member:"+ann.Member, identity.NewKey{Name: "till", Scopes: scopes})
	w.ok(err)
	idle, _, err := r.Keys.Make(t.Context(), ann.Tenant, "member:"+ann.Member, identity.NewKey{Name: "old till", Scopes: scopes})
	w.ok(err)
	gone, _, err := r.Keys.Make(t.Context(), ann.Tenant, "member:"+ann.Member, identity.NewKey{Name: "lost till", Scopes: scopes})
	w.ok(err)
	w.ok(r.Keys.Revoke(t.Context(), ann.Tenant, "member:"+ann.Member, gone.ID))

	find := func() (map[string][]account.Finding, account.Review) {
		t.Helper()
		got, err := r.Of(t.Context(), ann.Tenant)
		w.ok(err)
		found := map[string][]account.Finding{}
		for _, m := range got.Members {
			found[m.ID] = m.Findings
		}
		for _, k := range got.Keys {
			found[k.ID] = k.Findings
		}
		if len(found) != 3 {
			t.Errorf("%v have access", found)
		}
		return found, got
	}
	if found, _ := find(); len(found[ann.Member])+len(found[used.ID])+len(found[idle.ID]) != 0 {
		t.Errorf("on the first day: %v", found)
	}
	w.clk.Advance(80 * 24 * time.Hour)
	if found, _ := find(); !slices.Equal(found[ann.Member], []account.Finding{account.NoAuthenticator}) {
		t.Errorf("after weeks: %v", found)
	}
	_, err = r.Keys.Authenticate(t.Context(), text1)
	w.ok(err)
	_, err = w.svc.SignIn(t.Context(), text("ann@example.com"), secret.New(phrase), home)
	w.ok(err)
	w.clk.Advance(20 * 24 * time.Hour)
	found, before := find()
	if !slices.Equal(found[idle.ID], []account.Finding{account.Unused}) || len(found[used.ID]) != 0 || slices.Contains(found[ann.Member], account.Unused) {
		t.Errorf("after a quarter: %v", found)
	}
	// Forty days later the session is gone, and the device still known.
	w.clk.Advance(40 * 24 * time.Hour)
	w.db.Expire()
	if found, _ := find(); slices.Contains(found[ann.Member], account.Unused) {
		t.Errorf("seen 60 days ago, and: %v", found)
	}
	w.ok(r.Keys.Revoke(t.Context(), ann.Tenant, "member:"+ann.Member, idle.ID))
	_, err = r.Confirm(t.Context(), ann.Tenant, "member:"+ann.Member, before.Digest)
	w.refused(err, "access-moved")
}

func TestOwnersAreAskedEachWeekUntilSomebodyConfirmsAndThenAfterAQuarter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.owned("ann@example.com")
	r := w.reviews()
	asked := func(want int) {
		t.Helper()
		before := len(w.mail.Sent())
		n, err := r.Remind(t.Context())
		if got := len(w.mail.Sent()) - before; err != nil || n != want || got != want {
			t.Errorf("%s: asked %d, %d mails, %v; want %d", w.clk.Now(), n, got, err, want)
		}
	}
	asked(0)
	w.clk.Advance(identity.ReviewEvery)
	asked(1)
	asked(0)
	w.clk.Advance(7 * 24 * time.Hour)
	asked(1)
	got, err := r.Of(t.Context(), ann.Tenant)
	w.ok(err)
	if got, err = r.Confirm(t.Context(), ann.Tenant, "member:"+ann.Member, got.Digest); err != nil || got.LastBy != "member:"+ann.Member {
		t.Errorf("%+v, %v", got, err)
	}
	if log := strings.Join(w.ledgered(ann.Tenant), " "); !strings.Contains(log, string(ledger.AccessReviewed)) {
		t.Errorf("the ledger has %s", log)
	}
	w.clk.Advance(7 * 24 * time.Hour)
	asked(0)
	w.clk.Advance(identity.ReviewEvery)
	asked(1)
	// What there is no time for comes next time.
	w.clk.Advance(7 * 24 * time.Hour)
	short, cancel := context.WithDeadline(t.Context(), w.clk.Now().Add(time.Second))
	defer cancel()
	if n, err := r.Remind(short); n != 0 || err != nil {
		t.Errorf("at the end of its time: %d, %v", n, err)
	}
	asked(1)
}

func TestAdviceIsShownUntilSomebodySaysThatItIsFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, other := w.owned("ann@example.com"), w.owned("eva@strangers.example")
	open := func(of tenant.ID) (ids []string) {
		t.Helper()
		all, err := w.svc.Advice(t.Context(), of)
		w.ok(err)
		for _, a := range all {
			if a.Done.IsZero() {
				ids = append(ids, a.ID)
			}
		}
		return ids
	}
	before := open(ann.Tenant)
	if !slices.Contains(before, "amazon-password") || !slices.Contains(before, "amazon-two-steps") {
		t.Errorf("%v", before)
	}
	for range 2 {
		w.ok(w.svc.TakeAdvice(t.Context(), ann.Tenant, "member:"+ann.Member, "amazon-two-steps"))
		w.clk.Advance(time.Hour)
	}
	if now := open(ann.Tenant); len(now) != len(before)-1 || slices.Contains(now, "amazon-two-steps") {
		t.Errorf("%v", now)
	}
	if now := open(other.Tenant); len(now) != len(before) {
		t.Errorf("another company: %v", now)
	}
	if n := strings.Count(strings.Join(w.ledgered(ann.Tenant), " "), string(ledger.AdviceTaken)); n != 1 {
		t.Errorf("%d events", n)
	}
	if err := w.svc.TakeAdvice(t.Context(), ann.Tenant, "member:"+ann.Member, "eat-well"); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
}
