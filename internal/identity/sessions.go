package identity

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// How long a session lasts.
const (
	// SessionIdle ends a session that nobody used for so long (OWASP ASVS 7.3.1).
	SessionIdle = 24 * time.Hour
	// SessionLife ends every session (ASVS 7.3.2): people sign in once a week.
	SessionLife = 7 * 24 * time.Hour
	// UnenrolledLife is for a session that has to set up an authenticator first.
	UnenrolledLife = time.Hour
	// OperatorLife is the longest that an operator looks into a tenant at a time.
	OperatorLife = time.Hour
	// renewEvery is how old a cookie's secret gets before the next answer brings
	// another one.
	renewEvery = 15 * time.Minute
	// overlap is how long the secret before works beside the one that was used
	// after it: for requests that were on their way together.
	overlap = time.Minute
	// seenEvery is how fine "last seen" is: one write per session and half minute.
	// It is added to SessionIdle, so that nobody's session ends early for it.
	seenEvery = 30 * time.Second
	// sessionKept is how long a session stays in the table after its end.
	sessionKept = 30 * 24 * time.Hour
)

const sessionsPK, sessionPrefix = "sessions", "pms_"

func sessionDirectory(id string) store.Key { return store.Key{PK: "session#" + id, SK: "tenant"} }
func sessionKey(id string) store.Key       { return store.Key{PK: sessionsPK, SK: id} }

// Sessions keeps who is signed in. A session has a public id, by which it is
// listed and ended, and a secret of 256 bits, of which the table has the SHA-256.
// The secret is replaced every 15 minutes of use: the answer to a request brings the
// next one, the old one works until the next was used once, so that an answer that
// got lost signs nobody out, and a minute longer.
//
// Every reason for refusing a session is the same answer. It is safe for
// concurrent use.
type Sessions struct {
	DB     store.DB
	Clock  clock.Clock
	Random io.Reader
}

// Session is what is known about a session; never its secret.
type Session struct {
	ID        string
	Member    string // "" for an operator
	Operator  string // name, for an operator
	Grant     string // by which the operator is there
	Enrolled  bool
	CreatedAt time.Time
	LastSeen  time.Time // to half a minute
	MFAAt     time.Time
	Expires   time.Time
	Ended     time.Time // zero: it was not ended
	Origin    []byte    // sealed by whoever made it: browser and address
	Device    string    // keyed hash of what tells a device again
}

// Start is what Begin makes a session of.
type Start struct {
	Member   string
	Operator string        // instead of Member
	Grant    string        // of an operator, see Grants
	Enrolled bool          // a code was checked just now
	Life     time.Duration // zero: as long as its kind lasts
	Origin   []byte        // sealed as personal.SessionOrigin, for the item of the session's id
	Device   string
}

// NewSessionID makes the public id of a session.
func (s *Sessions) NewSessionID() (string, error) {
	var b [idBytes]byte
	if _, err := io.ReadFull(s.Random, b[:]); err != nil {
		return "", fmt.Errorf("identity: random bytes: %w", err)
	}
	return lower.EncodeToString(b[:]), nil
}

