package account

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"pricemanager/internal/envelope"
	"pricemanager/internal/fault"
	"pricemanager/internal/personal"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// kind is what a ticket is good for. One is never taken for another.
type kind string

const (
	forSignUp     kind = "sign-up"
	forNothing    kind = "nothing" // stands in where there is nothing to do, and is never handed out
	forInvitation kind = "invitation"
	forReset      kind = "reset"
	forOldMail    kind = "old-mail" // a change of address, agreed to at the old one
	forNewMail    kind = "new-mail"
	forNotMe      kind = "not-me" // a sign-in that was somebody else's
	forCode       kind = "code"   // a sign-in whose password was right
	forEnrolment  kind = "enrol"  // an authenticator that is being set up
)

// How long tickets can be used.
const (
	signUpLife     = 24 * time.Hour
	invitationLife = 7 * 24 * time.Hour
	resetLife      = time.Hour
	changeLife     = 24 * time.Hour
	notMeLife      = 7 * 24 * time.Hour
	// attemptLife is that of the provider's challenge.
	attemptLife = 15 * time.Minute
	// claimLife is how long one use of a ticket keeps others out: longer than a
	// function runs.
	claimLife = time.Minute
	// kept is how much longer the table keeps a ticket.
	kept = 24 * time.Hour
)

const ticketPK, ticketPrefix = personal.TicketsPK, "pmt_"

func ticketKey(id string) store.Key { return store.Key{PK: ticketPK, SK: id} }

// issue is what a ticket is made of.
type issue struct {
	kind   kind
	life   time.Duration
	id     string // "" makes one
	member string // whom it is for, when that is a member already
	by     string // who asked
	role   string
	other  string // id of the ticket it belongs to

	email, name, company personal.Sensitive[string]
	challenge            secret.Value
}

var sealedFields = []struct {
	field personal.Field
	of    func(*issue) *personal.Sensitive[string]
}{
	{personal.TicketEmail, func(i *issue) *personal.Sensitive[string] { return &i.email }},
	{personal.TicketName, func(i *issue) *personal.Sensitive[string] { return &i.name }},
	{personal.TicketCompany, func(i *issue) *personal.Sensitive[string] { return &i.company }},
}

const aChallenge = "challenge"

// hand makes a ticket and returns its id and its text.
func (s *Service) hand(ctx context.Context, t tenant.ID, i issue) (id string, text secret.Value, err error) {
	item, text, err := s.draw(ctx, t, i)
	if err != nil {
		return "", secret.Value{}, err
	}
	if err := s.DB.Put(ctx, t, store.Identity, item); err != nil {
		return "", secret.Value{}, fmt.Errorf("account: ticket: %w", err)
	}
	return item.SK, text, nil
}

// draw makes a ticket's item and text, and stores nothing.
func (s *Service) draw(ctx context.Context, t tenant.ID, i issue) (item store.Item, text secret.Value, err error) {
	if i.id == "" {
		if i.id, err = s.newID(); err != nil {
			return store.Item{}, secret.Value{}, err
		}
	}
	b, err := s.random(16)
	if err != nil {
		return store.Item{}, secret.Value{}, err
	}
	now := s.Clock.Now()
	text = secret.New(ticketPrefix + string(t) + "." + i.id + "." + hex.EncodeToString(b))
	hash := sha256.Sum256([]byte(text.Reveal()))
	item = store.Item{Key: ticketKey(i.id), Attrs: map[string]any{
		"kind": string(i.kind), "hash": hash[:], "createdAt": store.Millis(now), "expires": store.Millis(now.Add(i.life)),
		"ttl": now.Add(i.life + kept).Unix(), "member": i.member, "by": i.by, "role": i.role, "other": i.other,
	}}
	for _, f := range sealedFields {
		if v := *f.of(&i); !v.Empty() {
			if item.Attrs[f.field.Attr], err = personal.Seal(ctx, s.Seal, t, f.field, item.Key, v); err != nil {
				return store.Item{}, secret.Value{}, fmt.Errorf("account: ticket: %w", err)
			}
		}
	}
	if !i.challenge.Empty() {
		item.Attrs[aChallenge], err = s.Seal.Seal(ctx, t, envelope.Members, challengeAt(item.Key), []byte(i.challenge.Reveal()))
		if err != nil {
			return store.Item{}, secret.Value{}, fmt.Errorf("account: ticket: %w", err)
		}
	}
	return item, text, nil
}

func challengeAt(key store.Key) envelope.Where {
	return envelope.Where{Table: store.Identity, Key: key, Field: aChallenge}
}

// ticket is one that is good.
type ticket struct {
	issue
	t    tenant.ID
	key  store.Key
	used bool
}

func errTicket() *fault.Fault {
	return fault.New(fault.Gone, "ticket-spent", "This link is not valid, or not any more. Ask for a new one.")
}

