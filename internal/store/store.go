// Package store is the one door to the product's data: DB, Blobs and Queue are
// small interfaces over DynamoDB, S3 and SQS. Each backend is a package of its
// own named after the technology, beside a memory backend that enforces the
// same conditions; one conformance suite, package storetest, holds them all to
// the same behaviour. Every call takes the tenant, and the backend makes the
// tenant part of the physical key, so that no key of one tenant can name an
// item of another.
//
// What the items mean is not known here: each room of the house (lane, connect,
// identity, ledger ...) owns the shape of its items, built on DB, and says which
// ledger events a change of them means.
//
// What is promised when things fail: a write happened wholly or not at all; a
// condition that does not hold is ErrConflict and changes nothing; a missing
// item, and an item of another tenant, is ErrNotFound; a call that breaks a rule
// of this package is ErrInvalid, and one that the backend turned away for load
// is ErrThrottled, and neither changes anything. Any other error leaves the
// outcome unknown to the caller, who reads again before repeating. That holds
// for an answer that was lost and asked for again: a backend never reports the
// caller's own first attempt as somebody else's conflict.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"pricemanager/internal/tenant"
)

// Errors that callers test for with errors.Is.
var (
	// ErrNotFound: there is no such item in this tenant.
	ErrNotFound = errors.New("store: not found")
	// ErrConflict: a condition of the write did not hold; nothing was written.
	ErrConflict = errors.New("store: condition not met")
	// ErrThrottled: the backend asked to slow down and retries did not help;
	// nothing was written.
	ErrThrottled = errors.New("store: throttled")
	// ErrInvalid: the call breaks a rule or limit of this package, which is a
	// mistake in the code that makes it; nothing was written. Repeating it is
	// useless.
	ErrInvalid = errors.New("store: invalid call")
)

// ConflictError is an ErrConflict with the item that stood in the way, when
// the backend returned it. In a transaction it tells of the first write whose
// condition failed; there may be others.
type ConflictError struct {
	Table   Table
	Write   int   // position of the write in its transaction; 0 for a single write
	Current *Item // nil when there is no such item or the backend did not say
}

// Error names the table but not the key, which may hold a seller's data.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("store: condition not met in %s (write %d)", e.Table, e.Write)
}

// Is makes errors.Is(err, ErrConflict) true.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// Table names one of the product's tables, split by who may read it.
type Table string

// The tables.
const (
	Offers      Table = "offers"      // offers, plans, batches, lanes
	Identity    Table = "identity"    // members, API keys, sessions
	Connections Table = "connections" // authorisations at Amazon; no secrets
	Ledger      Table = "ledger"      // append-only Merkle log
	Privacy     Table = "privacy"     // exports, erasures, tombstones
	Keys        Table = "keys"        // wrapped data keys; never backed up for long
	Limits      Table = "limits"      // counters of requests, for minutes; never backed up
)

// Tables lists all tables.
func Tables() []Table {
	return []Table{Offers, Identity, Connections, Ledger, Privacy, Keys, Limits}
}

// Streamed lists the tables whose changes become ledger events.
func Streamed() []Table { return []Table{Offers, Identity, Connections, Privacy} }

// Directory is the pseudo tenant under which the small closed set of global
// look-ups lives (API key, OAuth state, seller claim). Such an item holds a
// tenant id and nothing else of the tenant.
const Directory tenant.ID = "t_000000directory"

// Key names an item within a tenant and table. PK groups items that are
// queried together; SK orders them, by the bytes of their UTF-8. Neither may be
// empty; MaxPK and MaxSK bound them.
type Key struct{ PK, SK string }

// Item is a key with attributes. An attribute is a string (valid UTF-8), int64,
// bool or []byte; structured values are JSON in a []byte. A nil []byte comes
// back empty. The names "pk", "sk" belong to the backend. "ttl" is an int64, a
// time in Unix seconds after which the backend may delete the item, late:
// whoever cares checks it on reading. MaxItem bounds the whole.
type Item struct {
	Key
	Attrs map[string]any
}

// Str returns a string attribute, or "".
func (i Item) Str(name string) string { s, _ := i.Attrs[name].(string); return s }

// Int returns a number attribute, or 0.
func (i Item) Int(name string) int64 { n, _ := i.Attrs[name].(int64); return n }

// Bool returns a truth attribute, or false.
func (i Item) Bool(name string) bool { b, _ := i.Attrs[name].(bool); return b }

// Bytes returns a binary attribute, or nil.
func (i Item) Bytes(name string) []byte { b, _ := i.Attrs[name].([]byte); return b }

