package memory

import (
	"bytes"
	"math"
	"slices"
	"strings"

	"pricemanager/internal/store"
)

// row is one version of an item. It never changes: a write makes a new one, so
// that readers and stream records can hold on to the old.
type row struct {
	sk    string
	attrs []attr // in order of name
	size  int    // store.Size of the item
}

type attr struct {
	name  string
	value any // string, int64, bool or []byte; the bytes are ours alone
}

func (r *row) bytes() int {
	if r == nil {
		return 0
	}
	return r.size
}

func (r *row) find(name string) (int, bool) {
	return slices.BinarySearchFunc(r.attrs, name, func(a attr, name string) int {
		return strings.Compare(a.name, name)
	})
}

// get returns an attribute's value, nil when there is none or no row.
func (r *row) get(name string) any {
	if r == nil {
		return nil
	}
	if i, ok := r.find(name); ok {
		return r.attrs[i].value
	}
	return nil
}

func (r *row) set(name string, v any) {
	i, ok := r.find(name)
	if ok {
		r.attrs[i].value = v
		return
	}
	r.attrs = slices.Insert(r.attrs, i, attr{name, v})
}

// item copies the row out.
func (r *row) item(pk string) store.Item {
	it := store.Item{Key: store.Key{PK: pk, SK: r.sk}, Attrs: make(map[string]any, len(r.attrs))}
	for _, a := range r.attrs {
		it.Attrs[a.name] = own(a.value)
	}
	return it
}

// newRow copies an item in.
func newRow(w store.Write) *row {
	r := &row{sk: w.Put.SK, attrs: make([]attr, 0, len(w.Put.Attrs))}
	for name, v := range w.Put.Attrs {
		r.attrs = append(r.attrs, attr{name, own(v)})
	}
	slices.SortFunc(r.attrs, func(a, b attr) int { return strings.Compare(a.name, b.name) })
	r.measure(w)
	return r
}

// updated applies an update to a row, which may be nil, and returns the new one.
func (r *row) updated(w store.Write) (*row, error) {
	u := w.Update
	n := &row{sk: w.Key.SK}
	if r != nil {
		n.attrs = make([]attr, len(r.attrs), len(r.attrs)+len(u.Set)+len(u.Add))
		copy(n.attrs, r.attrs)
	}
	for name, v := range u.Set {
		n.set(name, own(v))
	}
	for name, by := range u.Add {
		var old int64
		switch v := n.get(name).(type) {
		case nil:
		case int64:
			old = v
		default:
			return nil, invalid("adding to an attribute that is not a number")
		}
		if by > 0 && old > math.MaxInt64-by || by < 0 && old < math.MinInt64-by {
			return nil, invalid("a sum beyond int64")
		}
		n.set(name, old+by)
	}
	for _, name := range u.Remove {
		if i, ok := n.find(name); ok {
			n.attrs = slices.Delete(n.attrs, i, i+1)
		}
	}
	if n.measure(w); n.size > store.MaxItem {
		return nil, invalid("the update makes the item too large")
	}
	return n, nil
}

func (r *row) measure(w store.Write) {
	r.size = store.KeySize(w.Tenant, w.On())
	for _, a := range r.attrs {
		r.size += len(a.name) + store.ValueSize(a.value)
	}
}

func (r *row) same(o *row) bool {
	if r == nil || o == nil {
		return r == o
	}
	return slices.EqualFunc(r.attrs, o.attrs, func(a, b attr) bool {
		return a.name == b.name && equal(a.value, b.value)
	})
}

// own copies a value that its holder could change.
func own(v any) any {
	if b, ok := v.([]byte); ok {
		return append([]byte{}, b...)
	}
	return v
}

func equal(a, b any) bool {
	if x, ok := a.([]byte); ok {
		y, ok := b.([]byte)
		return ok && bytes.Equal(x, y)
	}
	if _, ok := b.([]byte); ok {
		return false
	}
	return a == b
}

func holdAll(r *row, conds []store.Cond) bool {
	for _, c := range conds {
		if !holds(r, c) {
			return false
		}
	}
	return true
}

func holds(r *row, c store.Cond) bool {
	switch c.Op {
	case store.OpAbsent:
		return r == nil
	case store.OpExists:
		return r != nil
	case store.OpMissing:
		return r.get(c.Attr) == nil
	case store.OpHas:
		return r.get(c.Attr) != nil
	case store.OpEq:
		return equal(r.get(c.Attr), c.Value)
	case store.OpNe:
		return !equal(r.get(c.Attr), c.Value)
	case store.OpAnyOf:
		return slices.ContainsFunc(c.Any, func(c store.Cond) bool { return holds(r, c) })
	}
	order, comparable := compare(r.get(c.Attr), c.Value)
	switch c.Op {
	case store.OpLt:
		return comparable && order < 0
	case store.OpLe:
		return comparable && order <= 0
	case store.OpGt:
		return comparable && order > 0
	case store.OpGe:
		return comparable && order >= 0
	}
	return false
}

// compare orders two values of one type.
func compare(a, b any) (order int, ok bool) {
	switch a := a.(type) {
	case string:
		if b, ok := b.(string); ok {
			return strings.Compare(a, b), true
		}
	case []byte:
		if b, ok := b.([]byte); ok {
			return bytes.Compare(a, b), true
		}
	case int64:
		if b, ok := b.(int64); ok {
			switch {
			case a < b:
				return -1, true
			case a > b:
				return 1, true
			}
			return 0, true
		}
	}
	return 0, false
}
