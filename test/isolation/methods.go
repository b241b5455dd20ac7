package isolation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Room is a value whose methods take a tenant, and how to call them.
type Room struct {
	Of any
	// ID is what its methods name by their strings: a thing of the owner's.
	ID string
	// Args are the arguments of single methods, without context and tenant, where those
	// that follow from their types will not do.
	Args map[string][]any
	// Skip are methods that are not called: elsewhere says why.
	Skip []string
}

// Rooms are those of a world, and values that their methods take, by type.
type Rooms struct {
	World
	Rooms  []Room
	Values []any
}

// Methods calls every exported method of the rooms that takes a tenant, for the stranger
// and with arguments that name what is the owner's: in the three worlds of Routes. setup
// makes each of them anew. What came of the call, and of the same call for the owner, is
// the function's part of methods.md.
func Methods(t *testing.T, setup func(t *testing.T) Rooms) {
	t.Helper()
	w := setup(t)
	lines := []string{}
	for at, room := range w.Rooms {
		typ := reflect.TypeOf(room.Of)
		for i := range typ.NumMethod() {
			m := typ.Method(i)
			if !takesTenant(m.Type) || promoted(typ, m.Name) || slices.Contains(room.Skip, m.Name) {
				continue
			}
			name := strings.TrimPrefix(strings.TrimPrefix(typ.String(), "*"), "main.") + "." + m.Name
			t.Run(name, func(t *testing.T) {
				c := call{method: m.Name, room: at, setup: setup}
				owner, stranger, leaks := c.compare(t)
				for _, l := range leaks {
					t.Error(l)
				}
				lines = append(lines, fmt.Sprintf("| %s | %s | %s |", name, owner, stranger))
			})
		}
		for _, unused := range slices.Concat(room.Skip, slices.Collect(maps.Keys(room.Args))) {
			if m, ok := typ.MethodByName(unused); !ok || !takesTenant(m.Type) {
				t.Errorf("%s has no method %s that takes a tenant", typ, unused)
			}
		}
	}
	slices.Sort(lines)
	golden(t, MethodsTable, w.Function, "\n| Method | Owner | Stranger |\n|---|---|---|\n"+strings.Join(lines, "\n")+"\n")
}

var (
	tenantType  = reflect.TypeFor[tenant.ID]()
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
)

func takesTenant(f reflect.Type) bool {
	for i := 1; i < f.NumIn(); i++ {
		if f.In(i) == tenantType {
			return true
		}
	}
	return false
}

// promoted are methods of a value in it, which is a room of its own.
func promoted(typ reflect.Type, method string) bool {
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	for i := range typ.NumField() {
		f := typ.Field(i)
		if !f.Anonymous {
			continue
		}
		if _, ok := f.Type.MethodByName(method); ok {
			return true
		}
		if _, ok := reflect.PointerTo(f.Type).MethodByName(method); ok {
			return true
		}
	}
	return false
}

// call is one method of one room.
type call struct {
	method string
	room   int
	setup  func(t *testing.T) Rooms
}

func (c call) compare(t *testing.T) (owner, stranger string, leaks []string) {
	t.Helper()
	w := c.setup(t)
	before := holdings(w.World)
	tr := watch(w.DB, w.Blobs, w.KMS)
	real, outcome := c.run(t, w, w.Stranger, false)
	real.Calls = tr.asked()
	if others := tr.foreign(w.Stranger); len(others) != 0 {
		leaks = append(leaks, fmt.Sprintf("it looked into what is of %v", others))
	}
	if holdings(w.World) != before {
		leaks = append(leaks, "it changed what is of the owner")
	}
	theirs, _ := c.run(t, w, w.Owner, false)

	w = c.setup(t)
	vanish(t, w.DB, w.Blobs, w.Owner)
	tr = watch(w.DB, w.Blobs, w.KMS)
	alone, _ := c.run(t, w, w.Stranger, false)
	alone.Calls = tr.asked()
	leaks = append(leaks, apart("what nobody has any more", real, alone)...)

	w = c.setup(t)
	tr = watch(w.DB, w.Blobs, w.KMS)
	random, _ := c.run(t, w, w.Stranger, true)
	random.Calls = tr.asked()
	leaks = append(leaks, apart("what nobody ever had", real, random)...)

	if strings.HasPrefix(theirs.Body, "panic") || strings.HasPrefix(real.Body, "panic") {
		leaks = append(leaks, "give arguments for it: "+theirs.Body+real.Body)
	}
	stranger = outcome
	if stranger == "done" && anonymous(theirs.Body) == anonymous(real.Body) {
		stranger = "done, alike"
	}
	return first(theirs.Body), stranger, leaks
}

func first(body string) string { head, _, _ := strings.Cut(body, "\n"); return head }

// run calls the method. The first line of what it shows says what came of it.
func (c call) run(t *testing.T, w Rooms, who tenant.ID, guess bool) (s seen, outcome string) {
	t.Helper()
	for _, q := range w.Queues {
		for _, m := range q.Receive(1000, time.Hour) {
			q.Delete(m.ID)
		}
	}
	m := reflect.ValueOf(w.Rooms[c.room].Of).MethodByName(c.method)
	in, ok := c.arguments(t, w, m.Type(), who, guess)
	if !ok {
		return seen{Body: "panic: unknown arguments " + m.Type().String()}, ""
	}
	var out []reflect.Value
	func() {
		defer func() {
			if v := recover(); v != nil {
				s.Body = fmt.Sprintf("panic: %v", v)
			}
		}()
		if m.Type().IsVariadic() {
			out = m.CallSlice(in)
		} else {
			out = m.Call(in)
		}
	}()
	for _, q := range w.Queues {
		s.Sent = append(s.Sent, fmt.Sprintf("%d sent", q.Len()))
		for _, m := range q.Receive(1000, time.Hour) {
			s.Sent = append(s.Sent, string(m.Body))
		}
	}
	if s.Body != "" {
		return s, ""
	}
	outcome = "done"
	var text strings.Builder
	for _, v := range out {
		if v.Type() == errorType && !v.IsNil() {
			err, _ := v.Interface().(error)
			outcome = came(err)
			fmt.Fprintf(&text, "%v\n", err)
			continue
		}
		render(&text, v, 0)
		text.WriteString("\n")
	}
	for _, v := range in { // what was written to
		if b, ok := v.Interface().(*bytes.Buffer); ok {
			text.WriteString(b.String())
		}
	}
	s.Body = outcome + "\n" + text.String()
	return s, outcome
}

// came is the kind of an error.
func came(err error) string {
	var f *fault.Fault
	switch {
	case errors.As(err, &f):
		return string(f.Kind)
	case errors.Is(err, store.ErrNotFound):
		return "not-found"
	case errors.Is(err, store.ErrConflict):
		return "conflict"
	case errors.Is(err, store.ErrInvalid):
		return "invalid"
	}
	return "refused"
}
