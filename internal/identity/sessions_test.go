package identity_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

// stored reports whether the session's item is in the table.
func (p *people) stored(t *testing.T, at tenant.ID, id string) bool {
	t.Helper()
	_, err := p.db.Get(t.Context(), at, store.Identity, store.Key{PK: "sessions", SK: id})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

func TestASessionStandsForItsMemberOnly(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	m, id, cookie := p.signIn(t, alpha, identity.Approver, "ann")
	p.signIn(t, beta, identity.Owner, "ben")
	who, next := p.resume(t, cookie)
	want := identity.Principal{
		Tenant: alpha, Actor: "member:" + m.ID, Role: identity.Approver, Member: m.ID, Session: id, Enrolled: true, MFAAt: p.clock.Now(),
	}
	if fmt.Sprint(who) != fmt.Sprint(want) || !next.Empty() {
		t.Errorf("%+v, want %+v", who, want)
	}
}

func TestASessionEndsAfterADayWithoutUseThoughItsItemIsStillThere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		idle time.Duration
		good bool
	}{{23*time.Hour + 59*time.Minute, true}, {24*time.Hour + time.Minute, false}} {
		p := newPeople(t)
		_, id, cookie := p.signIn(t, alpha, identity.Viewer, "ann")
		// The last use that is not noted for itself: the most that "last seen" is late.
		p.clock.Advance(29 * time.Second)
		p.resume(t, cookie)
		p.clock.Advance(c.idle)
		if !p.stored(t, alpha, id) {
			t.Fatal("the item is gone")
		}
		if c.good {
			p.resume(t, cookie)
		} else {
			p.refused(t, "idle for "+c.idle.String(), cookie)
		}
	}
}

// Each kind of session has an end that no use and no code moves.
func TestEverySessionHasAnEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		start identity.Start
		code  bool // one is checked in the first minute, and every hour
		ends  time.Duration
	}{
		"member":                            {identity.Start{Enrolled: true}, false, 7 * 24 * time.Hour},
		"member with codes":                 {identity.Start{Enrolled: true}, true, 7 * 24 * time.Hour},
		"member, shorter":                   {identity.Start{Enrolled: true, Life: 3 * time.Hour}, false, 3 * time.Hour},
		"member, shorter, with codes":       {identity.Start{Enrolled: true, Life: 3 * time.Hour}, true, 3 * time.Hour},
		"without an authenticator":          {identity.Start{}, false, time.Hour},
		"enrolled on the way":               {identity.Start{}, true, 7 * 24 * time.Hour},
		"enrolled on the way, shorter":      {identity.Start{Life: 2 * time.Hour}, true, 2 * time.Hour},
		"operator":                          {identity.Start{Operator: "olga", Enrolled: true}, false, time.Hour},
		"operator with codes":               {identity.Start{Operator: "olga", Enrolled: true}, true, time.Hour},
		"operator, shorter":                 {identity.Start{Operator: "olga", Enrolled: true, Life: 20 * time.Minute}, true, 20 * time.Minute},
		"operator who asks for more":        {identity.Start{Operator: "olga", Enrolled: true, Life: 100 * time.Hour}, false, time.Hour},
		"operator without a code, and then": {identity.Start{Operator: "olga"}, true, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeople(t)
			if c.start.Operator == "" {
				c.start.Member = p.join(t, alpha, identity.Viewer, "ann").ID
			}
			id, cookie := p.begin(t, alpha, c.start)
			const step = 5 * time.Minute
			var code time.Duration
			for at := step; at < c.ends; at += step {
				p.clock.Advance(step)
				if _, next := p.resume(t, cookie); !next.Empty() {
					cookie = next
				}
				if c.code && at >= code {
					code = at + time.Hour
					var err error
					if cookie, err = p.sessions.Elevate(t.Context(), alpha, id); err != nil {
						t.Fatal(err)
					}
				}
			}
			p.clock.Advance(step - time.Second)
			p.resume(t, cookie)
			p.clock.Advance(time.Second)
			p.refused(t, "after its life", cookie)
			if _, err := p.sessions.Elevate(t.Context(), alpha, id); fault.KindOf(err) != fault.Unauthenticated {
				t.Errorf("a code brings it back: %v", err)
			}
			if !p.stored(t, alpha, id) {
				t.Error("the item is gone, and with it the proof")
			}
		})
	}
}

