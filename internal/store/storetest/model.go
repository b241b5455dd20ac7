package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// matchesTheModel plays random histories of calls on the DB and on a model that
// does one thing after the other in a plain map, and compares every answer.
func (s *suite) matchesTheModel() {
	histories := 0
	rapid.Check(s.T, func(t *rapid.T) {
		if histories++; s.modelChecks > 0 && histories > s.modelChecks && !s.Failed() {
			return
		}
		m := &model{T: t, db: s.db, ctx: s.ctx, items: map[place]attrs{}, tenants: []tenant.ID{newTenant(), newTenant()}}
		t.Repeat(map[string]func(*rapid.T){
			"write":       func(t *rapid.T) { m.T = t; m.single() },
			"write again": func(t *rapid.T) { m.T = t; m.single() }, // twice as often
			"transact":    func(t *rapid.T) { m.T = t; m.transact() },
			"query":       func(t *rapid.T) { m.T = t; m.query() },
			"batch":       func(t *rapid.T) { m.T = t; m.batch() },
		})
	})
}

type place struct {
	tenant tenant.ID
	key    store.Key
}

type model struct {
	*rapid.T
	db      store.DB
	ctx     context.Context //nolint:containedctx // of one test
	items   map[place]attrs
	tenants []tenant.ID
}

var (
	modelPKs   = []string{"p", "p#q"}
	modelSKs   = []string{"a", "a#1", "a#2", "b"}
	modelAttrs = []string{"n", "s", "x"}
)

func (m *model) tenant() tenant.ID { return rapid.SampledFrom(m.tenants).Draw(m.T, "tenant") }

func (m *model) key() store.Key {
	return key(rapid.SampledFrom(modelPKs).Draw(m.T, "pk"), rapid.SampledFrom(modelSKs).Draw(m.T, "sk"))
}

func (m *model) value(name string) any {
	switch rapid.IntRange(0, 5).Draw(m.T, name+" kind") {
	case 0:
		return rapid.SampledFrom([]string{"", "m", "é", "1"}).Draw(m.T, name)
	case 1:
		return rapid.Bool().Draw(m.T, name)
	case 2:
		return rapid.SampledFrom([][]byte{{}, {1}, {1, 200}}).Draw(m.T, name)
	}
	return rapid.Int64Range(-2, 2).Draw(m.T, name)
}

func (m *model) attrs(label string) attrs {
	a := attrs{}
	for _, name := range modelAttrs {
		if rapid.Bool().Draw(m.T, label+" "+name) {
			a[name] = m.value(name)
		}
	}
	return a
}

func (m *model) conds(depth int) []store.Cond {
	var conds []store.Cond
	for range rapid.SampledFrom([]int{0, 0, 1, 1, 2}).Draw(m.T, "conditions") {
		conds = append(conds, m.cond(depth))
	}
	return conds
}

func (m *model) cond(depth int) store.Cond {
	ops := []store.CondOp{
		store.OpAbsent, store.OpExists, store.OpEq, store.OpNe, store.OpLt, store.OpLe,
		store.OpGt, store.OpGe, store.OpMissing, store.OpHas, store.OpAnyOf,
	}
	op := rapid.SampledFrom(ops[:len(ops)-depth/2]).Draw(m.T, "op")
	c := store.Cond{Op: op}
	switch op {
	case store.OpAbsent, store.OpExists:
		return c
	case store.OpAnyOf:
		return store.AnyOf(m.cond(depth+1), m.cond(depth+1))
	}
	c.Attr = rapid.SampledFrom(modelAttrs).Draw(m.T, "attribute")
	if op != store.OpMissing && op != store.OpHas {
		c.Value = m.value("value")
		if _, isBool := c.Value.(bool); isBool && op != store.OpEq {
			c.Op = store.OpNe // bools have no order
		}
	}
	return c
}

