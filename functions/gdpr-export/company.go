package main

import (
	"context"
	"errors"
	"time"

	"pricemanager/internal/identity"
	"pricemanager/internal/privacy"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// companyFile writes what is known about the company itself.
type companyFile struct{ tenants *identity.Tenants }

type companyRow struct {
	ID        tenant.ID `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"createdAt"`
	CreatedBy string    `json:"createdBy"`
}

func (s companyFile) export(ctx context.Context, t tenant.ID, w *privacy.Writer) error {
	c, err := s.tenants.Company(ctx, t)
	if errors.Is(err, store.ErrNotFound) {
		return nil // one that was made by no function of ours
	}
	if err != nil {
		return err
	}
	return jsonFile(w, "company.json", companyRow{t, c.Name.Reveal(), c.CreatedAt, c.CreatedBy})
}

// memberList writes who belongs to the company. What a removed member left behind is
// an id and dates.
type memberList struct{ members *identity.Members }

type memberRow struct {
	ID        string        `json:"id"`
	Role      identity.Role `json:"role"`
	Name      string        `json:"name,omitempty"`
	Email     string        `json:"email,omitempty"`
	CreatedAt time.Time     `json:"createdAt"`
	CreatedBy string        `json:"createdBy"`
	Enrolled  *time.Time    `json:"enrolledAt,omitempty"`
	Removed   *time.Time    `json:"removedAt,omitempty"`
}

// memberActor is how the ledger names a member.
func memberActor(id string) string { return "member:" + id }

func (s memberList) export(ctx context.Context, t tenant.ID, w *privacy.Writer) error {
	table, err := w.Table("members", "id", "role", "name", "email", "created_at", "created_by", "enrolled_at", "removed_at")
	if err != nil {
		return err
	}
	for after := ""; ; {
		all, next, err := s.members.List(ctx, t, after, page)
		if err != nil {
			return err
		}
		for _, m := range all {
			if !w.About(memberActor(m.ID)) {
				continue
			}
			row := memberRow{m.ID, m.Role, m.Name.Reveal(), m.Email.Reveal(), m.CreatedAt, m.CreatedBy, optional(m.Enrolled), optional(m.Removed)}
			if err := table.Add(row, m.ID, string(m.Role), row.Name, row.Email, privacy.Stamp(m.CreatedAt), m.CreatedBy,
				privacy.Stamp(m.Enrolled), privacy.Stamp(m.Removed)); err != nil {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}

// sessionList writes who is or lately was signed in. Where from is sealed by package
// account, and in the ledger's events.
type sessionList struct{ sessions *identity.Sessions }

type sessionRow struct {
	ID        string     `json:"id"`
	Member    string     `json:"member,omitempty"`
	Operator  string     `json:"operator,omitempty"` // of ours, whom the company let look
	CreatedAt time.Time  `json:"createdAt"`
	LastSeen  time.Time  `json:"lastSeen"`
	Expires   time.Time  `json:"expiresAt"`
	Ended     *time.Time `json:"endedAt,omitempty"`
}

func (s sessionList) export(ctx context.Context, t tenant.ID, w *privacy.Writer) error {
	table, err := w.Table("sessions", "id", "member", "operator", "created_at", "last_seen", "expires_at", "ended_at")
	if err != nil {
		return err
	}
	for after := ""; ; {
		all, next, err := s.sessions.All(ctx, t, after, page)
		if err != nil {
			return err
		}
		for _, x := range all {
			if !w.About(memberActor(x.Member)) {
				continue
			}
			if err := table.Add(sessionRow{x.ID, x.Member, x.Operator, x.CreatedAt, x.LastSeen, x.Expires, optional(x.Ended)},
				x.ID, x.Member, x.Operator, privacy.Stamp(x.CreatedAt), privacy.Stamp(x.LastSeen), privacy.Stamp(x.Expires), privacy.Stamp(x.Ended)); err != nil {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}