// A browser with several tabs over a bad network: requests and answers take up to 29
// seconds each, arrive in any order, and every third answer does not at all. As long as
// it is used it is never signed out.
func TestRenewalSignsNobodyOutWhateverBecomesOfAnswers(t *testing.T) {
	t.Parallel()
	const slow = 29 * time.Second // longer waits API Gateway does not allow
	rapid.Check(t, func(rt *rapid.T) {
		p := newPeople(t)
		m := p.join(t, alpha, identity.Viewer, "ann")
		_, jar := p.begin(t, alpha, identity.Start{Member: m.ID, Enrolled: true})
		type flight struct {
			at     time.Time
			cookie secret.Value
			answer bool
		}
		var flying []flight
		renewed := 0
		// land has everything happen that is due, in order of time.
		land := func(until time.Time) {
			for {
				i := -1
				for j, f := range flying {
					if !f.at.After(until) && (i < 0 || f.at.Before(flying[i].at)) {
						i = j
					}
				}
				if i < 0 {
					break
				}
				f := flying[i]
				flying = slices.Delete(flying, i, i+1)
				if f.at.After(p.clock.Now()) {
					p.clock.Advance(f.at.Sub(p.clock.Now()))
				}
				if f.answer {
					jar = f.cookie
					continue
				}
				_, next, err := p.sessions.Resume(t.Context(), f.cookie)
				if err != nil {
					rt.Fatalf("signed out: %v", err)
				}
				if !next.Empty() && rapid.IntRange(0, 2).Draw(rt, "fate") > 0 {
					renewed++
					flying = append(flying, flight{at: p.clock.Now().Add(delay(rt, slow)), cookie: next, answer: true})
				}
			}
			if until.After(p.clock.Now()) {
				p.clock.Advance(until.Sub(p.clock.Now()))
			}
		}
		for range rapid.IntRange(10, 60).Draw(rt, "rounds") {
			wait := rapid.SampledFrom([]time.Duration{0, time.Second, 20 * time.Second, 61 * time.Second, 5 * time.Minute, 16 * time.Minute, time.Hour}).Draw(rt, "wait")
			land(p.clock.Now().Add(wait))
			for range rapid.IntRange(1, 3).Draw(rt, "tabs") {
				flying = append(flying, flight{at: p.clock.Now().Add(delay(rt, slow)), cookie: jar})
			}
		}
		land(p.clock.Now().Add(2 * slow))
		if renewed == 0 && p.clock.Now().Sub(time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)) > 12*time.Hour {
			rt.Fatal("the secret was never replaced")
		}
	})
}

func delay(rt *rapid.T, most time.Duration) time.Duration {
	return time.Duration(rapid.Int64Range(0, int64(most)).Draw(rt, "delay"))
}

func TestTheSecretIsReplacedEveryQuarterOfAnHourAndTheOldOneEnds(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	_, _, first := p.signIn(t, alpha, identity.Viewer, "ann")
	p.clock.Advance(15*time.Minute - time.Second)
	if _, next := p.resume(t, first); !next.Empty() {
		t.Fatal("replaced too early")
	}
	p.clock.Advance(time.Second)
	_, second := p.resume(t, first)
	if second.Empty() || second.Reveal() == first.Reveal() {
		t.Fatal("not replaced")
	}
	if _, next := p.resume(t, first); !next.Empty() {
		t.Error("a tab that asks at the same time gets another secret, which ends this one")
	}
	p.clock.Advance(59 * time.Second)
	if _, next := p.resume(t, second); !next.Empty() {
		t.Error("replaced twice")
	}
	p.clock.Advance(59 * time.Second)
	p.resume(t, first)
	p.clock.Advance(time.Second)
	p.refused(t, "a minute after the next one was used", first)
	p.resume(t, second)
	// From the time that it was made, not used.
	p.clock.Advance(13*time.Minute + time.Second)
	if _, third := p.resume(t, second); third.Empty() {
		t.Error("not replaced again")
	}
}