// Time returns a time kept as Unix milliseconds, or the zero time when absent.
func (i Item) Time(name string) time.Time {
	n, ok := i.Attrs[name].(int64)
	if !ok || n == 0 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}

// Millis is how times are kept: Unix milliseconds, 0 for the zero time.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Cond is a condition on the item as it is before the write. All conditions of
// a write must hold. Make one with Absent, Exists, Eq, Ne, Lt, Le, Gt, Ge,
// Missing, Has or AnyOf. Values of different types are unequal, and neither is
// less than the other. Strings and []byte are ordered by their bytes; a bool
// has no order.
type Cond struct {
	Op    CondOp
	Attr  string
	Value any
	Any   []Cond
}

// CondOp is the kind of a condition.
type CondOp string

// The kinds of conditions.
const (
	OpAbsent  CondOp = "absent"  // there is no such item
	OpExists  CondOp = "exists"  // there is such an item
	OpEq      CondOp = "eq"      // attribute exists and equals Value
	OpNe      CondOp = "ne"      // attribute is missing or differs from Value
	OpLt      CondOp = "lt"      // attribute exists and is less than Value
	OpLe      CondOp = "le"      // attribute exists and is at most Value
	OpGt      CondOp = "gt"      // attribute exists and is more than Value
	OpGe      CondOp = "ge"      // attribute exists and is at least Value
	OpMissing CondOp = "missing" // attribute does not exist
	OpHas     CondOp = "has"     // attribute exists
	OpAnyOf   CondOp = "anyOf"   // one of Any holds
)

// Absent holds when there is no such item.
func Absent() Cond { return Cond{Op: OpAbsent} }

// Exists holds when there is such an item.
func Exists() Cond { return Cond{Op: OpExists} }

// Eq holds when the attribute exists and equals v.
func Eq(attr string, v any) Cond { return Cond{Op: OpEq, Attr: attr, Value: v} }

// Ne holds when the attribute is missing or differs from v.
func Ne(attr string, v any) Cond { return Cond{Op: OpNe, Attr: attr, Value: v} }

// Lt holds when the attribute exists and is less than v.
func Lt(attr string, v any) Cond { return Cond{Op: OpLt, Attr: attr, Value: v} }

// Le holds when the attribute exists and is at most v.
func Le(attr string, v any) Cond { return Cond{Op: OpLe, Attr: attr, Value: v} }

// Gt holds when the attribute exists and is more than v.
func Gt(attr string, v any) Cond { return Cond{Op: OpGt, Attr: attr, Value: v} }

// Ge holds when the attribute exists and is at least v.
func Ge(attr string, v any) Cond { return Cond{Op: OpGe, Attr: attr, Value: v} }

// Missing holds when the attribute does not exist (or the item does not).
func Missing(attr string) Cond { return Cond{Op: OpMissing, Attr: attr} }

// Has holds when the attribute exists.
func Has(attr string) Cond { return Cond{Op: OpHas, Attr: attr} }

// AnyOf holds when at least one of conds holds.
func AnyOf(conds ...Cond) Cond { return Cond{Op: OpAnyOf, Any: conds} }

// Update changes attributes of one item, creating it when absent unless If
// says otherwise. An attribute may occur in one of Set, Add and Remove only,
// and at least one attribute must occur. Adding to an attribute that is not a
// number is ErrInvalid; the caller keeps sums within int64.
type Update struct {
	Set    map[string]any
	Add    map[string]int64 // adds to a number, from 0 when missing
	Remove []string         // removing what is missing is no error
	If     []Cond
}

// Query reads the items of one PK in SK order.
type Query struct {
	PK      string
	Prefix  string // only SKs that begin with it
	After   string // only SKs after it, in reading order; "" starts at the beginning
	Limit   int    // at most so many items; 0 is 1,000
	Reverse bool   // from the last SK to the first
}

// Page is the answer to a Query. Next is the SK to pass as After for the rest,
// "" when there is no more. A page also ends after MaxPage bytes: it may hold
// fewer items than Limit although there are more, and only Next tells. At that
// border alone Next may lead to an empty page.
type Page struct {
	Items []Item
	Next  string
}

// Write is one write of a transaction: exactly one of Put, Update, Delete or
// Check is set.
type Write struct {
	Tenant tenant.ID
	Table  Table
	Key    Key     // for Update, Delete, Check
	Put    *Item   // whole item
	Update *Update // its If are the conditions
	Delete bool
	Check  bool   // writes nothing; needs conditions
	If     []Cond // for Put, Delete and Check
}