// Begin makes a session under an id from NewSessionID and returns what goes into
// the cookie: the only time that it can be seen.
func (s *Sessions) Begin(ctx context.Context, t tenant.ID, id string, b Start) (secret.Value, error) {
	now := s.Clock.Now()
	life := SessionLife
	if b.Operator != "" {
		life = OperatorLife
	}
	if b.Life > 0 {
		life = min(life, b.Life)
	}
	// The end is fixed now: a code checked later takes the shorter life of a
	// session without one away, and nothing lengthens any other.
	until := now.Add(life)
	ends := until
	if b.Operator == "" && !b.Enrolled {
		ends = now.Add(min(life, UnenrolledLife))
	}
	if (b.Member == "") == (b.Operator == "") || (b.Operator == "") != (b.Grant == "") || !wellFormed(id) {
		return secret.Value{}, errors.New("identity: a session is one member's, or one operator's by a grant")
	}
	text, hash, err := s.secretFor(id)
	if err != nil {
		return secret.Value{}, err
	}
	item := store.Item{Key: sessionKey(id), Attrs: map[string]any{
		"member": b.Member, "operator": b.Operator, "enrolled": b.Enrolled, "hash": hash, "renewedAt": store.Millis(now),
		"createdAt": store.Millis(now), "seenAt": store.Millis(now), "expires": store.Millis(ends), "until": store.Millis(until), "device": b.Device,
		"ttl": ends.Add(sessionKept).Unix(),
	}}
	if b.Enrolled {
		item.Attrs["mfaAt"] = store.Millis(now)
	}
	if len(b.Origin) > 0 {
		item.Attrs["origin"] = b.Origin
	}
	if b.Grant != "" {
		item.Attrs["grant"] = b.Grant
	}
	pointer := store.Item{Key: sessionDirectory(id), Attrs: map[string]any{"tenant": string(t), "ttl": ends.Add(sessionKept).Unix()}}
	// One transaction: a pointer without its session, or the reverse, never exists, nor
	// an operator whose grant does not say so.
	writes := []store.Write{
		{Tenant: store.Directory, Table: store.Identity, Put: &pointer, If: []store.Cond{store.Absent()}},
		{Tenant: t, Table: store.Identity, Put: &item, If: []store.Cond{store.Absent()}},
	}
	if b.Grant != "" {
		writes = append(writes, entered(t, b.Grant, now))
	}
	if err := s.DB.Transact(ctx, writes...); err != nil {
		return secret.Value{}, fmt.Errorf("identity: begin session: %w", err)
	}
	return text, nil
}

var errSession = fault.New(fault.Unauthenticated, "", "Sign in again.")

// Resume returns whom a cookie stands for, and what the cookie is to hold from
// now on when that changed. The member is looked at on each request: a removal or
// another role counts at once.
func (s *Sessions) Resume(ctx context.Context, cookie secret.Value) (Principal, secret.Value, error) {
	none := secret.Value{}
	id, hash, ok := parseSession(cookie)
	if !ok {
		return Principal{}, none, errSession
	}
	t, item, err := find(ctx, s.DB, sessionDirectory(id), sessionKey(id))
	if err != nil {
		return Principal{}, none, fault.New(fault.Unavailable, "", "Your session cannot be checked now; try again.").Because(err)
	}
	now, have := s.Clock.Now(), sessionOf(item)
	fits := holding(item, hash, now)
	if fits == "" || !have.live(now) {
		return Principal{}, none, errSession
	}
	p := Principal{Tenant: t, Session: id, Enrolled: have.Enrolled, MFAAt: have.MFAAt}
	if have.Operator != "" {
		open, err := s.granted(ctx, t, have.Grant, now)
		if err != nil {
			return Principal{}, none, fault.New(fault.Unavailable, "", "Your session cannot be checked now; try again.").Because(err)
		}
		if !open {
			return Principal{}, none, errSession
		}
		p.Role, p.Actor, p.Enrolled = Operator, "operator:"+have.Operator, true
	} else {
		m, err := s.DB.Get(ctx, t, store.Identity, store.Key{PK: membersPK, SK: have.Member})
		if errors.Is(err, store.ErrNotFound) || err == nil && m.Int("removedAt") != 0 {
			return Principal{}, none, errSession
		}
		if err != nil {
			return Principal{}, none, fault.New(fault.Unavailable, "", "Your session cannot be checked now; try again.").Because(err)
		}
		p.Role, p.Member, p.Actor = Role(m.Str("role")), have.Member, memberActor+have.Member
		// Whoever took their authenticator away has a session from when they had one.
		p.Enrolled = p.Enrolled && m.Int("unenrolledAt") == 0
	}
	next, err := s.renew(ctx, t, item, fits, hash, now)
	if err != nil {
		return Principal{}, none, err
	}
	return p, next, nil
}

