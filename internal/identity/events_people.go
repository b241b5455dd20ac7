package identity

import (
	"encoding/json"

	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
)

// memberEvents are what a change of a member means. Neither name nor address is in
// any, sealed or not.
func memberEvents(r store.Record) []ledger.Event {
	now, was := r.New, r.Old
	event := func(typ ledger.Type, at, by string) ledger.Event {
		return ledger.Event{Type: typ, At: now.Time(at), Actor: now.Str(by), Target: "member:" + r.Key.SK}
	}
	role := func(i *store.Item) json.RawMessage { return document(map[string]any{"role": i.Str("role")}) }
	if was == nil {
		e := event(ledger.MemberJoined, "createdAt", "createdBy")
		e.After = role(now)
		return []ledger.Event{e}
	}
	var all []ledger.Event
	if now.Int("changedAt") != 0 && was.Str("role") != now.Str("role") {
		e := event(ledger.MemberRoleChanged, "changedAt", "changedBy")
		e.Before, e.After = role(was), role(now)
		all = append(all, e)
	}
	if dated(r, "mailChangedAt") {
		all = append(all, event(ledger.MemberMailChanged, "mailChangedAt", "mailChangedBy"))
	}
	if dated(r, "enrolledAt") {
		e := event(ledger.MemberEnrolled, "enrolledAt", "")
		e.Actor = e.Target // nobody else's hands can hold the authenticator
		all = append(all, e)
	}
	if dated(r, "unenrolledAt") {
		e := event(ledger.MemberUnenrolled, "unenrolledAt", "")
		e.Actor = e.Target
		all = append(all, e)
	}
	if dated(r, "removedAt") {
		e := event(ledger.MemberRemoved, "removedAt", "removedBy")
		e.Before = role(was)
		all = append(all, e)
	}
	return all
}

// sessionEvents are what a change of a session means. That it was used, or got
// another secret in the course of time, is none.
func sessionEvents(r store.Record) []ledger.Event {
	now := r.New
	who := "member:" + now.Str("member")
	if name := now.Str("operator"); name != "" {
		who = "operator:" + name
	}
	event := func(typ ledger.Type, at, actor string) []ledger.Event {
		return []ledger.Event{{Type: typ, At: now.Time(at), Actor: actor, Target: "session:" + r.Key.SK}}
	}
	switch {
	case r.Old == nil:
		all := event(ledger.SessionBegun, "createdAt", who)
		after := map[string]any{"enrolled": now.Bool("enrolled"), "expires": now.Time("expires")}
		if grant := now.Str("grant"); grant != "" {
			after["grant"] = grant
		}
		all[0].After = document(after)
		return all
	case dated(r, "elevatedAt"):
		return event(ledger.SessionElevated, "elevatedAt", who)
	case dated(r, "endedAt"):
		return event(ledger.SessionEnded, "endedAt", now.Str("endedBy"))
	}
	return nil
}

// grantEvents are what a change of a grant means: who lets our operators look, why and
// until when, and that they do so no more. Each session of theirs is one of its own.
func grantEvents(r store.Record) []ledger.Event {
	now := r.New
	e := ledger.Event{Target: "support:" + r.Key.SK}
	switch {
	case r.Old == nil:
		e.Type, e.At, e.Actor = ledger.SupportGranted, now.Time("createdAt"), now.Str("by")
		e.After = document(map[string]any{"reason": now.Str("reason"), "until": now.Time("until"), "emergency": now.Bool("emergency")})
	case dated(r, "revokedAt"):
		e.Type, e.At, e.Actor = ledger.SupportRevoked, now.Time("revokedAt"), now.Str("revokedBy")
	default:
		return nil
	}
	return []ledger.Event{e}
}

// dated reports whether the change is the one that the attribute has the time of.
func dated(r store.Record, attr string) bool {
	return r.New.Int(attr) != 0 && r.New.Int(attr) != r.Old.Int(attr)
}
