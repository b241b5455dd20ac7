package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"pricemanager/internal/fault"
	"pricemanager/internal/guard"
	"pricemanager/internal/identity"
	"pricemanager/internal/personal"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// toldPK is of whom guards' notices are mailed to; SK: the member, or securityContact.
const toldPK = "guard-mails"

const (
	aThrough = "through" // until when the notices are that they were mailed about
	aUntil   = "until"   // before then they are mailed nothing, see GuardMails.Tell
)

const (
	// tellingLasts is longer than an invocation can (template.yaml, the Timeout of account).
	tellingLasts = 30 * time.Second
	// quiet is how long after a mail the next one comes at the earliest: what is changed
	// meanwhile is in one mail. Nobody fills mailboxes, nor uses up how much SES lets us
	// send for everybody, with changes.
	quiet = 5 * time.Minute
	// newsLives is how long a message can be under way: as long as its dead letter is
	// kept (template.yaml). Who was never told is told of nothing older.
	newsLives = 14 * 24 * time.Hour
	// toldKept is longer than that.
	toldKept = 30 * 24 * time.Hour
	// mostLines is of how many changes one mail tells each.
	mostLines = 20
)

// GuardMails tell a tenant's owners by mail who changed what protects its prices, or
// computes them.
type GuardMails struct {
	*Service
	Keys    *identity.Keys
	Notices *guard.Store
	Doors   Doors
}

// Doors says whose erasure has begun: privacy.Doors. Nothing is written about those.
type Doors interface {
	Closed(ctx context.Context, t tenant.ID) (bool, error)
	Open(t tenant.ID) store.Write
}

// Tell writes to everybody whom guard.News of that time is for: one mail each about what
// people and API keys changed since their last one. Rates that a source fetched come by
// the day; they are among the notices only. It is asked to be called again after some
// time, unless again is 0, and after an error: one who cannot be told keeps no other
// from it.
//
// Crash points, for each of them: the claim keeps a second delivery away for as long as
// the first can live; until then there was no mail, and what comes again after it begins
// anew. The mail comes before the note of it: it is sent twice rather than not. After the
// note the message finds nothing more to tell, however often it comes.
func (s *GuardMails) Tell(ctx context.Context, t tenant.ID, since time.Time) (again time.Duration, err error) {
	if early := since.Add(guard.NewsAfter).Sub(s.Clock.Now()); early > 0 {
		return early, nil // the change may still be coming
	}
	if closed, err := s.Doors.Closed(ctx, t); closed || err != nil {
		return 0, err
	}
	to, err := s.whomToTell(ctx, t)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var failed []error
	for _, r := range to {
		wait, err := s.tell(ctx, t, since, r)
		again = max(again, wait)
		failed = append(failed, err)
	}
	return again, errors.Join(failed...)
}

func (s *GuardMails) tell(ctx context.Context, t tenant.ID, since time.Time, to recipient) (again time.Duration, err error) {
	key, now := store.Key{PK: toldPK, SK: to.id}, s.Clock.Now()
	told, err := s.DB.Get(ctx, t, store.Identity, key)
	was := store.Eq(aUntil, told.Int(aUntil))
	if errors.Is(err, store.ErrNotFound) {
		was = store.Absent()
	} else if err != nil {
		return 0, fmt.Errorf("account: who was told: %w", err)
	}
	from := told.Time(aThrough)
	if !from.Before(since.Add(guard.CallLasts)) {
		return 0, nil // with other changes
	}
	if from.IsZero() {
		if from = since.Add(-newsLives); from.Before(to.since) {
			from = to.since
		}
	}
	// Whatever is older is written by now, if ever, so that nothing comes in between
	// later; the message's own change is.
	through := now.Add(-guard.CallLasts)
	lines, err := s.lines(ctx, t, from, through)
	if err != nil || len(lines) == 0 {
		return 0, err
	}
	if until := told.Time(aUntil); until.After(now) {
		return until.Sub(now), nil
	}
	claim := now.Add(tellingLasts)
	if taken, err := s.note(ctx, t, key, map[string]any{aUntil: store.Millis(claim)}, was); err != nil || !taken {
		return tellingLasts, err
	}
	once := fmt.Sprintf("guards#%s#%d", to.id, from.UnixMilli())
	if err := s.send(ctx, to.email, once, guardsChanged(s.URL, lines)); err != nil {
		return 0, err
	}
	noted, err := s.note(ctx, t, key, map[string]any{aThrough: store.Millis(through), aUntil: store.Millis(now.Add(quiet))}, store.Eq(aUntil, store.Millis(claim)))
	if err != nil || !noted {
		return tellingLasts, err
	}
	return 0, nil
}