// write draws one write; only a transaction may have checks.
func (m *model) write(inTransaction bool) store.Write {
	t, k := m.tenant(), m.key()
	kinds := []string{"put", "update", "update", "delete", "check"}
	if !inTransaction {
		kinds = kinds[:4]
	}
	switch rapid.SampledFrom(kinds).Draw(m.T, "kind") {
	case "put":
		return put(t, item(k.PK, k.SK, m.attrs("has")), m.conds(0)...)
	case "delete":
		return remove(t, k, m.conds(0)...)
	case "check":
		return check(t, k, m.cond(0))
	}
	u := store.Update{Set: attrs{}, Add: map[string]int64{}, If: m.conds(0)}
	for i, name := range modelAttrs {
		switch rapid.IntRange(0, 3).Draw(m.T, "change of "+name) {
		case 0:
			u.Set[name] = m.value(name)
		case 1:
			u.Add[name] = rapid.Int64Range(-2, 2).Draw(m.T, "by")
		case 2:
			u.Remove = append(u.Remove, name)
		default:
			if i == len(modelAttrs)-1 && len(u.Set)+len(u.Add)+len(u.Remove) == 0 {
				u.Remove = append(u.Remove, name) // an update changes something
			}
		}
	}
	return update(t, k, u)
}

func (m *model) single() {
	w := m.write(false)
	want := m.apply(w)
	var got error
	switch {
	case w.Put != nil:
		got = m.db.Put(m.ctx, w.Tenant, w.Table, *w.Put, w.If...)
	case w.Delete:
		got = m.db.Delete(m.ctx, w.Tenant, w.Table, w.Key, w.If...)
	default:
		var it store.Item
		it, got = m.db.Update(m.ctx, w.Tenant, w.Table, w.Key, *w.Update)
		if got == nil && want == nil {
			m.same("the updated item", it, store.Item{Key: w.Key, Attrs: m.items[place{w.Tenant, w.Key}]})
		}
	}
	m.sameError(got, want, w)
	m.get(w)
}

func (m *model) transact() {
	var writes []store.Write
	seen := map[place]bool{}
	for range rapid.IntRange(1, 5).Draw(m.T, "writes") {
		w := m.write(true)
		if p := (place{w.Tenant, w.On()}); !seen[p] {
			seen[p] = true
			writes = append(writes, w)
		}
	}
	want := m.apply(writes...)
	m.sameError(m.db.Transact(m.ctx, writes...), want, writes...)
	for _, w := range writes {
		m.get(w)
	}
}

// get compares the item of a write afterwards.
func (m *model) get(w store.Write) {
	want, exists := m.items[place{w.Tenant, w.On()}]
	got, err := m.db.Get(m.ctx, w.Tenant, store.Offers, w.On())
	if !exists {
		if !errors.Is(err, store.ErrNotFound) {
			m.Fatalf("got %v, %v; want ErrNotFound, after %s", got, err, show(w))
		}
		return
	}
	if err != nil {
		m.Fatalf("%v, after %s", err, show(w))
	}
	m.same("the item afterwards", got, store.Item{Key: w.On(), Attrs: want})
}

func (m *model) query() {
	t := m.tenant()
	q := store.Query{
		PK:      rapid.SampledFrom(modelPKs).Draw(m.T, "pk"),
		Prefix:  rapid.SampledFrom([]string{"", "a", "a#", "b", "c"}).Draw(m.T, "prefix"),
		After:   rapid.SampledFrom([]string{"", "a", "a#", "a#1", "az", "b"}).Draw(m.T, "after"),
		Limit:   rapid.IntRange(0, 3).Draw(m.T, "limit"),
		Reverse: rapid.Bool().Draw(m.T, "reverse"),
	}
	var sks []string
	for p := range m.items {
		if p.tenant == t && p.key.PK == q.PK {
			sks = append(sks, p.key.SK)
		}
	}
	slices.Sort(sks)
	sks = filter(sks, q)
	want := store.Page{Items: []store.Item{}}
	for i, sk := range sks {
		if q.Limit > 0 && i == q.Limit {
			want.Next = sks[i-1]
			break
		}
		k := key(q.PK, sk)
		want.Items = append(want.Items, store.Item{Key: k, Attrs: m.items[place{t, k}]})
	}
	got, err := m.db.Query(m.ctx, t, store.Offers, q)
	if err != nil {
		m.Fatalf("%+v: %v", q, err)
	}
	m.same("the page", got, want)
}

func (m *model) batch() {
	t := m.tenant()
	var keys []store.Key
	want := []store.Item{}
	for range rapid.IntRange(1, 4).Draw(m.T, "keys") {
		k := m.key()
		if a, exists := m.items[place{t, k}]; exists && !slices.Contains(keys, k) {
			want = append(want, store.Item{Key: k, Attrs: a})
		}
		keys = append(keys, k)
	}
	got, err := m.db.BatchGet(m.ctx, t, store.Offers, keys)
	if err != nil {
		m.Fatalf("BatchGet %v: %v", keys, err)
	}
	byKey := func(a, b store.Item) int {
		return strings.Compare(a.PK+"\x00"+a.SK, b.PK+"\x00"+b.SK)
	}
	slices.SortFunc(got, byKey)
	slices.SortFunc(want, byKey)
	m.same("the batch", got, want)
}

