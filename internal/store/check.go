package store

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"pricemanager/internal/tenant"
)

// The checks below are the rules that every backend of DB enforces in the same
// words before it does anything, so that what works on one works on all. They
// all return ErrInvalid.

// CheckKeys refuses a read of keys that cannot exist.
func CheckKeys(t tenant.ID, table Table, keys ...Key) error {
	if err := checkPlace(t, table); err != nil {
		return err
	}
	for _, k := range keys {
		if err := checkKey(k); err != nil {
			return err
		}
	}
	return nil
}

// CheckQuery refuses a malformed query.
func CheckQuery(t tenant.ID, table Table, q Query) error {
	if err := CheckKeys(t, table, Key{PK: q.PK, SK: "any"}); err != nil {
		return err
	}
	if q.Limit < 0 {
		return invalid("query with a negative limit")
	}
	for _, s := range []string{q.Prefix, q.After} {
		if len(s) > MaxSK || !utf8.ValidString(s) {
			return invalid("query prefix or start that is too long or not UTF-8")
		}
	}
	return nil
}

// CheckWrites refuses a malformed transaction; a single write is one of one.
func CheckWrites(writes ...Write) error {
	if len(writes) == 0 || len(writes) > MaxTransact {
		return invalid("transaction of %d writes: want 1 to %d", len(writes), MaxTransact)
	}
	total := 0
	for i, w := range writes {
		size, err := checkWrite(w)
		if err != nil {
			return fmt.Errorf("write %d: %w", i, err)
		}
		total += size
	}
	if total > MaxTransactBytes {
		return invalid("transaction of %d bytes: at most %d", total, MaxTransactBytes)
	}
	return checkDistinct(writes)
}

// On is the key that the write is about.
func (w Write) On() Key {
	if w.Put != nil {
		return w.Put.Key
	}
	return w.Key
}

// Conditions are those of the write, wherever its kind keeps them.
func (w Write) Conditions() []Cond {
	if w.Update != nil {
		return w.Update.If
	}
	return w.If
}

func checkDistinct(writes []Write) error {
	if len(writes) == 1 {
		return nil
	}
	type place struct {
		tenant.ID
		Table
		Key
	}
	seen := make(map[place]bool, len(writes))
	for i, w := range writes {
		p := place{w.Tenant, w.Table, w.On()}
		if seen[p] {
			return invalid("write %d: the item occurs twice in the transaction", i)
		}
		seen[p] = true
	}
	return nil
}

// checkWrite returns the bytes that the write brings along.
func checkWrite(w Write) (size int, err error) {
	if err := checkPlace(w.Tenant, w.Table); err != nil {
		return 0, err
	}
	if err := checkKey(w.On()); err != nil {
		return 0, err
	}
	if err := checkConds(w.Conditions()); err != nil {
		return 0, err
	}
	kinds := 0
	for _, set := range []bool{w.Put != nil, w.Update != nil, w.Delete, w.Check} {
		if set {
			kinds++
		}
	}
	switch {
	case kinds != 1:
		return 0, invalid("a write is exactly one of Put, Update, Delete, Check")
	case w.Put != nil && w.Key != Key{} && w.Key != w.Put.Key:
		return 0, invalid("a Put whose Key is not its item's")
	case w.Update != nil && len(w.If) > 0:
		return 0, invalid("the conditions of an Update belong in its own If")
	case w.Check && len(w.If) == 0:
		return 0, invalid("a Check without conditions")
	case w.Put != nil:
		return checkItem(w.Tenant, *w.Put)
	case w.Update != nil:
		return checkUpdate(*w.Update)
	}
	return 0, nil
}

func checkPlace(t tenant.ID, table Table) error {
	if !t.Valid() {
		return fmt.Errorf("%w: %w", ErrInvalid, tenant.ErrInvalid)
	}
	switch table {
	case Offers, Identity, Connections, Ledger, Privacy, Keys, Limits:
		return nil
	}
	return invalid("unknown table %q", string(table))
}

func checkKey(k Key) error {
	switch {
	case k.PK == "" || k.SK == "":
		return invalid("empty key")
	case len(k.PK) > MaxPK || len(k.SK) > MaxSK:
		return invalid("key of %d and %d bytes: at most %d and %d", len(k.PK), len(k.SK), MaxPK, MaxSK)
	case !utf8.ValidString(k.PK) || !utf8.ValidString(k.SK):
		// Encoding would replace the bad bytes, and two keys could become one.
		return invalid("key is not UTF-8")
	}
	return nil
}

func checkItem(t tenant.ID, it Item) (size int, err error) {
	for name, v := range it.Attrs {
		if err := checkAttr(name, v); err != nil {
			return 0, err
		}
	}
	if size = Size(t, it); size > MaxItem {
		return 0, invalid("item of %d bytes: at most %d", size, MaxItem)
	}
	return size, nil
}

func checkUpdate(u Update) (size int, err error) {
	if len(u.Set)+len(u.Add)+len(u.Remove) == 0 {
		return 0, invalid("an Update that changes nothing")
	}
	for name, v := range u.Set {
		if err := checkAttr(name, v); err != nil {
			return 0, err
		}
		size += len(name) + ValueSize(v)
	}
	for name, n := range u.Add {
		if err := checkAttr(name, n); err != nil {
			return 0, err
		}
		if _, both := u.Set[name]; both {
			return 0, invalid("attribute %q both set and added to", name)
		}
	}
	for i, name := range u.Remove {
		if err := checkAttrName(name); err != nil {
			return 0, err
		}
		_, set := u.Set[name]
		_, added := u.Add[name]
		if set || added || slices.Contains(u.Remove[:i], name) {
			return 0, invalid("attribute %q removed and named again", name)
		}
	}
	if size > MaxItem {
		return 0, invalid("update of %d bytes: an item has at most %d", size, MaxItem)
	}
	return size, nil
}

func checkAttr(name string, v any) error {
	if err := checkAttrName(name); err != nil {
		return err
	}
	switch v := v.(type) {
	case string:
		if !utf8.ValidString(v) {
			return invalid("attribute %q is not UTF-8; keep it as []byte", name)
		}
	case int64:
		return nil
	case bool, []byte:
	default:
		return invalid("attribute %q is a %T: want string, int64, bool or []byte", name, v)
	}
	if name == "ttl" {
		return invalid("attribute \"ttl\" is a %T: want int64, in Unix seconds", v)
	}
	return nil
}

func checkAttrName(name string) error {
	if name == "" || name == "pk" || name == "sk" || len(name) > MaxAttr || !utf8.ValidString(name) {
		return invalid("attribute name %q", name)
	}
	return nil
}

func checkConds(conds []Cond) error {
	for _, c := range conds {
		if err := checkCond(c); err != nil {
			return err
		}
	}
	return nil
}

func checkCond(c Cond) error {
	switch c.Op {
	case OpAbsent, OpExists:
		return nil
	case OpAnyOf:
		if len(c.Any) == 0 {
			return invalid("an AnyOf of nothing can never hold")
		}
		return checkConds(c.Any)
	case OpMissing, OpHas:
		return checkAttrName(c.Attr)
	case OpLt, OpLe, OpGt, OpGe:
		if _, isBool := c.Value.(bool); isBool {
			return invalid("condition %s on a bool, which has no order", c.Op)
		}
	case OpEq, OpNe:
	default:
		return invalid("unknown condition %q", string(c.Op))
	}
	return checkAttr(c.Attr, c.Value)
}
