package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// EventVersion is the version of Event's shape. Readers accept it and older ones.
const EventVersion = 1

// MaxEvent is the most bytes that one event may take as JSON. Larger values
// belong in a bucket, with their digest in the event.
const MaxEvent = 64 << 10

// ErrInvalid: an entry that the ledger does not take as it is.
var ErrInvalid = errors.New("ledger: invalid entry")

// Type says what happened.
type Type string

// The types: a closed set. A type is never renamed or given another meaning,
// because it is in signed history.
const (
	OfferImported Type = "offer.imported" // a price was read from Amazon for the first time or anew
	OfferRemoved  Type = "offer.removed"  // Amazon no longer lists it
	OfferDrifted  Type = "offer.drifted"  // a price was changed at Amazon by somebody else

	PlanCreated    Type = "plan.created"
	PlanApproved   Type = "plan.approved"
	BatchScheduled Type = "batch.scheduled"
	BatchCreated   Type = "batch.created"
	BatchActivated Type = "batch.activated"
	BatchRefused   Type = "batch.refused"
	BatchCompleted Type = "batch.completed"
	RevertAsked    Type = "batch.revert-asked" // a batch is to be taken back at a time, at another time, or not any more
	BatchReverted  Type = "batch.reverted"     // how that ended

	ChangeDesired     Type = "change.desired"
	ChangeSent        Type = "change.sent"
	ChangeAccepted    Type = "change.accepted"
	ChangeObserved    Type = "change.observed"
	ChangeRejected    Type = "change.rejected"
	ChangeUnknown     Type = "change.unknown"
	ChangeUnconfirmed Type = "change.unconfirmed"
	ChangeSuperseded  Type = "change.superseded"
	ChangeHeld        Type = "change.held"
	ChangeRefused     Type = "change.refused"

	FeedSent    Type = "feed.sent"
	FeedEscaped Type = "feed.escaped"
	FeedEnded   Type = "feed.ended"

	GuardsChanged Type = "guards.changed" // a tenant's guard settings, or what its SKUs cost
	LinksChanged  Type = "links.changed"  // which marketplaces follow which
	RatesChanged  Type = "rates.changed"  // the exchange rates of links

	MappingRemembered Type = "mapping.remembered" // what the columns of a header mean
	MappingForgotten  Type = "mapping.forgotten"

	PullCreated Type = "pull.created"
	PullChanged Type = "pull.changed"
	PullDeleted Type = "pull.deleted"
	PullPaused  Type = "pull.paused"  // it failed too often
	PullFetched Type = "pull.fetched" // a new file, and the plan that is made of it

	StopSet    Type = "stop.set"
	StopLifted Type = "stop.lifted"

	LaneParked  Type = "lane.parked"
	LaneResumed Type = "lane.resumed"

	QuotaSuspected Type = "quota.suspected" // something else seems to use a seller's quota at Amazon
	QuotaCleared   Type = "quota.cleared"

	ConnectionStarted     Type = "connection.started"
	ConnectionAuthorised  Type = "connection.authorised"
	ConnectionReauthorise Type = "connection.reauthorise"
	ConnectionClosed      Type = "connection.closed"
	ImportStarted         Type = "import.started"
	ImportCompleted       Type = "import.completed"
	ImportFailed          Type = "import.failed"

	ExportRequested Type = "export.requested"
	ExportCompleted Type = "export.completed"
	ExportFailed    Type = "export.failed"
	TableExported   Type = "table.exported" // somebody took offers, history or rows away

	ErasureRequested Type = "erasure.requested" // everything of the tenant is to be erased
	ErasureCancelled Type = "erasure.cancelled"
	ErasureStarted   Type = "erasure.started" // nothing of the tenant can be read soon after, this included

	SuspicionRaised   Type = "suspicion.raised"
	SuspicionAnswered Type = "suspicion.answered" // a member said whose doing it was

	DataRead      Type = "data.read"       // somebody was given Amazon's data by a route, for the first time in an hour
	DataReadCount Type = "data.read-count" // how often in that hour

	RequestMade    Type = "request.made"    // somebody asked for a change by a route, for the first time in an hour from an address
	RequestCount   Type = "request.count"   // how often in that hour
	RequestRefused Type = "request.refused" // of a key or member of the tenant, or of who said so

	TenantCreated Type = "tenant.created"
	APIKeyCreated Type = "apikey.created"
	APIKeyRevoked Type = "apikey.revoked"

	MemberJoined      Type = "member.joined"
	MemberRoleChanged Type = "member.role-changed"
	MemberMailChanged Type = "member.mail-changed" // that it was, not from or to what
	MemberEnrolled    Type = "member.enrolled"     // an authenticator was set up
	MemberUnenrolled  Type = "member.unenrolled"   // it was taken away
	MemberRemoved     Type = "member.removed"
	SessionBegun      Type = "session.begun"
	SessionElevated   Type = "session.elevated" // a code was checked in it
	SessionEnded      Type = "session.ended"    // by somebody; one that expires ends without an event

	SignInRefused       Type = "signin.refused"  // a password that was not right
	CodeRefused         Type = "code.refused"    // nor a code
	SignInDisowned      Type = "signin.disowned" // a member said that it was not them
	PasswordChanged     Type = "password.changed"
	RecoveryMade        Type = "recovery.made" // recovery codes, in place of all earlier ones
	RecoveryUsed        Type = "recovery.used"
	InvitationMade      Type = "invitation.made"
	InvitationWithdrawn Type = "invitation.withdrawn"
	TenantChanged       Type = "tenant.changed" // its name or its contacts: that they were, not to what

	SupportGranted Type = "support.granted" // our operators may look, or do so in an emergency
	SupportRevoked Type = "support.revoked"
	AccessReviewed Type = "access.reviewed" // somebody looked through who has access
	AdviceTaken    Type = "advice.taken"    // somebody said that a piece of our advice is followed

	TokenIssued Type = "token.issued"

	// Gap: an item's state whose event the ledger was never told of. What is known of
	// it is in After; when it came about, and by whom, may not be.
	Gap Type = "ledger.gap"
)

