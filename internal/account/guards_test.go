package account_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pricemanager/internal/account"
	"pricemanager/internal/clock"
	"pricemanager/internal/fx"
	"pricemanager/internal/guard"
	"pricemanager/internal/identity"
	"pricemanager/internal/mail"
	"pricemanager/internal/privacy"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

// firm is a company with two owners, ann and ben, an approver and an owner who left,
// beside a company of strangers, and what writes to its owners.
type firm struct {
	*world
	t     tenant.ID
	ann   string
	mails *account.GuardMails
	queue *memory.Queue
}

func newFirm(t *testing.T) *firm {
	t.Helper()
	w := newWorld(t)
	ann := w.owned("ann@example.com")
	w.owned("eva@strangers.example")
	for email, role := range map[string]identity.Role{"ben@example.com": identity.Owner, "vic@example.com": identity.Approver, "cid@example.com": identity.Owner} {
		_, err := w.svc.Invite(t.Context(), ann.Tenant, "member:"+ann.Member, text(email), text("Member"), role)
		w.ok(err)
		_, _, ticket := w.letter()
		j, err := w.svc.Accept(t.Context(), ticket, secret.New(phrase), text(""))
		w.ok(err)
		if email == "cid@example.com" {
			w.ok(w.svc.RemoveMember(t.Context(), ann.Tenant, "member:"+ann.Member, j.Member, 1))
		}
	}
	f := &firm{world: w, t: ann.Tenant, ann: ann.Member, queue: memory.NewQueue(w.clk)}
	peppers := func(context.Context, bool) ([]secret.Value, error) {
		return []secret.Value{secret.New(strings.Repeat("p", 64))}, nil
	}
	f.mails = &account.GuardMails{Service: w.svc, Notices: &guard.Store{DB: w.svc.DB, Clock: w.clk}, Doors: privacy.Doors{DB: w.db},
		Keys: identity.NewKeys(w.db, peppers, w.clk, rand.Reader).Sealing(w.svc.Seal)}
	w.clk.Advance(time.Hour)
	w.read = len(w.mail.Sent())
	return f
}

func (f *firm) key(name string) string {
	f.Helper()
	k, _, err := f.mails.Keys.Create(f.Context(), f.t, "member:"+f.ann, name, []identity.Scope{identity.GuardsWrite})
	f.ok(err)
	return "key:" + k.ID
}

// announce is what the API does before a change.
func (f *firm) announce() {
	f.Helper()
	f.ok(guard.Bell{Queue: f.queue}.Ring(f.Context(), guard.News{Tenant: f.t, Since: f.clk.Now().UnixMilli()}, guard.NewsAfter))
}

// guards changes them, at a time of its own if given.
func (f *firm) guards(actor string, percent int64, at ...time.Time) {
	f.Helper()
	s := &guard.Store{DB: f.db, Clock: f.clk}
	if len(at) > 0 {
		s.Clock = clock.NewManual(at[0])
	}
	old, err := s.Get(f.Context(), f.t)
	f.ok(err)
	next := guard.Default()
	next.Rules = []guard.Rule{{Limits: guard.Limits{HoldDropPercent: &percent}}}
	_, err = s.Put(f.Context(), f.t, actor, next, old.Hash())
	f.ok(err)
}

// work delivers what is in the queue until nothing is.
func (f *firm) work() {
	f.Helper()
	for next, some := f.queue.Next(); some; next, some = f.queue.Next() {
		f.clk.Advance(max(next.Sub(f.clk.Now()), 0))
		f.deliver()
	}
}

// deliver delivers what is due, like SQS, which gives a message up after five times.
func (f *firm) deliver() {
	f.Helper()
	for next, some := f.queue.Next(); some && !next.After(f.clk.Now()); next, some = f.queue.Next() {
		for _, m := range f.queue.Receive(10, 3*time.Minute) {
			news, err := guard.ParseNews(m.Body)
			f.ok(err)
			again, err := f.mails.Tell(f.Context(), news.Tenant, news.At())
			if err == nil && again > 0 {
				err = guard.Bell{Queue: f.queue}.Ring(f.Context(), news, again)
			}
			if err == nil {
				f.queue.Delete(m.ID)
			} else if m.Deliveries == 5 {
				f.Fatalf("given up: %v", err)
			}
		}
	}
}

// told lists what came since, each as its address and how many changes it tells.
func (f *firm) told() (to []string) {
	sent := f.mail.Sent()
	for _, m := range sent[f.read:] {
		to = append(to, fmt.Sprintf("%s %d", m.To.Reveal(), strings.Count(m.Body.Reveal(), " UTC: ")))
	}
	f.read = len(sent)
	slices.Sort(to)
	return to
}

func (f *firm) want(want ...string) {
	f.Helper()
	if got := f.told(); !slices.Equal(got, want) {
		f.Errorf("mailed %q, want %q", got, want)
	}
}