func (m *model) same(what string, got, want any) {
	if d := cmp.Diff(want, got); d != "" {
		m.Fatalf("%s (-model +db):\n%s", what, d)
	}
}

// sameError compares errors. Where one write of a transaction is impossible and
// the condition of another fails, either answer is right.
func (m *model) sameError(got, want error, writes ...store.Write) {
	var g, c *store.ConflictError
	switch {
	case want == nil && got == nil:
	case errors.Is(want, store.ErrInvalid) && errors.Is(got, store.ErrInvalid):
	case errors.As(want, &c) && errors.As(got, &g):
		m.same("the conflict", g, c)
	default:
		m.Fatalf("error is %v, want %v, after %s", got, want, show(writes...))
	}
}

// show prints writes without pointers.
func show(writes ...store.Write) string {
	var out strings.Builder
	for _, w := range writes {
		fmt.Fprintf(&out, "\n\t%s %q: ", w.Tenant, w.On())
		switch {
		case w.Put != nil:
			fmt.Fprintf(&out, "put %v if %+v", w.Put.Attrs, w.If)
		case w.Update != nil:
			fmt.Fprintf(&out, "update %+v", *w.Update)
		default:
			fmt.Fprintf(&out, "delete %t check %t if %+v", w.Delete, w.Check, w.If)
		}
	}
	return out.String()
}

// apply is the whole contract of a transaction.
func (m *model) apply(writes ...store.Write) error {
	next := maps.Clone(m.items)
	var conflict, impossible error
	for i, w := range writes {
		p := place{w.Tenant, w.On()}
		old, exists := m.items[p]
		if slices.ContainsFunc(w.Conditions(), func(c store.Cond) bool { return !met(old, exists, c) }) {
			if conflict == nil {
				e := &store.ConflictError{Table: w.Table, Write: i}
				if exists {
					e.Current = &store.Item{Key: w.On(), Attrs: old}
				}
				conflict = e
			}
			continue
		}
		switch {
		case w.Put != nil:
			next[p] = w.Put.Attrs
		case w.Delete:
			delete(next, p)
		case w.Update != nil:
			a := attrs{}
			maps.Copy(a, old)
			maps.Copy(a, w.Update.Set)
			for name, by := range w.Update.Add {
				n, isNumber := a[name].(int64)
				if a[name] != nil && !isNumber {
					impossible = store.ErrInvalid
				}
				a[name] = n + by
			}
			for _, name := range w.Update.Remove {
				delete(a, name)
			}
			next[p] = a
		}
	}
	if err := errors.Join(conflict, impossible); err != nil {
		return err
	}
	m.items = next
	return nil
}

func met(a attrs, exists bool, c store.Cond) bool {
	v, has := a[c.Attr]
	switch c.Op {
	case store.OpAbsent:
		return !exists
	case store.OpExists:
		return exists
	case store.OpMissing:
		return !has
	case store.OpHas:
		return has
	case store.OpEq:
		return has && cmp.Equal(v, c.Value)
	case store.OpNe:
		return !has || !cmp.Equal(v, c.Value)
	case store.OpAnyOf:
		return slices.ContainsFunc(c.Any, func(c store.Cond) bool { return met(a, exists, c) })
	}
	var less, more bool
	switch v := v.(type) {
	case int64:
		x, same := c.Value.(int64)
		less, more = same && v < x, same && v > x
		if !same {
			return false
		}
	case string:
		x, same := c.Value.(string)
		less, more = same && v < x, same && v > x
		if !same {
			return false
		}
	case []byte:
		x, same := c.Value.([]byte)
		less, more = bytes.Compare(v, x) < 0, bytes.Compare(v, x) > 0
		if !same {
			return false
		}
	default:
		return false
	}
	return less && (c.Op == store.OpLt || c.Op == store.OpLe) ||
		more && (c.Op == store.OpGt || c.Op == store.OpGe) ||
		!less && !more && (c.Op == store.OpLe || c.Op == store.OpGe)
}