var types = func() map[Type]bool {
	m := map[Type]bool{}
	for _, t := range Types() {
		m[t] = true
	}
	return m
}()

// Types lists every type.
func Types() []Type {
	return []Type{
		OfferImported, OfferRemoved, OfferDrifted,
		PlanCreated, PlanApproved, BatchScheduled, BatchCreated, BatchActivated, BatchRefused, BatchCompleted, RevertAsked, BatchReverted,
		ChangeDesired, ChangeSent, ChangeAccepted, ChangeObserved, ChangeRejected, ChangeUnknown,
		ChangeUnconfirmed, ChangeSuperseded, ChangeHeld, ChangeRefused,
		FeedSent, FeedEscaped, FeedEnded,
		GuardsChanged, LinksChanged, RatesChanged, MappingRemembered, MappingForgotten, PullCreated, PullChanged, PullDeleted, PullPaused, PullFetched,
		StopSet, StopLifted, LaneParked, LaneResumed, QuotaSuspected, QuotaCleared,
		ConnectionStarted, ConnectionAuthorised, ConnectionReauthorise, ConnectionClosed,
		ImportStarted, ImportCompleted, ImportFailed,
		ExportRequested, ExportCompleted, ExportFailed, TableExported, DataRead, DataReadCount, RequestMade, RequestCount, RequestRefused, ErasureRequested, ErasureCancelled, ErasureStarted,
		SuspicionRaised, SuspicionAnswered,
		MemberJoined, MemberRoleChanged, MemberMailChanged, MemberEnrolled, MemberUnenrolled, MemberRemoved, SessionBegun, SessionElevated, SessionEnded,
		SignInRefused, CodeRefused, SignInDisowned, PasswordChanged, RecoveryMade, RecoveryUsed, InvitationMade, InvitationWithdrawn, TenantChanged,
		SupportGranted, SupportRevoked, AccessReviewed, AdviceTaken,
		TenantCreated, APIKeyCreated, APIKeyRevoked, TokenIssued, Gap,
	}
}

// Valid reports whether t is one of the types.
func (t Type) Valid() bool { return types[t] }

// Event is one thing that happened. Before and After are JSON of the values
// that changed, as the room that owns them writes it; prices in them are
// decimal strings.
type Event struct {
	Version     int             `json:"v"`
	Type        Type            `json:"type"`
	At          time.Time       `json:"at"`                    // when it happened, UTC, whole milliseconds
	Actor       string          `json:"actor,omitempty"`       // member, API key or part of the system that did it
	Address     string          `json:"address,omitempty"`     // network address that the actor's request came from, of events that know
	Target      string          `json:"target,omitempty"`      // what it happened to
	Before      json.RawMessage `json:"before,omitempty"`      // nil: there was nothing before
	After       json.RawMessage `json:"after,omitempty"`       // nil: there is nothing after
	Batch       string          `json:"batch,omitempty"`       // batch id, when it belongs to one
	Correlation string          `json:"correlation,omitempty"` // id of the request that caused it
	Source      string          `json:"source,omitempty"`      // where the ledger learned of it: a table, or "direct"
}