func TestOwnersAreMailedOnceWhoChangedTheGuardsHoweverOftenTheMessageComes(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	since := f.clk.Now()
	f.guards("member:"+f.ann, 77)
	till := f.key("till")
	_, err := f.mails.Notices.PutCosts(t.Context(), f.t, till, []byte("sku,cost,currency\nSKU-1,77.31,EUR\n"), "")
	f.ok(err)
	trap := f.key("Call us:\nhttps://evil.example")
	_, err = (&fx.Store{DB: f.db, Clock: f.clk}).PutRates(t.Context(), f.t, trap, fx.Upload{Body: []byte("currency,rate\nSEK,77.31\n"), Base: "EUR", On: "2026-11-20", Name: "bank"}, "")
	f.ok(err)
	f.clk.Advance(guard.NewsAfter)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := f.mails.Tell(t.Context(), f.t, since); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for range 3 {
		f.clk.Advance(time.Hour)
		again, err := f.mails.Tell(t.Context(), f.t, since)
		if err != nil || again != 0 {
			t.Errorf("again after %s, %v", again, err)
		}
	}
	m, at := f.mail.Sent()[f.read], "\n- "+since.Format(time.DateTime)+" UTC: "
	// Those of one moment are in the order of what they are about.
	want := at + `the costs, by the API key "till" (` + till[4:] + ")" + at + "the exchange rates, by the API key " + trap[4:] + at + "the guards, by Ann\n"
	if body := m.Body.Reveal(); !strings.Contains(body, want) || !strings.Contains(body, "https://pm.example/stops ") || strings.Contains(body, "77.31") {
		t.Errorf("want %s in %s", want, body)
	}
	if strings.Contains(m.Subject+m.Once, "example.com") {
		t.Errorf("an address is in %q, %q", m.Subject, m.Once)
	}
	f.want("ann@example.com 3", "ben@example.com 3")
}

// A death at any write or mail, before it took place or after, loses no change to any
// owner, and doubles a mail at most.
func TestWhateverIsCutOffOwnersAreToldOfEachChange(t *testing.T) {
	t.Parallel()
	for nth, more := 1, true; more; nth++ {
		for _, applied := range []bool{false, true} {
			f := newFirm(t)
			for i := range int64(2) {
				f.announce()
				f.guards("member:"+f.ann, 20+i)
				f.clk.Advance(time.Minute)
			}
			count := f.cut(nth, applied)
			f.work()
			if count() < nth {
				more = false
			}
			got := map[string]int{}
			for _, to := range f.told() {
				got[to]++
			}
			ann, ben := got["ann@example.com 2"], got["ben@example.com 2"]
			if lost := ann < 1 || ben < 1; lost || len(got) != 2 || ann+ben > 3 || (!more && ann+ben != 2) {
				t.Fatalf("cut off at effect %d, which took place: %t: %v", nth, applied, got)
			}
		}
	}
}

func TestChangesSoonAfterAMailComeTogetherInTheNext(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	var at []time.Time
	for i := range int64(30) {
		f.announce()
		f.guards("member:"+f.ann, 30+i)
		f.clk.Advance(10 * time.Second)
		before := len(f.mail.Sent())
		if f.deliver(); len(f.mail.Sent()) > before {
			at = append(at, f.clk.Now())
		}
	}
	f.work()
	// The first after a minute, with what was there half a minute before; the others
	// after five more.
	f.want("ann@example.com 20", "ann@example.com 3", "ben@example.com 20", "ben@example.com 3")
	if last := f.mail.Sent()[f.read-1].Body.Reveal(); len(at) != 1 || f.clk.Now().Sub(at[0]) > 7*time.Minute || !strings.Contains(last, "- and 7 more after that\n") {
		t.Errorf("the first at %s, all at %s: %s", at, f.clk.Now(), last)
	}
}

// While one delivery writes to the owners another does not; and one that was so slow that
// another took its place takes back nothing of what that one noted.
func TestTwoDeliveriesAtOnceAreNoTwoMails(t *testing.T) {
	t.Parallel()
	for name, stage := range map[string]func(f *firm, meanwhile func()){
		"before the claim": func(f *firm, meanwhile func()) {
			f.db.Hook = func(memory.Op) (bool, error) { f.db.Hook = nil; meanwhile(); return true, nil }
		},
		"before the mail": func(f *firm, meanwhile func()) {
			f.mail.Hook = func(mail.Message) (bool, error) { f.mail.Hook = nil; meanwhile(); return true, nil }
		},
		"before the mail, for long": func(f *firm, meanwhile func()) {
			f.mail.Hook = func(mail.Message) (bool, error) {
				f.mail.Hook = nil
				f.announce()
				f.guards("member:"+f.ann, 71)
				f.clk.Advance(guard.NewsAfter)
				meanwhile()
				return true, nil
			}
		},
	} {
		f := newFirm(t)
		f.announce()
		since := f.clk.Now()
		f.guards("member:"+f.ann, 70)
		f.clk.Advance(guard.NewsAfter)
		stage(f, func() {
			_, err := f.mails.Tell(t.Context(), f.t, since)
			f.ok(err)
		})
		_, err := f.mails.Tell(t.Context(), f.t, since)
		f.ok(err)
		f.clk.Advance(time.Hour)
		f.work()
		want := [][]string{{"ann@example.com 1", "ben@example.com 1"}}
		if name == "before the mail, for long" { // the slow one's mail goes out all the same
			want = [][]string{{"ann@example.com 1", "ann@example.com 2", "ben@example.com 2"}, {"ann@example.com 2", "ben@example.com 1", "ben@example.com 2"}}
		}
		if got := f.told(); !slices.ContainsFunc(want, func(w []string) bool { return slices.Equal(got, w) }) {
			t.Errorf("%s: mailed %q, want %q", name, got, want)
		}
	}
}

