package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"pricemanager/internal/identity"
	"pricemanager/internal/ledger"
	"pricemanager/internal/personal"
	"pricemanager/internal/secret"
	"pricemanager/internal/signin"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// deviceKept is how long a device is known after its last sign-in.
const deviceKept = 90 * 24 * time.Hour

// devicesPK is of devices that members signed in with; SK: <member>#<keyed hash>.
const devicesPK = "devices"

// text is where a session came from, as it is sealed: browser, then address.
func (o Origin) text() string {
	b, err := json.Marshal([2]string{clip(o.Agent, 200), clip(o.Address, 64)})
	if err != nil {
		return "" // of two strings there is nothing to go wrong
	}
	return string(b)
}

func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return s
}

// network is the part of an address that stays when a provider gives out another one.
func (o Origin) network() string {
	a, err := netip.ParseAddr(o.Address)
	if err != nil {
		return ""
	}
	bits := 24
	if a = a.Unmap(); a.Is6() {
		bits = 48
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}

// begin makes a session and tells the member when it is of a new device or beside
// another device's.
func (s *Service) begin(ctx context.Context, t tenant.ID, m identity.Member, enrolled bool, from Origin) (SignedIn, error) {
	if enrolled && m.Enrolled.IsZero() {
		// A set-up that was cut off after the provider knew of the authenticator.
		if err := s.Members.SetEnrolled(ctx, t, m.ID, true); err != nil {
			return SignedIn{}, err
		}
	}
	id, err := s.Sessions.NewSessionID()
	if err != nil {
		return SignedIn{}, err
	}
	device, err := s.Members.Index(ctx, "device", m.ID+"\x00"+clip(from.Agent, 200)+"\x00"+from.network())
	if err != nil {
		return SignedIn{}, fmt.Errorf("account: device: %w", err)
	}
	origin, err := personal.Seal(ctx, s.Seal, t, personal.SessionOrigin, store.Key{PK: personal.SessionsPK, SK: id}, personal.New(from.text()))
	if err != nil {
		return SignedIn{}, err
	}
	before, err := s.Sessions.List(ctx, t, m.ID)
	if err != nil {
		return SignedIn{}, err
	}
	cookie, err := s.Sessions.Begin(ctx, t, id, identity.Start{Member: m.ID, Enrolled: enrolled, Origin: origin, Device: device})
	if err != nil {
		return SignedIn{}, err
	}
	beside := false
	for _, one := range before {
		beside = beside || one.Device != device
	}
	if err := s.greet(ctx, t, m, device, beside, from); err != nil {
		s.Log.WarnContext(ctx, "a member could not be told of a sign-in", "member", m.ID, "cause", err)
	}
	return SignedIn{Cookie: cookie, Enrolled: enrolled}, nil
}

// greet sends the notice before the device is noted: it is sent twice rather than not.
func (s *Service) greet(ctx context.Context, t tenant.ID, m identity.Member, device string, beside bool, from Origin) error {
	known, err := s.DB.Query(ctx, t, store.Identity, store.Query{PK: devicesPK, Prefix: m.ID + "#"})
	if err != nil {
		return err
	}
	key := store.Key{PK: devicesPK, SK: m.ID + "#" + device}
	fresh := len(known.Items) > 0
	for _, d := range known.Items {
		fresh = fresh && d.Key != key
	}
	if fresh || beside {
		_, text, err := s.hand(ctx, t, issue{kind: forNotMe, life: notMeLife, member: m.ID})
		if err != nil {
			return err
		}
		if err := s.send(ctx, m.Email, "signed-in#"+device+"#"+s.stamp(), signedInNotice(s.URL, text, fresh, from)); err != nil {
			return err
		}
	}
	now := s.Clock.Now()
	return s.DB.Put(ctx, t, store.Identity, store.Item{Key: key, Attrs: map[string]any{
		"seenAt": store.Millis(now), "ttl": now.Add(deviceKept).Unix(),
	}})
}

// NotMe takes a sign-in for somebody else's: all sessions end, the password works no
// more, and a ticket for a new one goes to the member's address.
func (s *Service) NotMe(ctx context.Context, text secret.Value) error {
	k, err := s.find(ctx, text, forNotMe)
	if err != nil {
		return err
	}
	m, err := s.member(ctx, k.t, k.member)
	if err != nil {
		return err
	}
	actor := "member:" + k.member
	// The password first: no session begins anew after those that there are have ended.
	nobodys, err := s.random(32)
	if err != nil {
		return err
	}
	err = s.Provider.SetPassword(ctx, k.member, secret.New("Aa1!"+lower.EncodeToString(nobodys)))
	if err != nil && !errors.Is(err, signin.ErrRefused) { // no user, no password
		return provided(err, errTicket())
	}
	if _, err := s.Sessions.EndAll(ctx, k.t, actor, k.member, ""); err != nil {
		return err
	}
	if err := s.record(ctx, k.t, ledger.Event{Type: ledger.SignInDisowned, Actor: actor, Target: actor}); err != nil {
		return err
	}
	id, again, err := s.hand(ctx, k.t, issue{kind: forReset, life: resetLife, member: k.member})
	if err != nil {
		return err
	}
	if err := s.send(ctx, m.Email, id, disowned(s.URL, again)); err != nil {
		return err
	}
	// Last: until all of it is done the link does it again.
	if err := s.DB.Transact(ctx, s.spend(k, "")); err != nil && !errors.Is(err, store.ErrConflict) {
		return err
	}
	return nil
}

// SessionInfo is a session as its member sees it.
type SessionInfo struct {
	identity.Session
	Agent   personal.Sensitive[string]
	Address personal.Sensitive[string]
}

// ListSessions returns a member's living sessions with where they came from.
func (s *Service) ListSessions(ctx context.Context, t tenant.ID, member string) ([]SessionInfo, error) {
	all, err := s.Sessions.List(ctx, t, member)
	if err != nil {
		return nil, err
	}
	out := make([]SessionInfo, len(all))
	for i, one := range all {
		out[i].Session = one
		if len(one.Origin) == 0 {
			continue
		}
		v, err := personal.Open[string](ctx, s.Seal, t, personal.SessionOrigin, store.Key{PK: personal.SessionsPK, SK: one.ID}, one.Origin)
		if err != nil {
			return nil, fmt.Errorf("account: sessions: %w", err)
		}
		var parts [2]string
		if err := json.Unmarshal([]byte(v.Reveal()), &parts); err != nil {
			return nil, errors.New("account: sessions: an origin is not one")
		}
		out[i].Agent, out[i].Address = personal.New(parts[0]), personal.New(parts[1])
	}
	return out, nil
}