// DB is the one door to the tables. All reads are strongly consistent.
// Implementations are safe for concurrent use.
type DB interface {
	// Get returns one item, or ErrNotFound.
	Get(ctx context.Context, t tenant.ID, table Table, key Key) (Item, error)
	// BatchGet returns the items that exist, each once, in no particular order;
	// any number of keys. It is one read per item, not a snapshot of them all.
	BatchGet(ctx context.Context, t tenant.ID, table Table, keys []Key) ([]Item, error)
	// Put writes a whole item, replacing any old one when the conditions hold.
	Put(ctx context.Context, t tenant.ID, table Table, item Item, conds ...Cond) error
	// Update changes attributes and returns the item as it is afterwards.
	Update(ctx context.Context, t tenant.ID, table Table, key Key, u Update) (Item, error)
	// Delete removes an item; removing a missing one without conditions is no error.
	Delete(ctx context.Context, t tenant.ID, table Table, key Key, conds ...Cond) error
	// Query reads items of one PK.
	Query(ctx context.Context, t tenant.ID, table Table, q Query) (Page, error)
	// Transact does all writes or none; at most MaxTransact and
	// MaxTransactBytes, each on another item, of any tenants and tables. A failed
	// condition is ErrConflict; when another of the writes is ErrInvalid for what
	// is stored, either of the two is answered.
	Transact(ctx context.Context, writes ...Write) error
}

// Record is one change of an item as the table's stream reports it: at least
// once, in order per item. A write that changes nothing has no record. Seq
// grows along the items of one PK; compare with CompareSeq.
type Record struct {
	Table   Table
	Tenant  tenant.ID
	Key     Key
	Old     *Item // nil: the item was created
	New     *Item // nil: the item was deleted
	Expired bool  // the backend deleted it because its "ttl" had passed
	Seq     string
	At      time.Time
}

// CompareSeq orders two stream sequence numbers (decimal strings of any
// length, with or without leading zeros; "" is before all others): -1, 0 or 1.
func CompareSeq(a, b string) int {
	if a != "" && b != "" {
		// Backends differ in padding, and one table's numbers may change theirs.
		a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	}
	switch {
	case len(a) != len(b):
		if len(a) < len(b) {
			return -1
		}
		return 1
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

// Blobs keeps objects too large for a table. A name is a path such as
// "plans/01J.../rows.jsonl"; the backend puts the tenant in front of it. It is
// valid UTF-8 without control characters, at most MaxName bytes, and none of
// its parts between slashes is empty, "." or "..". Implementations are safe
// for concurrent use.
type Blobs interface {
	// Put stores the object, replacing an old one of that name.
	Put(ctx context.Context, t tenant.ID, bucket Bucket, name, contentType string, body []byte) error
	// Get returns the object, or ErrNotFound.
	Get(ctx context.Context, t tenant.ID, bucket Bucket, name string) ([]byte, error)
	// Read returns the object as a stream, which the caller closes, and its size
	// in bytes; or ErrNotFound. It is for objects that may be too large for Get.
	Read(ctx context.Context, t tenant.ID, bucket Bucket, name string) (io.ReadCloser, int64, error)
	// Delete removes the object; a missing one is no error.
	Delete(ctx context.Context, t tenant.ID, bucket Bucket, name string) error
	// List returns the names that begin with prefix, sorted.
	List(ctx context.Context, t tenant.ID, bucket Bucket, prefix string) ([]string, error)
	// Link returns a URL that lets its holder download the object until it
	// expires, at most MaxLink from now. It does not check that there is one.
	Link(ctx context.Context, t tenant.ID, bucket Bucket, name string, valid time.Duration) (string, error)
	// Form returns what lets its holder put this one object, as u bounds it.
	Form(ctx context.Context, t tenant.ID, bucket Bucket, name string, u Upload) (Form, error)
}

// Bucket names one of the product's buckets.
type Bucket string

// The buckets.
const (
	Files   Bucket = "files"   // price files, plans, row files; expire after days
	Exports Bucket = "exports" // GDPR exports; expire after hours
	Archive Bucket = "archive" // ledger archive under Object Lock
	History Bucket = "history" // price history, derived from the ledger; expires after 13 months
	// Downloads holds tables that were asked for; they expire after hours.
	Downloads Bucket = "downloads"
)

// Queue sends messages. Receiving is the Lambda event source's business.
type Queue interface {
	// Send enqueues body (JSON, at most MaxMessage bytes), to be delivered after
	// delay (rounded up to whole seconds, at most MaxDelay). Delivery is at least
	// once and in no order.
	Send(ctx context.Context, body []byte, delay time.Duration) error
}

// SendJSON sends a message as JSON.
func SendJSON(ctx context.Context, q Queue, message any, delay time.Duration) error {
	body, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	return q.Send(ctx, body, delay)
}