// encode returns the canonical bytes of the event: compact JSON, members in
// the order of the struct. These very bytes are committed to, kept and
// exported; nothing is ever re-encoded.
func (e Event) encode() ([]byte, error) {
	if e.Version == 0 {
		e.Version = EventVersion
	}
	switch {
	case e.Version != EventVersion:
		return nil, fmt.Errorf("%w: event version %d, want %d", ErrInvalid, e.Version, EventVersion)
	case !e.Type.Valid():
		return nil, fmt.Errorf("%w: unknown event type %q", ErrInvalid, e.Type)
	case e.At.IsZero():
		return nil, fmt.Errorf("%w: %s has no time", ErrInvalid, e.Type)
	}
	for _, s := range [...]string{e.Actor, e.Address, e.Target, e.Batch, e.Correlation, e.Source} {
		if !utf8.ValidString(s) {
			return nil, fmt.Errorf("%w: %s has text that is not UTF-8", ErrInvalid, e.Type)
		}
	}
	e.At = e.At.UTC().Truncate(time.Millisecond)
	b, ok := e.plain()
	if !ok {
		var err error
		if b, err = json.Marshal(e); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrInvalid, e.Type, err)
		}
	}
	if len(b) > MaxEvent {
		return nil, fmt.Errorf("%w: %s is %d bytes, at most %d", ErrInvalid, e.Type, len(b), MaxEvent)
	}
	return b, nil
}

// plain is what json.Marshal says, of an event in which nothing needs escaping or
// compacting: nearly all are so, and encoding is a third of what an append costs.
func (e Event) plain() (b []byte, ok bool) {
	if y := e.At.Year(); y < 0 || y > 9999 {
		return nil, false
	}
	b = make([]byte, 0, 192+len(e.Target)+len(e.Before)+len(e.After)+len(e.Batch)+len(e.Correlation))
	b = append(b, `{"v":`...)
	b = strconv.AppendInt(b, int64(e.Version), 10)
	b = append(b, `,"type":"`...)
	b = append(b, e.Type...) // one of ours
	b = append(b, `","at":"`...)
	b = e.At.AppendFormat(b, time.RFC3339Nano)
	b = append(b, '"')
	for _, f := range [...]struct {
		name string
		text string
		raw  json.RawMessage
	}{
		{name: `,"actor":`, text: e.Actor}, {name: `,"address":`, text: e.Address}, {name: `,"target":`, text: e.Target},
		{name: `,"before":`, raw: e.Before}, {name: `,"after":`, raw: e.After},
		{name: `,"batch":`, text: e.Batch}, {name: `,"correlation":`, text: e.Correlation}, {name: `,"source":`, text: e.Source},
	} {
		switch {
		case f.text != "":
			if !simple(f.text) {
				return nil, false
			}
			b = append(b, f.name...)
			b = append(b, '"')
			b = append(b, f.text...)
			b = append(b, '"')
		case len(f.raw) > 0:
			if !compact(f.raw) || !json.Valid(f.raw) {
				return nil, false
			}
			b = append(b, f.name...)
			b = append(b, f.raw...)
		}
	}
	return append(b, '}'), true
}

// simple reports whether the text stands between quotes as it is.
func simple(text string) bool {
	for i := range len(text) {
		if !printable(text[i]) || text[i] == '"' || text[i] == '\\' {
			return false
		}
	}
	return true
}

// compact reports whether valid JSON is as json.Marshal leaves it: it has spaces
// in strings only.
func compact(raw []byte) bool {
	quoted, escaped := false, false
	for _, c := range raw {
		if !printable(c) || c == ' ' && !quoted {
			return false
		}
		if c == '"' && !escaped {
			quoted = !quoted
		}
		escaped = c == '\\' && !escaped
	}
	return true
}

// printable is ASCII but for what JSON for pages escapes.
func printable(c byte) bool {
	return c >= ' ' && c <= '~' && c != '<' && c != '>' && c != '&'
}