// Somebody's script that takes no cookies keeps its session; and what it was given and
// did not use is good for nothing after the next was made.
func TestAnAnswerThatGotLostIsMadeUpFor(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	_, _, cookie := p.signIn(t, alpha, identity.Viewer, "ann")
	var before secret.Value
	for range 50 {
		p.clock.Advance(20 * time.Minute)
		_, next := p.resume(t, cookie)
		if next.Empty() || next.Reveal() == before.Reveal() {
			t.Fatal("no new secret")
		}
		if !before.Empty() {
			p.refused(t, "a secret that was replaced before it was used", before)
		}
		before = next
	}
	p.resume(t, before)
}

func TestOfRequestsAtOnceOneRenews(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	_, _, cookie := p.signIn(t, alpha, identity.Viewer, "ann")
	p.clock.Advance(16 * time.Minute)
	var got atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			_, next, err := p.sessions.Resume(context.Background(), cookie)
			if err != nil {
				t.Error(err)
			}
			if !next.Empty() {
				got.Add(1)
				if _, _, err := p.sessions.Resume(context.Background(), next); err != nil {
					t.Errorf("the new secret: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if got.Load() != 1 {
		t.Errorf("%d secrets were made", got.Load())
	}
}

func TestAWriteThatFailsSignsNobodyOut(t *testing.T) {
	t.Parallel()
	for _, applied := range []bool{false, true} {
		p := newPeople(t)
		_, _, cookie := p.signIn(t, alpha, identity.Viewer, "ann")
		broken := false
		p.db.Hook = func(memory.Op) (bool, error) {
			if broken {
				return applied, errors.New("no answer")
			}
			return true, nil
		}
		p.clock.Advance(16 * time.Minute)
		broken = true
		if _, next := p.resume(t, cookie); !next.Empty() {
			t.Error("a secret that may not be in the table was given")
		}
		broken = false
		p.clock.Advance(2 * time.Minute)
		_, next := p.resume(t, cookie)
		if next.Empty() {
			t.Fatal("not made up for")
		}
		broken = true
		if _, _, err := p.sessions.Resume(t.Context(), next); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("a first use that could not be noted: %v", err)
		}
		broken = false
		p.resume(t, next)
	}
}

// Fixation: whoever planted, saw or made secrets of a session before a code was
// checked in it has nothing afterwards.
func TestACodeEndsEverySecretFromBefore(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	m := p.join(t, alpha, identity.Owner, "ann")
	id, first := p.begin(t, alpha, identity.Start{Member: m.ID})
	p.clock.Advance(16 * time.Minute)
	_, second := p.resume(t, first)
	p.resume(t, second) // now first is the one before
	p.clock.Advance(16 * time.Minute)
	_, third := p.resume(t, second) // was made, not used
	elevated, err := p.sessions.Elevate(t.Context(), alpha, id)
	if err != nil {
		t.Fatal(err)
	}
	for name, old := range map[string]secret.Value{"first": first, "second": second, "third": third} {
		p.refused(t, name, old)
	}
	who, _ := p.resume(t, elevated)
	if !who.Enrolled || !who.MFAAt.Equal(p.clock.Now()) || !who.May(identity.MembersWrite) || !who.Fresh(identity.MembersWrite, p.clock.Now()) {
		t.Errorf("after the code: %+v", who)
	}
	p.clock.Advance(identity.RecentMFA)
	if who, _ = p.resume(t, elevated); who.Fresh(identity.MembersWrite, p.clock.Now()) || !who.Fresh(identity.MembersRead, p.clock.Now()) {
		t.Error("the code counts for longer than ten minutes")
	}
}

func TestACookieThatWasTamperedWithIsNone(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	_, id, good := p.signIn(t, alpha, identity.Owner, "ann")
	_, other, _ := p.signIn(t, beta, identity.Owner, "ben")
	text := good.Reveal()
	for name, bad := range map[string]string{
		"nothing": "", "prefix": "pms_", "id alone": "pms_" + id + "_", "another's id": strings.Replace(text, id, other, 1), "upper case": strings.ToUpper(text),
		"longer": text + "0", "shorter": text[:len(text)-1], "blank": " " + text, "an API key's prefix": "pmk" + text[3:], "bytes that are no text": "pms_aaaaaaaaaaaaaaa\xff_" + strings.Repeat("0", 64), "no secret": "pms_" + id + "_" + strings.Repeat("0", 64),
	} {
		p.refused(t, name, secret.New(bad))
	}
	rapid.Check(t, func(rt *rapid.T) {
		b := []byte(text)
		i := rapid.IntRange(0, len(b)-1).Draw(rt, "at")
		b[i] = rapid.Byte().Filter(func(c byte) bool { return c != b[i] }).Draw(rt, "byte")
		if who, _, err := p.sessions.Resume(t.Context(), secret.New(string(b))); fault.KindOf(err) != fault.Unauthenticated || who.Tenant != "" {
			rt.Fatalf("%q gave %+v, %v", b, who, err)
		}
	})
	p.resume(t, good)
}

// What races with a renewal, at the worst moment: between its read and its write.
func TestWhateverHappensDuringARenewalTheBrowserEndsUpWithASecretThatIsGood(t *testing.T) {
	t.Parallel()
	type state struct {
		id           string
		first, given secret.Value // the secret in use, and the one after it when it was made
	}
	for name, c := range map[string]struct {
		given bool // the next secret was made a minute ago, and arrives now
		meets func(p *people, s state) (secret.Value, error)
		wants string // which secret is good afterwards: "theirs" or "none"
	}{
		"another request that renews": {meets: func(p *people, s state) (secret.Value, error) {
			_, next, err := p.sessions.Resume(context.Background(), s.first)
			return next, err
		}, wants: "theirs"},
		"a code": {meets: func(p *people, s state) (secret.Value, error) {
			return p.sessions.Elevate(context.Background(), alpha, s.id)
		}, wants: "theirs"},
		"the end": {meets: func(p *people, s state) (secret.Value, error) {
			return secret.Value{}, p.sessions.End(context.Background(), alpha, "member:x", "", s.id)
		}, wants: "none"},
		"a first use, and a request for which the next seems lost": {given: true, meets: func(p *people, s state) (secret.Value, error) {
			_, next, err := p.sessions.Resume(context.Background(), s.first)
			return next, err
		}, wants: "theirs"},
		"a first use, and another one": {given: true, meets: func(p *people, s state) (secret.Value, error) {
			_, _, err := p.sessions.Resume(context.Background(), s.given)
			return s.given, err
		}, wants: "theirs"},
		"a first use, and the end": {given: true, meets: func(p *people, s state) (secret.Value, error) {
			return secret.Value{}, p.sessions.End(context.Background(), alpha, "member:x", "", s.id)
		}, wants: "none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeople(t)
			_, id, first := p.signIn(t, alpha, identity.Viewer, "ann")
			s := state{id: id, first: first}
			cookie := first
			p.clock.Advance(16 * time.Minute)
			if c.given {
				_, s.given = p.resume(t, first)
				cookie = s.given
				p.clock.Advance(61 * time.Second)
			}
			var theirs secret.Value
			met := false
			p.db.Hook = func(memory.Op) (bool, error) {
				if !met {
					met = true
					var err error
					if theirs, err = c.meets(p, s); err != nil {
						t.Error(err)
					}
				}
				return true, nil
			}
			_, ours := p.resume(t, cookie)
			if !met {
				t.Fatal("nothing was met")
			}
			if !ours.Empty() {
				t.Error("two secrets were given at once")
			}
			switch c.wants {
			case "theirs":
				p.resume(t, theirs)
				p.clock.Advance(2 * time.Minute)
				p.resume(t, theirs)
			case "none":
				p.refused(t, "ended", cookie)
			}
		})
	}
}

