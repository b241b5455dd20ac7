package main

import (
	"testing"
	"time"

	"pricemanager/internal/identity"
	"pricemanager/test/isolation"
)

// TestMethodsFindNothingOfAnybody calls the rooms of people, their sessions and keys.
func TestMethodsFindNothingOfAnybody(t *testing.T) {
	t.Parallel()
	isolation.Methods(t, func(t *testing.T) isolation.Rooms {
		t.Helper()
		w := recordedWorld(t)
		a, bob, other := w.h.accounts, w.names["member-bob"], w.names["session-other"]
		grant, visit := w.names["grant"], w.names["session-operator"]
		advised, err := a.Advice(t.Context(), w.company)
		w.ok(err)
		w.ok(a.TakeAdvice(t.Context(), w.company, "member:"+bob, advised[0].ID))
		w.change()
		review, err := w.h.reviews().Of(t.Context(), w.company)
		w.ok(err)
		return isolation.Rooms{World: w.isolated(), Values: []any{identity.Viewer}, Rooms: []isolation.Room{
			{Of: a, ID: w.names["invitation"], Args: map[string][]any{
				"ListSessions": {w.names["member-ann"]}, "RemoveMember": {"member:other", bob, int64(1)},
				"Enter": {"jo", grant}, "Leave": {"olga", visit}, "TakeAdvice": {"member:other", advised[1].ID},
				"Invite": {"member:other", text("gus@example.com"), text("Gus"), identity.Viewer},
			}},
			{Of: a.Members, ID: bob, Args: map[string][]any{
				"SetRole": {"member:other", bob, identity.Editor, int64(1)}, "Remove": {"member:other", bob, int64(1)}, "SetEmail": {"member:other", bob, text("bob@new.example"), nil},
				"Join": {"member:other", identity.NewMember{ID: "mnewnewnewnewnewn", Role: identity.Viewer, Name: text("New"), Email: text("new@example.org")}, nil},
			}},
			{Of: a.Sessions, ID: other, Args: map[string][]any{
				"Begin": {"newnewnewnewnewn", identity.Start{Member: bob}}, "EndAll": {"member:other", w.names["member-ann"], ""}, "List": {w.names["member-ann"]}, "End": {"member:other", "", other},
			}},
			{Of: w.h.keys, ID: w.names["key"], Args: map[string][]any{
				"Create": {"member:other", "till", []identity.Scope{identity.OffersRead}}, "Make": {"member:other", identity.NewKey{Name: "till", Scopes: []identity.Scope{identity.OffersRead}}},
			}},
			{Of: a.Tenants, ID: "member:other", Args: map[string][]any{"Change": {"member:other", identity.Settings{Name: text("Lantern")}}}},
			{Of: w.h.reviews(), ID: "member:other", Args: map[string][]any{"Confirm": {"member:other", review.Digest}}},
			{Of: w.h.guardMails(), ID: "member:other", Args: map[string][]any{"Tell": {w.clk.Now().Add(-time.Hour)}}},
			{Of: a.Grants(), ID: grant, Args: map[string][]any{"Enter": {a.Sessions, "jo", grant}, "Leave": {a.Sessions, "olga", visit}, "Give": {"member:other", "a fault to look into", time.Hour}, "Seize": {"olga", "a fault to look into"}}},
		}}
	})
}
