package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/personal"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Where the items are. An address finds its tenant in the Directory and its
// member in the tenant, both by a keyed hash: the table holds no address that
// somebody could try out.
const (
	membersPK = personal.MembersPK
	mailsPK   = "mails"
)

func mailKey(hash string) store.Key { return store.Key{PK: "mail#" + hash, SK: "tenant"} }

// maxMail is the longest address in bytes (RFC 5321 section 4.5.3.1.3, less the
// angle brackets).
const maxMail = 254

// Index is a keyed hash of a value, the same for the same value always, and
// useless to whoever has the table and not the key.
type Index func(ctx context.Context, kind, value string) (string, error)

// Members keeps who belongs to a tenant. It is safe for concurrent use.
type Members struct {
	DB    store.DB
	Seal  personal.Sealer
	Index Index
	Clock clock.Clock
}

// Member is one person of a tenant. A removed one keeps id and dates, for the
// ledger's sake, and neither name nor address.
type Member struct {
	ID        string
	Role      Role
	Name      personal.Sensitive[string]
	Email     personal.Sensitive[string]
	CreatedAt time.Time
	CreatedBy string
	Enrolled  time.Time // when an authenticator was set up; zero: not yet
	Password  time.Time // when the password was chosen
	Removed   time.Time // zero: a member
	Ver       int64
}

// CleanMail returns an address as it is compared and kept: without blanks
// around it and with its domain and name in lower case. It is checked for being one
// address and no more, in ASCII, since SES sends to no other; only mail that arrives
// proves that it exists.
func CleanMail(s string) (string, error) {
	clean := strings.ToLower(strings.Trim(s, " \t\r\n"))
	name, domain, ok := strings.Cut(clean, "@")
	bad := !ok || name == "" || len(name) > 64 || len(clean) > maxMail || !strings.Contains(domain, ".") || strings.ContainsAny(domain, "@_") ||
		strings.HasPrefix(domain, ".") || strings.HasSuffix(domain, ".") || strings.Contains(domain, "..") ||
		strings.ContainsFunc(s, func(r rune) bool { return r > '~' || strings.ContainsRune(`<>()[]\,;:"`, r) }) ||
		strings.ContainsFunc(clean, func(r rune) bool { return r <= ' ' })
	if bad {
		return "", fault.New(fault.Invalid, "email", "Give one e-mail address, such as ann@example.com; a domain with other letters in its form with xn--.")
	}
	return clean, nil
}

// NewMember is what Join takes: the id was made by NewMemberID, the address
// cleaned, and its owner proved that it is theirs.
type NewMember struct {
	ID    string
	Role  Role
	Name  personal.Sensitive[string]
	Email personal.Sensitive[string]
}

// ErrMailTaken is a Join with an address that somebody has, here or elsewhere.
var ErrMailTaken = errors.New("identity: the address is a member's already")

// Join makes a member, in one transaction with the writes that go with it (the
// invitation that is used up, the tenant of a first owner). Either all of it happens
// or nothing. When a write of with has its condition broken the error is
// store.ErrConflict.
func (m *Members) Join(ctx context.Context, t tenant.ID, actor string, n NewMember, with ...store.Write) error {
	if !n.Role.ForMembers() || n.ID == "" {
		return fault.New(fault.Invalid, "role", "Give one of the roles %v.", MemberRoles())
	}
	hash, err := m.Index(ctx, "mail", n.Email.Reveal())
	if err != nil {
		return fmt.Errorf("identity: join: %w", err)
	}
	key := store.Key{PK: membersPK, SK: n.ID}
	item := store.Item{Key: key, Attrs: map[string]any{
		"role": string(n.Role), "mail": hash, "createdAt": store.Millis(m.Clock.Now()), "createdBy": actor, "ver": int64(1),
	}}
	for attr, v := range map[string]struct {
		f personal.Field
		v personal.Sensitive[string]
	}{"name": {personal.MemberName, n.Name}, "email": {personal.MemberEmail, n.Email}} {
		if item.Attrs[attr], err = personal.Seal(ctx, m.Seal, t, v.f, key, v.v); err != nil {
			return fmt.Errorf("identity: join: %w", err)
		}
	}
	writes := []store.Write{
		{Tenant: store.Directory, Table: store.Identity, Put: &store.Item{Key: mailKey(hash), Attrs: map[string]any{"tenant": string(t)}}, If: []store.Cond{store.Absent()}},
		{Tenant: t, Table: store.Identity, Put: &store.Item{Key: store.Key{PK: mailsPK, SK: hash}, Attrs: map[string]any{"member": n.ID}}, If: []store.Cond{store.Absent()}},
		{Tenant: t, Table: store.Identity, Put: &item, If: []store.Cond{store.Absent()}},
	}
	if n.Role == Owner {
		writes = append(writes, owners(t, +1))
	}
	err = m.DB.Transact(ctx, append(writes, with...)...)
	var c *store.ConflictError
	if errors.As(err, &c) && c.Write < 2 {
		return ErrMailTaken
	}
	if err != nil {
		return fmt.Errorf("identity: join: %w", err)
	}
	return nil
}