// And the other way round: a renewal during a step-up loses, or the step-up says so.
func TestACodeDuringARenewalCountsOrIsAskedForAgain(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	_, id, first := p.signIn(t, alpha, identity.Viewer, "ann")
	p.clock.Advance(16 * time.Minute)
	_, second := p.resume(t, first)
	met := false
	p.db.Hook = func(memory.Op) (bool, error) {
		if !met {
			met = true
			p.resume(t, second)
		}
		return true, nil
	}
	if _, err := p.sessions.Elevate(t.Context(), alpha, id); fault.KindOf(err) != fault.Conflict {
		t.Errorf("the secret was replaced in the meantime: %v", err)
	}
	p.resume(t, second)
	last, err := p.sessions.Elevate(t.Context(), alpha, id)
	if err != nil {
		t.Fatal(err)
	}
	p.refused(t, "before the code", second)
	p.resume(t, last)
}

func FuzzResume(f *testing.F) {
	p := newPeople(f)
	f.Add("pms_aaaaaaaaaaaaaaaa_" + strings.Repeat("0", 64))
	f.Add("pms_aaaaaaaaaaaaaaa\xff_" + strings.Repeat("0", 64))
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if _, _, err := p.sessions.Resume(t.Context(), secret.New(s)); fault.KindOf(err) != fault.Unauthenticated {
			t.Fatalf("%q gave %v", s, err)
		}
	})
}