// find returns the ticket that the text is of. Every reason for refusing one is the
// same answer. One of a kind in again may have been used before.
func (s *Service) find(ctx context.Context, text secret.Value, kinds ...kind) (ticket, error) {
	t, id, ok := parseTicket(text)
	if !ok {
		return ticket{}, errTicket()
	}
	item, err := s.DB.Get(ctx, t, store.Identity, ticketKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return ticket{}, errTicket()
	}
	if err != nil {
		return ticket{}, fmt.Errorf("account: ticket: %w", err)
	}
	hash := sha256.Sum256([]byte(text.Reveal()))
	if subtle.ConstantTimeCompare(hash[:], item.Bytes("hash")) != 1 {
		return ticket{}, errTicket()
	}
	found, err := s.open(ctx, t, item, kinds...)
	// A change of address has two tickets: the one that came first is looked at again.
	if err == nil && found.used && found.kind != forOldMail && found.kind != forNewMail {
		return ticket{}, errTicket()
	}
	return found, err
}

// open reads a ticket's item.
func (s *Service) open(ctx context.Context, t tenant.ID, item store.Item, kinds ...kind) (ticket, error) {
	out := ticket{t: t, key: item.Key, used: item.Int("usedAt") != 0, issue: issue{
		kind: kind(item.Str("kind")), id: item.SK, member: item.Str("member"), by: item.Str("by"), role: item.Str("role"), other: item.Str("other"),
	}}
	wanted := false
	for _, k := range kinds {
		wanted = wanted || out.kind == k
	}
	if !wanted || item.Bool("withdrawn") || !s.Clock.Now().Before(item.Time("expires")) {
		return ticket{}, errTicket()
	}
	for _, f := range sealedFields {
		sealed := item.Bytes(f.field.Attr)
		if len(sealed) == 0 {
			continue
		}
		v, err := personal.Open[string](ctx, s.Seal, t, f.field, item.Key, sealed)
		if err != nil {
			return ticket{}, fmt.Errorf("account: ticket: %w", err)
		}
		*f.of(&out.issue) = v
	}
	if sealed := item.Bytes(aChallenge); len(sealed) > 0 {
		b, err := s.Seal.Open(ctx, t, envelope.Members, challengeAt(item.Key), sealed)
		if err != nil {
			return ticket{}, fmt.Errorf("account: ticket: %w", err)
		}
		out.challenge = secret.New(string(b))
	}
	return out, nil
}

// claim keeps other uses of the ticket out for a minute, and returns what the write
// that spends it has to name. A use that was cut off is taken up again after that.
func (s *Service) claim(ctx context.Context, k ticket) (string, error) {
	mine, err := s.newID()
	if err != nil {
		return "", err
	}
	now := s.Clock.Now()
	_, err = s.DB.Update(ctx, k.t, store.Identity, k.key, store.Update{
		Set: map[string]any{"claim": mine, "claimedAt": store.Millis(now)},
		If: []store.Cond{
			store.Exists(), store.Missing("usedAt"), store.Missing("withdrawn"),
			store.AnyOf(store.Missing("claimedAt"), store.Le("claimedAt", store.Millis(now.Add(-claimLife)))),
		},
	})
	if errors.Is(err, store.ErrConflict) {
		return "", fault.New(fault.Conflict, "ticket-busy", "This link is being used, or was just now. If it did not work, try again in a minute.").Because(err)
	}
	if err != nil {
		return "", fmt.Errorf("account: ticket: %w", err)
	}
	return mine, nil
}

// release gives a claim back, when nothing was done with it.
func (s *Service) release(ctx context.Context, k ticket, claim string) {
	_, _ = s.DB.Update(ctx, k.t, store.Identity, k.key, store.Update{
		Remove: []string{"claim", "claimedAt"}, If: []store.Cond{store.Exists(), store.Eq("claim", claim), store.Missing("usedAt")},
	})
}

// spend is the write that uses a ticket up; claim "" is for one that needs no claim.
func (s *Service) spend(k ticket, claim string) store.Write {
	conds := []store.Cond{store.Exists(), store.Missing("usedAt"), store.Missing("withdrawn")}
	if claim != "" {
		conds = append(conds, store.Eq("claim", claim))
	}
	return store.Write{Tenant: k.t, Table: store.Identity, Key: k.key, Update: &store.Update{
		Set: map[string]any{"usedAt": store.Millis(s.Clock.Now())}, Remove: []string{aChallenge}, If: conds,
	}}
}

func parseTicket(text secret.Value) (t tenant.ID, id string, ok bool) {
	rest, ok := strings.CutPrefix(text.Reveal(), ticketPrefix)
	parts := strings.Split(rest, ".")
	if !ok || len(parts) != 3 || len(parts[2]) != 32 {
		return "", "", false
	}
	t = tenant.ID(parts[0])
	if b, err := lower.DecodeString(parts[1]); err != nil || len(b) != 10 || len(parts[1]) != 16 || !t.Valid() || t == store.Directory {
		return "", "", false
	}
	return t, parts[1], true
}