// ownersKey counts a tenant's owners, so that the last one cannot go.
var ownersKey = store.Key{PK: "tenant", SK: "owners"}

func owners(t tenant.ID, by int64) store.Write {
	u := &store.Update{Add: map[string]int64{"n": by}}
	if by < 0 {
		u.If = []store.Cond{store.Gt("n", int64(1))}
	}
	return store.Write{Tenant: t, Table: store.Identity, Key: ownersKey, Update: u}
}

// NewMemberID makes the id of a member, which says nothing about them.
func NewMemberID(random func([]byte) error) (string, error) {
	var b [idBytes]byte
	if err := random(b[:]); err != nil {
		return "", fmt.Errorf("identity: random bytes: %w", err)
	}
	return "m" + lower.EncodeToString(b[:]), nil
}

var errNoMember = fault.New(fault.NotFound, "", "There is no such member.")

// Get returns a member; a removed one too.
func (m *Members) Get(ctx context.Context, t tenant.ID, id string) (Member, error) {
	if len(id) != 1+idLen {
		return Member{}, errNoMember
	}
	item, err := m.DB.Get(ctx, t, store.Identity, store.Key{PK: membersPK, SK: id})
	if errors.Is(err, store.ErrNotFound) {
		return Member{}, errNoMember
	}
	if err != nil {
		return Member{}, fmt.Errorf("identity: member: %w", err)
	}
	return m.open(ctx, t, item)
}

// ByMail returns whose address it is; NotFound for nobody's.
func (m *Members) ByMail(ctx context.Context, email string) (tenant.ID, Member, error) {
	hash, err := m.Index(ctx, "mail", email)
	if err != nil {
		return "", Member{}, fmt.Errorf("identity: by mail: %w", err)
	}
	t, id, err := m.Locate(ctx, hash)
	if err != nil {
		return "", Member{}, err
	}
	member, err := m.Get(ctx, t, id)
	return t, member, err
}

// List returns a page of the members, in order of id.
func (m *Members) List(ctx context.Context, t tenant.ID, after string, limit int) (members []Member, next string, err error) {
	page, err := m.DB.Query(ctx, t, store.Identity, store.Query{PK: membersPK, After: after, Limit: limit})
	if err != nil {
		return nil, "", fmt.Errorf("identity: list members: %w", err)
	}
	members = make([]Member, 0, len(page.Items))
	for _, item := range page.Items {
		one, err := m.open(ctx, t, item)
		if err != nil {
			return nil, "", err
		}
		members = append(members, one)
	}
	return members, page.Next, nil
}

func (m *Members) open(ctx context.Context, t tenant.ID, item store.Item) (Member, error) {
	out := memberOf(item)
	for attr, v := range map[string]struct {
		f personal.Field
		v *personal.Sensitive[string]
	}{"name": {personal.MemberName, &out.Name}, "email": {personal.MemberEmail, &out.Email}} {
		sealed := item.Bytes(attr)
		if len(sealed) == 0 {
			continue
		}
		open, err := personal.Open[string](ctx, m.Seal, t, v.f, item.Key, sealed)
		if err != nil {
			return Member{}, fmt.Errorf("identity: member %s: %w", item.SK, err)
		}
		*v.v = open
	}
	return out, nil
}

// memberOf is what an item says without its sealed fields.
func memberOf(item store.Item) Member {
	return Member{
		ID: item.SK, Role: Role(item.Str("role")), CreatedAt: item.Time("createdAt"), CreatedBy: item.Str("createdBy"),
		Enrolled: item.Time("enrolledAt"), Removed: item.Time("removedAt"), Ver: item.Int("ver"),
		Password: time.UnixMilli(max(item.Int("passwordAt"), item.Int("createdAt"))).UTC(),
	}
}