// A slow call's notice may be older than one that is there already.
func TestAChangeThatIsWrittenLateIsToldToo(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	began := f.clk.Now()
	tell := func(since time.Time, wait bool) {
		t.Helper()
		if again, err := f.mails.Tell(t.Context(), f.t, since); err != nil || (again > 0) != wait {
			t.Errorf("again after %s, %v", again, err)
		}
	}
	f.clk.Advance(5 * time.Second)
	f.guards("member:"+f.ann, 40)
	f.clk.Advance(5 * time.Second)
	tell(began.Add(-50*time.Second), false) // of another call
	tell(began, true)                       // before its time
	f.want()
	f.guards("member:"+f.ann, 41, began.Add(time.Second))
	f.clk.Advance(guard.NewsAfter)
	tell(began, false)
	f.want("ann@example.com 2", "ben@example.com 2")
}

func TestNobodyIsMailedWhatIsNobodysToKnow(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	empty := tenant.ID("t_machine00001")
	f.ok(f.svc.Tenants.Create(t.Context(), empty, "operator", "Machines Ltd"))
	f.guards("pull:pull_aaaa", 50) // a source's doing
	f.announce()
	if _, err := f.mails.Notices.Put(t.Context(), f.t, "member:"+f.ann, guard.Default(), "another"); err == nil {
		t.Error("guards that nobody saw were changed")
	}
	f.work()
	for _, of := range []tenant.ID{f.t, empty, "t_nobody000001"} {
		if again, err := f.mails.Tell(t.Context(), of, f.clk.Now().Add(-guard.NewsAfter)); err != nil || again != 0 {
			t.Errorf("%s: again after %s, %v", of, again, err)
		}
	}
	f.want()
	since := f.clk.Now()
	f.guards("member:"+f.ann, 51)
	f.clk.Advance(guard.NewsAfter)
	begin := func() {
		f.ok(f.db.Put(t.Context(), f.t, store.Privacy, store.Item{Key: store.Key{PK: "erasing", SK: "begun"}}))
	}
	f.mail.Hook = func(mail.Message) (bool, error) { begin(); return true, nil }
	if again, err := f.mails.Tell(t.Context(), f.t, since); err != nil || again == 0 || len(f.told()) != 1 {
		t.Errorf("an erasure began: again after %s, %v", again, err)
	}
	noted := false
	f.db.Each(func(_ tenant.ID, _ store.Table, it store.Item) bool {
		noted = noted || (it.PK == "guard-mails" && it.Int("through") != 0)
		return true
	})
	f.clk.Advance(time.Hour)
	if again, err := f.mails.Tell(t.Context(), f.t, since); err != nil || again != 0 || noted {
		t.Errorf("while it is erased: again after %s, %v, written: %t", again, err, noted)
	}
	f.want()
}

// One address that no mail can be sent to keeps no other owner from being told, and is
// not forgotten; the company's contact for security is told like an owner.
func TestAnOwnerWhoCannotBeToldIsAnErrorAndTheOthersAreTold(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	settings, err := f.svc.Tenants.Settings(t.Context(), f.t)
	f.ok(err)
	settings.Security = text("desk@example.com")
	_, err = f.svc.Tenants.Change(t.Context(), f.t, "member:"+f.ann, settings)
	f.ok(err)
	since := f.clk.Now()
	f.guards("member:"+f.ann, 60)
	f.clk.Advance(guard.NewsAfter)
	f.mail.Hook = func(m mail.Message) (bool, error) {
		if m.To.Reveal() == "ann@example.com" {
			return false, errors.New("mail: ses: MessageRejected")
		}
		return true, nil
	}
	for range 3 {
		if _, err := f.mails.Tell(t.Context(), f.t, since); err == nil || strings.Contains(err.Error(), "example.com") {
			t.Errorf("one who was not told: %v", err)
		}
		f.clk.Advance(3 * time.Minute)
	}
	f.want("ben@example.com 1", "desk@example.com 1")
	f.mail.Hook = nil
	_, err = f.mails.Tell(t.Context(), f.t, since)
	f.ok(err)
	f.want("ann@example.com 1")
}