func TestTheTableHasNoSecretOfASession(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	_, id, first := p.signIn(t, alpha, identity.Viewer, "ann")
	p.clock.Advance(16 * time.Minute)
	_, second := p.resume(t, first)
	p.resume(t, second)
	p.clock.Advance(16 * time.Minute)
	_, third := p.resume(t, second)
	fourth, err := p.sessions.Elevate(t.Context(), alpha, id)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []secret.Value{first, second, third, fourth} {
		_, text, _ := strings.Cut(strings.TrimPrefix(s.Reveal(), "pms_"), "_")
		raw, err := hex.DecodeString(text)
		if err != nil || len(raw) != 32 {
			t.Fatalf("a secret of %d bytes, %v", len(raw), err)
		}
		for _, r := range p.db.Records(store.Identity, "") {
			if r.New == nil {
				continue
			}
			if all := fmt.Sprintf("%s %x", r.New.Attrs, r.New.Attrs); strings.Contains(all, text) || strings.Contains(all, string(raw)) {
				t.Errorf("the table had a secret in %s", r.Key.PK)
			}
		}
	}
}

func TestSessionsAreListedAndEndedByTheirTenantOnly(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	ann, one, cookie := p.signIn(t, alpha, identity.Owner, "ann")
	p.clock.Advance(time.Minute)
	two, cookie2 := p.begin(t, alpha, identity.Start{Member: ann.ID, Enrolled: true})
	ben, three, cookie3 := p.signIn(t, alpha, identity.Viewer, "ben")
	ctx := t.Context()
	ids := func(at tenant.ID, member string) (ids []string) {
		list, err := p.sessions.List(ctx, at, member)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range list {
			ids = append(ids, s.ID)
		}
		slices.Sort(ids)
		return ids
	}
	sorted := func(ids ...string) []string { slices.Sort(ids); return ids }
	if got := ids(alpha, ann.ID); !slices.Equal(got, sorted(one, two)) {
		t.Errorf("ann has %v", got)
	}
	if got := ids(alpha, ""); !slices.Equal(got, sorted(one, two, three)) {
		t.Errorf("all are %v", got)
	}
	if got := ids(beta, ""); got != nil {
		t.Errorf("another tenant sees %v", got)
	}
	for _, err := range []error{
		p.sessions.End(ctx, beta, "member:x", "", one), p.sessions.End(ctx, alpha, "member:x", ben.ID, one),
		p.sessions.End(ctx, alpha, "member:x", "", "aaaaaaaaaaaaaaaa"), p.sessions.End(ctx, alpha, "member:x", "", "../1"),
	} {
		if shown(err) != "not-found: There is no such session." {
			t.Error(err)
		}
	}
	for _, bad := range []string{one, "", "aaaaaaaaaaaaaaaa"} {
		if _, err := p.sessions.Elevate(ctx, beta, bad); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("another tenant's session %q is elevated: %v", bad, err)
		}
	}
	p.resume(t, cookie)
	for range 2 {
		if err := p.sessions.End(ctx, alpha, "member:"+ann.ID, ann.ID, one); err != nil {
			t.Fatal(err)
		}
		p.clock.Advance(time.Second)
	}
	p.refused(t, "ended", cookie)
	if _, err := p.sessions.Elevate(ctx, alpha, one); fault.KindOf(err) != fault.Unauthenticated {
		t.Errorf("a code brings an ended session back: %v", err)
	}
	four, cookie4 := p.begin(t, alpha, identity.Start{Member: ann.ID})
	if n, err := p.sessions.EndAll(ctx, alpha, "member:"+ann.ID, ann.ID, four); n != 1 || err != nil {
		t.Errorf("ended %d, %v", n, err)
	}
	p.refused(t, "ended with all", cookie2)
	p.resume(t, cookie4)
	p.resume(t, cookie3)
	if n, err := p.sessions.EndAll(ctx, alpha, "member:"+ann.ID, "", ""); n != 2 || err != nil {
		t.Errorf("ended %d, %v", n, err)
	}
	p.refused(t, "ended with everybody's", cookie3)
}

