package watch

import (
	"encoding/json"
	"slices"
	"time"

	"pricemanager/internal/ledger"
)

const (
	// settled is for how long an actor has to be known before an address can be new:
	// whoever makes a key tries it from here and there first.
	settled = 7 * 24 * time.Hour
	// roams is how many addresses an actor comes from at most for another one to mean
	// something: machines in a cloud may have a new one every day.
	roams = 8
	// maxNames bounds how many keyed hashes are kept of one actor, under old keys of
	// the hashes too.
	maxNames = 4 * roams
)

// sources is where actors come from, by keyed hashes of their addresses.
type sources struct {
	Actors []known `json:"actors,omitempty"` // the one that was seen last comes last
}

// known is what is known of one actor.
type known struct {
	Actor string   `json:"actor"`
	Since int64    `json:"since"` // Unix seconds of the first event
	Count int64    `json:"count"` // addresses, those forgotten included
	Names []string `json:"names"` // keyed hashes, the newest last
}

// take learns where an actor comes from, and returns a finding when that is new.
func (s *sources) take(e ledger.Event, leaf int64) *Finding {
	var x struct {
		From []string `json:"from"` // of one address, under every key of the hashes
	}
	if e.Actor == "" || json.Unmarshal(e.After, &x) != nil || len(x.From) == 0 {
		return nil
	}
	x.From = x.From[:min(len(x.From), 4)]
	a := known{Actor: clip(e.Actor), Since: e.At.Unix()}
	if i := slices.IndexFunc(s.Actors, func(k known) bool { return k.Actor == a.Actor }); i >= 0 {
		a = s.Actors[i]
		s.Actors = slices.Delete(s.Actors, i, i+1)
	} else if len(s.Actors) == maxSubjects {
		s.Actors = slices.Delete(s.Actors, 0, 1)
	}
	met := slices.ContainsFunc(x.From, func(n string) bool { return slices.Contains(a.Names, clip(n)) })
	fresh := !met && a.Count > 0 && a.Count < roams && e.At.Unix()-a.Since >= int64(settled/time.Second)
	usual := a.Count
	if !met {
		a.Count = min(a.Count+1, maxCount)
	}
	for _, n := range x.From { // also of one that was met: it may have a newer name
		if n = clip(n); !slices.Contains(a.Names, n) {
			a.Names = append(a.Names, n)
		}
	}
	a.Names = slices.Clone(a.Names[max(0, len(a.Names)-maxNames):])
	s.Actors = append(s.Actors, a)
	if !fresh {
		return nil
	}
	return &Finding{Kind: NewSource, Subject: a.Actor, At: e.At, Unit: "addresses", Observed: usual + 1, Limit: usual, Usual: usual, Events: 1, First: leaf, Last: leaf}
}