// renew notes that the session was used and, when it is time, begins or completes
// the change to another secret. Each step is one conditional write; a step that
// another request took first, or that failed, is left to the next request.
func (s *Sessions) renew(ctx context.Context, t tenant.ID, item store.Item, fits string, hash []byte, now time.Time) (secret.Value, error) {
	var next secret.Value
	u := store.Update{Set: map[string]any{}, If: []store.Cond{store.Exists(), store.Eq("hash", item.Bytes("hash")), store.Missing("endedAt")}}
	switch {
	case fits == "next":
		// The next secret arrived where it should: it is the secret now.
		u.Set["hash"], u.Set["renewedAt"] = hash, item.Int("nextAt")
		u.Set["prev"], u.Set["prevUntil"] = item.Bytes("hash"), store.Millis(now.Add(overlap))
		u.Remove = []string{"next", "nextAt"}
		// Unless another one was made since: then that one is on its way.
		u.If = append(u.If, store.Eq("next", hash))
	case fits == "hash" && now.Sub(item.Time("renewedAt")) >= renewEvery && now.Sub(item.Time("nextAt")) >= overlap:
		// Also when one was made before and never came back: that answer was lost.
		text, h, err := s.secretFor(item.SK)
		if err != nil {
			return secret.Value{}, err
		}
		next = text
		u.Set["next"], u.Set["nextAt"] = h, store.Millis(now)
		if before := item.Bytes("next"); len(before) > 0 {
			u.If = append(u.If, store.Eq("next", before))
		} else {
			u.If = append(u.If, store.Missing("next"))
		}
	}
	if now.Sub(item.Time("seenAt")) >= seenEvery {
		u.Set["seenAt"] = store.Millis(now)
	}
	if len(u.Set) == 0 {
		return secret.Value{}, nil
	}
	if _, err := s.DB.Update(ctx, t, store.Identity, item.Key, u); err != nil {
		if fits == "next" && !errors.Is(err, store.ErrConflict) {
			return secret.Value{}, fault.New(fault.Unavailable, "", "Your session cannot be checked now; try again.").Because(err)
		}
		return secret.Value{}, nil
	}
	return next, nil
}

// holding says which of the session's secrets the hash is of: "hash", "next",
// "prev", or "" for none. All are compared, in constant time.
func holding(item store.Item, hash []byte, now time.Time) string {
	fits := ""
	for _, attr := range []string{"prev", "next", "hash"} {
		equal := subtle.ConstantTimeCompare(item.Bytes(attr), hash) == 1
		if equal && (attr != "prev" || now.Before(item.Time("prevUntil"))) {
			fits = attr
		}
	}
	return fits
}

// Elevate notes that a TOTP code was checked in the session just now, and gives it
// another secret: the one before ends at once, as it was given to somebody who had
// proven less.
func (s *Sessions) Elevate(ctx context.Context, t tenant.ID, id string) (secret.Value, error) {
	if !wellFormed(id) {
		return secret.Value{}, errSession
	}
	text, hash, err := s.secretFor(id)
	if err != nil {
		return secret.Value{}, err
	}
	now := s.Clock.Now()
	item, err := s.DB.Get(ctx, t, store.Identity, sessionKey(id))
	if errors.Is(err, store.ErrNotFound) || err == nil && !sessionOf(item).live(now) {
		return secret.Value{}, errSession
	}
	if err != nil {
		return secret.Value{}, fmt.Errorf("identity: session: %w", err)
	}
	ends := item.Time("until")
	_, err = s.DB.Update(ctx, t, store.Identity, sessionKey(id), store.Update{
		Set: map[string]any{
			"enrolled": true, "mfaAt": store.Millis(now), "elevatedAt": store.Millis(now), "hash": hash, "renewedAt": store.Millis(now), "seenAt": store.Millis(now),
			"expires": store.Millis(ends), "ttl": ends.Add(sessionKept).Unix(),
		},
		Remove: []string{"next", "nextAt", "prev", "prevUntil"},
		If:     []store.Cond{store.Exists(), store.Missing("endedAt"), store.Eq("hash", item.Bytes("hash"))},
	})
	if errors.Is(err, store.ErrConflict) {
		return secret.Value{}, fault.New(fault.Conflict, "session-moved", "The session changed in the meantime; try again.").Because(err)
	}
	if err != nil {
		return secret.Value{}, fmt.Errorf("identity: elevate session: %w", err)
	}
	return text, nil
}