func TestWithoutTheTableNobodyIsLetInAndNobodySentAway(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	_, _, cookie := p.signIn(t, alpha, identity.Owner, "ann")
	for fail := range 3 { // the pointer, the session, the member
		s := &identity.Sessions{DB: &failing{DB: p.db, at: fail}, Clock: p.clock}
		if who, _, err := s.Resume(t.Context(), cookie); fault.KindOf(err) != fault.Unavailable || who.Tenant != "" {
			t.Errorf("read %d fails: %+v, %v", fail, who, err)
		}
	}
}

// failing is a DB whose read number at fails.
type failing struct {
	store.DB
	n, at int
}

func (f *failing) Get(ctx context.Context, t tenant.ID, table store.Table, k store.Key) (store.Item, error) {
	f.n++
	if f.n == f.at+1 {
		return store.Item{}, errors.New("no answer")
	}
	return f.DB.Get(ctx, t, table, k)
}

func TestASessionIsOneKnownPersons(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	m := p.join(t, alpha, identity.Viewer, "ann")
	id, err := p.sessions.NewSessionID()
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]identity.Start{"nobody": {}, "two": {Member: m.ID, Operator: "olga"}} {
		if _, err := p.sessions.Begin(t.Context(), alpha, id, bad); err == nil {
			t.Errorf("a session of %s", name)
		}
	}
	if _, err := p.sessions.Begin(t.Context(), alpha, "short", identity.Start{Member: m.ID}); err == nil {
		t.Error("a session without a proper id")
	}
	if _, err := p.sessions.Begin(t.Context(), alpha, id, identity.Start{Member: m.ID}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.sessions.Begin(t.Context(), beta, id, identity.Start{Member: m.ID}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("an id twice: %v", err)
	}
	// Another tenant's member, or nobody's id, is no member here.
	_, cookie := p.begin(t, beta, identity.Start{Member: m.ID, Enrolled: true})
	p.refused(t, "of another tenant's member", cookie)
	bare := &identity.Sessions{DB: p.db, Clock: p.clock, Random: strings.NewReader("")}
	if _, err := bare.NewSessionID(); err == nil {
		t.Error("an id without randomness")
	}
	if _, err := bare.Begin(t.Context(), alpha, id, identity.Start{Member: m.ID}); err == nil {
		t.Error("a secret without randomness")
	}
	if _, err := bare.Elevate(t.Context(), alpha, id); err == nil {
		t.Error("a secret without randomness")
	}
}

func TestAnOperatorsSessionIsNoMembers(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	id, cookie := p.begin(t, alpha, identity.Start{Operator: "olga", Enrolled: true})
	who, _ := p.resume(t, cookie)
	if who.Role != identity.Operator || who.Actor != "operator:olga" || who.Member != "" || who.Session != id || who.Tenant != alpha {
		t.Errorf("%+v", who)
	}
	if err := p.sessions.End(t.Context(), alpha, "member:ann", "", id); err != nil {
		t.Fatal(err)
	}
	p.refused(t, "ended by the tenant", cookie)
}
