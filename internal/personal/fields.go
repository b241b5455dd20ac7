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
	SellersPK    = "connections"
	RecipientsPK = "recipients"
	ledgerPK     = "log"
)

// The fields. Each is declared here, once.
var (
	MemberName  = member("name", "to tell members of a company apart in approvals and in the history of prices")
	MemberEmail = member("email", "to sign in, and for notices about prices, security and data protection")

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
		Purpose: envelope.Members, Table: store.Identity, PK: MembersPK, Attr: attr, Unused: true,
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
		MemberName, MemberEmail, SellerName,
		RecipientName, RecipientStreet, RecipientCity, RecipientPhone, RecipientEmail,
		LedgerEvents,
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
	}
	for _, f := range Fields() {
		all = append(all, envelope.Place{Purpose: f.Purpose, Table: f.Table, PK: f.PK, Field: f.Attr, Fixed: f.Fixed})
	}
	return slices.Clip(all)
}