// End ends a session for good; ending it again changes nothing. member "" ends
// anybody's in the tenant; else another member's is NotFound, like a missing one.
func (s *Sessions) End(ctx context.Context, t tenant.ID, actor, member, id string) error {
	missing := fault.New(fault.NotFound, "", "There is no such session.")
	if !wellFormed(id) {
		return missing
	}
	item, err := s.DB.Get(ctx, t, store.Identity, sessionKey(id))
	if errors.Is(err, store.ErrNotFound) || err == nil && member != "" && item.Str("member") != member {
		return missing
	}
	if err != nil {
		return fmt.Errorf("identity: session: %w", err)
	}
	_, err = s.DB.Update(ctx, t, store.Identity, sessionKey(id), store.Update{
		Set: map[string]any{"endedAt": store.Millis(s.Clock.Now()), "endedBy": actor},
		If:  []store.Cond{store.Exists(), store.Missing("endedAt")},
	})
	if errors.Is(err, store.ErrConflict) {
		return nil // it was ended before
	}
	return err
}

// EndAll ends all sessions of a member but the one that is kept ("": none is).
// It returns how many it ended.
func (s *Sessions) EndAll(ctx context.Context, t tenant.ID, actor, member, keep string) (int, error) {
	live, err := s.List(ctx, t, member)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, one := range live {
		if one.ID == keep {
			continue
		}
		if err := s.End(ctx, t, actor, member, one.ID); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// List returns the member's living sessions, the last seen first; with member ""
// everybody's in the tenant.
func (s *Sessions) List(ctx context.Context, t tenant.ID, member string) ([]Session, error) {
	var out []Session
	now := s.Clock.Now()
	for q := (store.Query{PK: sessionsPK}); ; {
		page, err := s.DB.Query(ctx, t, store.Identity, q)
		if err != nil {
			return nil, fmt.Errorf("identity: list sessions: %w", err)
		}
		for _, item := range page.Items {
			if one := sessionOf(item); one.live(now) && (member == "" || one.Member == member) {
				out = append(out, one)
			}
		}
		if page.Next == "" {
			break
		}
		q.After = page.Next
	}
	slices.SortFunc(out, func(a, b Session) int { return b.LastSeen.Compare(a.LastSeen) })
	return out, nil
}

// live is the check on reading: the table removes what expired late.
func (o Session) live(now time.Time) bool {
	return o.ID != "" && o.Ended.IsZero() && now.Before(o.Expires) && now.Sub(o.LastSeen) < SessionIdle+seenEvery
}

func sessionOf(item store.Item) Session {
	return Session{
		ID: item.SK, Member: item.Str("member"), Operator: item.Str("operator"), Grant: item.Str("grant"), Enrolled: item.Bool("enrolled"),
		CreatedAt: item.Time("createdAt"), LastSeen: item.Time("seenAt"), MFAAt: item.Time("mfaAt"), Expires: item.Time("expires"),
		Ended: item.Time("endedAt"), Origin: item.Bytes("origin"), Device: item.Str("device"),
	}
}

// secretFor makes the text of a cookie, pms_<id>_<hex of 256 bits>, and its hash.
func (s *Sessions) secretFor(id string) (text secret.Value, hash []byte, err error) {
	var b [sha256.Size]byte
	if _, err := io.ReadFull(s.Random, b[:]); err != nil {
		return secret.Value{}, nil, fmt.Errorf("identity: random bytes: %w", err)
	}
	text = secret.New(sessionPrefix + id + "_" + hex.EncodeToString(b[:]))
	sum := sha256.Sum256([]byte(text.Reveal()))
	return text, sum[:], nil
}

func parseSession(cookie secret.Value) (id string, hash []byte, ok bool) {
	rest, ok := strings.CutPrefix(cookie.Reveal(), sessionPrefix)
	id, sec, found := strings.Cut(rest, "_")
	if !ok || !found || !wellFormed(id) || len(sec) != 2*sha256.Size {
		return "", nil, false
	}
	sum := sha256.Sum256([]byte(cookie.Reveal()))
	return id, sum[:], true
}

// wellFormed checks an id of a session or key by its alphabet: the decoder takes a
// byte 0xff for padding, and would let it pass to the table, which does not.
func wellFormed(id string) bool {
	return len(id) == idLen && !strings.ContainsFunc(id, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '2' || r > '7') })
}
