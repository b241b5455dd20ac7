package edge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pricemanager/internal/store"
)

const (
	// MaxAutomatic bounds the entries that no person made, so that a flood from many
	// addresses leaves operators their half of the list.
	MaxAutomatic = MaxEntries / 2
	// automatic is what the name of whoever blocks by itself begins with.
	automatic = "automatic:"
	// rewrites is how often an automatic change is tried when others change the list.
	rewrites = 5
)

// ErrFull is returned when there are as many automatic entries as there may be.
var ErrFull = errors.New("edge: the list has no room for another automatic entry")

// BlockForMisuse turns an address or prefix away for a time because a rule of the
// product says so; by names the rule. What the list says already stays as it is, then
// added is false: an address that people allow, or block for longer, is left alone,
// and a block of a rule is not prolonged.
func (l *List) BlockForMisuse(ctx context.Context, address string, lasting time.Duration, reason, by string) (added bool, err error) {
	if lasting <= 0 || lasting > Longest || reason == "" || len(reason) > maxReason || by == "" {
		return false, fmt.Errorf("edge: say which rule blocks, why in 1 to %d bytes, and for how long, at most a year", maxReason)
	}
	t, err := l.Target(ctx, address)
	if err != nil {
		return false, err
	}
	for try := 0; ; try++ {
		now := l.clock.Now().UTC()
		e := Entry{Source: t.sources[0], Wide: t.wide, Since: now, Until: now.Add(lasting), Reason: reason, By: automatic + by}
		err = l.change(ctx, func(entries []Entry) ([]Entry, error) { return withAutomatic(entries, t, e) })
		if !errors.Is(err, store.ErrConflict) || try == rewrites {
			break
		}
	}
	if errors.Is(err, errStays) {
		return false, nil
	}
	return err == nil, err
}

var errStays = errors.New("edge: the list says so already")

// withAutomatic adds an automatic entry, in the room of ended ones when there is none.
func withAutomatic(entries []Entry, t Target, e Entry) ([]Entry, error) {
	for _, old := range entries {
		if t.is(old) && e.Since.Before(old.Until) && (old.Allowed || byRule(old) || old.Until.After(e.Until)) {
			return nil, errStays
		}
	}
	entries = slices.DeleteFunc(entries, t.is)
	full := func() bool {
		n := 0
		for _, old := range entries {
			if byRule(old) {
				n++
			}
		}
		return n >= MaxAutomatic || len(entries) >= MaxEntries
	}
	if full() {
		entries = slices.DeleteFunc(entries, func(old Entry) bool { return byRule(old) && !e.Since.Before(old.Until) })
	}
	if full() {
		return nil, ErrFull
	}
	return append(entries, e), nil
}

func byRule(e Entry) bool { return strings.HasPrefix(e.By, automatic) }