// note writes down what was done, unless somebody else did or the tenant's erasure has
// begun.
func (s *GuardMails) note(ctx context.Context, t tenant.ID, key store.Key, set map[string]any, was store.Cond) (bool, error) {
	set["ttl"] = s.Clock.Now().Add(toldKept).Unix()
	err := s.DB.Transact(ctx, s.Doors.Open(t),
		store.Write{Tenant: t, Table: store.Identity, Key: key, Update: &store.Update{Set: set, If: []store.Cond{was}}})
	if errors.Is(err, store.ErrConflict) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("account: note who was told: %w", err)
	}
	return true, nil
}

// what a notice is about, in a mail.
var changedWhat = map[string]string{
	guard.ChangedSettings: "the guards", guard.ChangedCosts: "the costs", guard.ChangedLinks: "the links between marketplaces", guard.ChangedRates: "the exchange rates",
	guard.ChangedSource: "where the exchange rates are fetched from",
}

// lines say what was changed, when and by whom, and no more: mail is not private.
func (s *GuardMails) lines(ctx context.Context, t tenant.ID, from, until time.Time) (lines []string, err error) {
	notices, err := s.Notices.Between(ctx, t, from, until)
	if err != nil {
		return nil, err
	}
	names, left := map[string]string{}, 0
	for _, n := range notices {
		if strings.HasPrefix(n.Actor, "pull:") {
			continue
		}
		if len(lines) == mostLines {
			left++
			continue
		}
		if names[n.Actor] == "" {
			if names[n.Actor], err = s.who(ctx, t, n.Actor); err != nil {
				return nil, err
			}
		}
		lines = append(lines, fmt.Sprintf("- %s UTC: %s, by %s", n.At.UTC().Format(time.DateTime), changedWhat[n.What], names[n.Actor]))
	}
	if left > 0 {
		lines = append(lines, fmt.Sprintf("- and %d more after that", left))
	}
	return lines, nil
}

// who says whose id it is. Somebody who has left has no name any more.
func (s *GuardMails) who(ctx context.Context, t tenant.ID, actor string) (string, error) {
	kind, id, _ := strings.Cut(actor, ":")
	var name personal.Sensitive[string]
	var err error
	switch kind {
	case "member":
		var m identity.Member
		m, err = s.Members.Get(ctx, t, id)
		name = m.Name
	case "key":
		var k identity.Key
		k, err = s.Keys.Get(ctx, t, id)
		name = k.Name
	default:
		return actor, nil
	}
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return "", fmt.Errorf("account: who changed it: %w", err)
	}
	switch shown := asName(name.Reveal()); {
	case kind == "key" && shown != "":
		return fmt.Sprintf("the API key %q (%s)", shown, id), nil
	case kind == "key":
		return "the API key " + id, nil
	case shown != "":
		return shown, nil
	}
	return "a member who has left (" + id + ")", nil
}

// asName keeps a name that somebody chose from looking like text of ours, or like a
// link.
func asName(s string) string {
	if strings.Contains(s, "://") {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
}

func guardsChanged(base string, lines []string) letter {
	return letter{"What protects your prices was changed", paragraphs(
		"This was changed in your company's account:",
		strings.Join(lines, "\n"),
		"GET "+base+"/guards/notices shows each change, and of the guards what they were before.",
		"If it was one of you, there is nothing that you need to do. If not: POST "+base+"/stops stops the sending of prices at once. Then revoke the API key ("+base+"/api-keys), or choose a new password ("+base+ResetPage+"), and put back what was changed.")}
}
