package personal

import (
	"slices"

	"pricemanager/internal/envelope"
	"pricemanager/internal/store"
)

// Basis is the legal ground for keeping a field (GDPR Art. 6(1)).
type Basis string

// The grounds in use.
const (
	Contract   Basis = "contract (Art. 6(1)(b))"
	Legitimate Basis = "legitimate interest (Art. 6(1)(f))"
)

// Field declares one personal field: where it rests, what for and how long.
type Field struct {
	Name    string // e.g. "recipient.phone"
	Subject string // whom it is about
	Use     string // what it is there for, and for nothing else
	Basis   Basis
	Keep    string // until when
	Purpose envelope.Purpose
	Table   store.Table
	PK      string // of the items that hold it
	Attr    string
	// Fixed: it is in items that are never written again.
	Fixed bool
	// Unused: it is declared so that it can be stored in no other way, and no
	// function stores it.
	Unused bool
}

func (f Field) where(key store.Key) envelope.Where {
	return envelope.Where{Table: f.Table, Key: key, Field: f.Attr}
}

// Where the items with personal fields are.
const (
	MembersPK    = "members"
	CompanyPK    = "tenant"
	APIKeysPK    = "apikey"
	SellersPK    = "connections"
	RecipientsPK = "recipients"
	SessionsPK   = "sessions"
	TicketsPK    = "tickets"
	ledgerPK     = "log"
	outboxPK     = "outbox"
)

// The fields. Each is declared here, once.
var (
	MemberName  = member("name", "to tell members of a company apart in approvals and in the history of prices")
	MemberEmail = member("email", "to sign in, and for notices about prices, security and data protection")

	CompanyName = Field{
		Name: "company.name", Subject: "the customer, who may be a natural person",
		Use: "to tell companies apart", Basis: Contract, Keep: "until the company is erased",
		Purpose: envelope.Members, Table: store.Identity, PK: CompanyPK, Attr: "name",
	}
	APIKeyName = Field{
		Name: "apikey.name", Subject: "members, whom a key may be named after",
		Use: "to tell API keys apart", Basis: Contract, Keep: "until the company is erased",
		Purpose: envelope.Members, Table: store.Identity, PK: APIKeysPK, Attr: "name",
	}

	APIKeyFrom = Field{
		Name: "apikey.from", Subject: "members and offices, whose network addresses a key may be used from",
		Use: "to show where a key works", Basis: Contract, Keep: "until the company is erased",
		Purpose: envelope.Members, Table: store.Identity, PK: APIKeysPK, Attr: "shown",
	}
	ContactSecurity = contact("security", "whom to tell about security")
	ContactPrivacy  = contact("privacy", "whom to tell about data protection")

	SessionOrigin = Field{
		Name: "session.origin", Subject: "members",
		Use: "to let a member tell their own sessions from somebody else's", Basis: Legitimate,
		Keep:    "30 days after the session",
		Purpose: envelope.Members, Table: store.Identity, PK: SessionsPK, Attr: "origin",
	}
	TicketEmail   = ticket("email", "to let in whom an invitation, a sign-up or a change of address is for")
	TicketName    = ticket("name", "to greet whom a ticket is for, and to name the member they become")
	TicketCompany = ticket("company", "to name the company that a sign-up founds")

	SellerName = Field{
		Name: "seller.name", Subject: "the seller at Amazon, who may be a natural person",
		Use: "to tell connections apart", Basis: Contract, Keep: "until the connection or the company is erased",
		Purpose: envelope.Connections, Table: store.Connections, PK: SellersPK, Attr: "sellerName", Unused: true,
	}

	RecipientName   = recipient("name")
	RecipientStreet = recipient("street")
	RecipientCity   = recipient("city")
	RecipientPhone  = recipient("phone")
	RecipientEmail  = recipient("email")

	// EventAddress is on its way into the ledger, where it is a part of LedgerEvents.
	EventAddress = Field{
		Name: "event.address", Subject: "whoever uses the interface of a company",
		Use: "to prove from where something was asked for, and to notice misuse", Basis: Legitimate,
		Keep:    "two hours, and until the table forgets it",
		Purpose: envelope.Origins, Table: store.Offers, PK: outboxPK, Attr: "address",
	}

	// LedgerEvents holds the actor of every event and the address that a request
	// came from, among values that are not personal: all of it is sealed.
	LedgerEvents = Field{
		Name: "ledger.events", Subject: "members and whoever else uses the interface of a company",
		Use: "to prove who changed which price, and to notice misuse", Basis: Legitimate,
		Keep:    "12 months at least; made unreadable when the company is erased",
		Purpose: envelope.Ledger, Table: store.Ledger, PK: ledgerPK, Attr: "events", Fixed: true,
	}
)

func member(attr, use string) Field {
	return Field{
		Name: "member." + attr, Subject: "members", Use: use, Basis: Contract,
		Keep:    "until the member leaves or the company is erased",
		Purpose: envelope.Members, Table: store.Identity, PK: MembersPK, Attr: attr,
	}
}

func contact(attr, use string) Field {
	return Field{
		Name: "company." + attr, Subject: "whoever the customer names", Use: use, Basis: Contract,
		Keep:    "until it is changed or the company is erased",
		Purpose: envelope.Members, Table: store.Identity, PK: CompanyPK, Attr: attr,
	}
}

func ticket(attr, use string) Field {
	return Field{
		Name: "ticket." + attr, Subject: "whoever asks to join, or is asked to", Use: use, Basis: Contract,
		Keep:    "9 days at most",
		Purpose: envelope.Members, Table: store.Identity, PK: TicketsPK, Attr: attr,
	}
}

func recipient(attr string) Field {
	return Field{
		Name: "recipient." + attr, Subject: "buyers at Amazon",
		Use: "none: prices need no buyer", Basis: Contract,
		Keep:    "not kept",
		Purpose: envelope.Addresses, Table: store.Privacy, PK: RecipientsPK, Attr: attr, Unused: true,
	}
}

// Fields lists every field.
func Fields() []Field {
	return []Field{
		MemberName, MemberEmail, CompanyName, ContactSecurity, ContactPrivacy, APIKeyName, APIKeyFrom,
		SessionOrigin, TicketEmail, TicketName, TicketCompany, SellerName,
		RecipientName, RecipientStreet, RecipientCity, RecipientPhone, RecipientEmail,
		EventAddress, LedgerEvents,
	}
}

// Places lists every place where sealed bytes rest: the personal fields and what
// else is sealed with the same data keys. Destroying old versions of data keys
// relies on its being complete; a test compares it with the code that seals.
func Places() []envelope.Place {
	all := []envelope.Place{
		// The ledger's list of sources, and access tokens for the hour that they last.
		{Purpose: envelope.Ledger, Table: store.Ledger, PK: ledgerPK, Field: "seen", Fixed: true},
		{Purpose: envelope.Tokens, Table: store.Connections, PK: "token", Field: "sealed"},
		// Where price files are, with what may be the key to them.
		// What opens the archive of an export.
		{Purpose: envelope.Exports, Table: store.Privacy, PK: "export", Field: "password"},
		{Purpose: envelope.Sources, Table: store.Offers, PK: "pulls", Field: "address"},
		// What goes on with a sign-in at the provider, for a quarter of an hour.
		{Purpose: envelope.Members, Table: store.Identity, PK: TicketsPK, Field: "challenge"},
	}
	for _, f := range Fields() {
		all = append(all, envelope.Place{Purpose: f.Purpose, Table: f.Table, PK: f.PK, Field: f.Attr, Fixed: f.Fixed})
	}
	return slices.Clip(all)
}
