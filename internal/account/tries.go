package account

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/ledger"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// How failed tries slow down the next ones.
const (
	// freeTries may be made without waiting. TOTP has a million codes, of which three
	// are good at a time: five tries find one with 1 in 66,000, and after that there
	// are some 30 tries a day.
	freeTries = 5
	firstWait = time.Minute
	// longestWait keeps a seller whom somebody plagues from being locked out for good.
	longestWait = time.Hour
	// forgetAfter is when failed tries stop counting.
	forgetAfter = 24 * time.Hour
	// codeLife is for how long a code is remembered as used: longer than any
	// provider takes it.
	codeLife = 5 * time.Minute
	// So many mails an hour go to one address.
	mailsMost = 5
	mailsSpan = time.Hour
)

func triesKey(what string) store.Key { return store.Key{PK: "tries", SK: what} }

// try counts a try before it is made, and refuses one that comes too early. A try that
// succeeds is followed by forgive.
func (s *Service) try(ctx context.Context, t tenant.ID, what string) error {
	for range 5 {
		now := s.Clock.Now()
		item, err := s.DB.Get(ctx, t, triesTable, triesKey(what))
		cond := store.Eq("ver", item.Int("ver"))
		if errors.Is(err, store.ErrNotFound) {
			cond, err = store.Absent(), nil
		}
		if err != nil {
			return fault.New(fault.Unavailable, "", "This cannot be checked now; try again in a moment.").Because(err)
		}
		n := item.Int("n")
		if now.Sub(item.Time("at")) >= forgetAfter {
			n = 0
		}
		if until := item.Time("until"); now.Before(until) {
			wait := int((until.Sub(now) + time.Second - 1) / time.Second)
			return fault.New(fault.RateLimited, "too-many-tries", "Too many tries that were not right. Try again in %d s.", wait).With("retryAfter", wait)
		}
		n++
		set := store.Item{Key: triesKey(what), Attrs: map[string]any{
			"n": n, "at": store.Millis(now), "until": store.Millis(now.Add(waitAfter(n))), "ver": item.Int("ver") + 1, "ttl": now.Add(forgetAfter).Unix(),
		}}
		err = s.DB.Put(ctx, t, triesTable, set, cond)
		if err == nil {
			return nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return fault.New(fault.Unavailable, "", "This cannot be checked now; try again in a moment.").Because(err)
		}
	}
	return fault.New(fault.RateLimited, "too-many-tries", "Too many tries at once. Try again in a second.").With("retryAfter", 1)
}

// waitAfter is how long nobody may try after n tries in a row that failed.
func waitAfter(n int64) time.Duration {
	if n < freeTries {
		return 0
	}
	wait := firstWait
	for range n - freeTries {
		if wait *= 2; wait >= longestWait {
			return longestWait
		}
	}
	return wait
}

// forgive forgets the tries before one that was right. When that fails they count on,
// which costs the person a wait at worst.
func (s *Service) forgive(ctx context.Context, t tenant.ID, what string) {
	if err := s.DB.Delete(ctx, t, triesTable, triesKey(what)); err != nil {
		s.Log.WarnContext(ctx, "tries before a right one could not be forgotten", "cause", err)
	}
}

// once claims a member's code: it is refused if it was claimed before.
func (s *Service) once(ctx context.Context, t tenant.ID, member, code string) error {
	now := s.Clock.Now()
	sum := sha256.Sum256([]byte("code/1/" + member + "/" + code))
	err := s.DB.Put(ctx, t, triesTable, store.Item{
		Key:   store.Key{PK: "codes", SK: member + "#" + hex.EncodeToString(sum[:16])},
		Attrs: map[string]any{"until": store.Millis(now.Add(codeLife)), "ttl": now.Add(codeLife).Unix()},
	}, store.AnyOf(store.Missing("until"), store.Le("until", store.Millis(now))))
	if errors.Is(err, store.ErrConflict) {
		return errCode().Because(err)
	}
	if err != nil {
		return fault.New(fault.Unavailable, "", "The code cannot be checked now; wait for the next one and try again.").Because(err)
	}
	return nil
}

// several counts within a span from the first, and reports the number.
func (s *Service) several(ctx context.Context, what string, span time.Duration) (int64, error) {
	for range 5 {
		now := s.Clock.Now()
		item, err := s.DB.Update(ctx, Lobby, triesTable, triesKey(what), store.Update{
			Add: map[string]int64{"n": 1},
			If:  []store.Cond{store.Gt("until", store.Millis(now))},
		})
		if err == nil {
			return item.Int("n"), nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return 0, fmt.Errorf("account: count: %w", err)
		}
		err = s.DB.Put(ctx, Lobby, triesTable, store.Item{Key: triesKey(what), Attrs: map[string]any{
			"n": int64(1), "until": store.Millis(now.Add(span)), "ttl": now.Add(span).Unix(),
		}}, store.AnyOf(store.Missing("until"), store.Le("until", store.Millis(now))))
		if err == nil {
			return 1, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return 0, fmt.Errorf("account: count: %w", err)
		}
	}
	return 0, fmt.Errorf("account: count: %w", store.ErrConflict)
}

// mayMail counts a mail to an address and reports whether it may be sent: nobody's
// mailbox is filled by asking us to.
func (s *Service) mayMail(ctx context.Context, hash string) (bool, error) {
	n, err := s.several(ctx, "mails#"+hash, mailsSpan)
	return n <= mailsMost, err
}

// refused notes a try that was not right: for the ledger of whoever is known, for the
// alarm, and against the network address it came from. Nothing of what was tried is in
// it. The work is the same for an address of nobody.
func (s *Service) refused(ctx context.Context, w whose, metric string, typ ledger.Type, from Origin) {
	s.Metrics.Emit(nil, metrics.Count(metric, 1))
	err := s.note(ctx, w, typ)
	if err == nil && s.Misuse != nil && from.Address != "" {
		_, err = s.Misuse.Report(ctx, from.Address)
	}
	if err != nil {
		s.Log.WarnContext(ctx, "a refused try could not be noted", "cause", err)
	}
}

func (s *Service) note(ctx context.Context, w whose, typ ledger.Type) error {
	if w.known {
		return s.record(ctx, w.t, ledger.Event{Type: typ, Target: "member:" + w.id})
	}
	id, err := s.newID()
	if err != nil {
		return err
	}
	now := s.Clock.Now()
	return s.DB.Put(ctx, Lobby, store.Identity, store.Item{Key: store.Key{PK: "nobody", SK: id}, Attrs: map[string]any{
		"at": store.Millis(now), "ttl": now.Add(time.Hour).Unix(),
	}}, store.Absent())
}

// triesTable is where counters are: a table without a stream.
const triesTable = store.Limits
