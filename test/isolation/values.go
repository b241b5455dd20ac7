package isolation

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/tenant"
)

// arguments are what the method is called with: those given for it, else what follows
// from their types. guess has every id in them be one that nobody has.
func (c call) arguments(t *testing.T, w Rooms, f reflect.Type, who tenant.ID, guess bool) (in []reflect.Value, ok bool) {
	t.Helper()
	room := w.Rooms[c.room]
	own, fixed := room.Args[c.method]
	if !fixed && f.NumIn() == 4 && f.In(2).Kind() == reflect.String && f.In(3).Kind() == reflect.Int {
		own, fixed = []any{"", 10}, true // the first page of a list
	}
	for i := range f.NumIn() {
		typ := f.In(i)
		var v reflect.Value
		switch {
		case typ == contextType:
			v = reflect.ValueOf(t.Context())
		case typ == tenantType:
			v = reflect.ValueOf(who)
		case fixed:
			if len(own) == 0 {
				return nil, false
			}
			v = reflect.Zero(typ)
			if own[0] != nil {
				v = reflect.ValueOf(own[0])
			}
			own = own[1:]
			if v.Type().ConvertibleTo(typ) {
				v = v.Convert(typ)
			}
		default:
			if v, ok = byType(w, typ, room.ID); !ok {
				return nil, false
			}
		}
		if guess {
			v = renamedValue(v)
		}
		in = append(in, v)
	}
	return in, len(own) == 0
}

// byType is an argument that follows from its type.
func byType(w Rooms, typ reflect.Type, id string) (reflect.Value, bool) {
	for _, v := range w.Values {
		if reflect.TypeOf(v) == typ {
			return reflect.ValueOf(v), true
		}
	}
	var v any
	switch typ {
	case reflect.TypeFor[time.Time]():
		v = w.Clock.Now().Add(time.Hour)
	case reflect.TypeFor[time.Duration]():
		v = time.Hour
	case reflect.TypeFor[io.Reader]():
		v = rand.NewChaCha8([32]byte{1})
	case reflect.TypeFor[io.Writer]():
		v = &bytes.Buffer{}
	case reflect.TypeFor[[]byte]():
		v = []byte("bytes")
	default:
		switch typ.Kind() {
		case reflect.String:
			return reflect.ValueOf(id).Convert(typ), true
		case reflect.Int, reflect.Int64, reflect.Uint32:
			return reflect.ValueOf(1).Convert(typ), true
		case reflect.Bool:
			v = true
		case reflect.Slice, reflect.Struct, reflect.Map:
			return reflect.Zero(typ), true
		case reflect.Func:
			return reflect.MakeFunc(typ, func([]reflect.Value) (out []reflect.Value) {
				for i := range typ.NumOut() {
					out = append(out, reflect.Zero(typ.Out(i)))
				}
				return out
			}), true
		default:
			return reflect.Value{}, false
		}
	}
	return reflect.ValueOf(v), true
}

// renamedValue is the value with all ids in its strings replaced by ones that nobody has.
func renamedValue(v reflect.Value) reflect.Value {
	if !v.IsValid() || v.Type() == tenantType {
		return v
	}
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() {
	case reflect.String:
		text, _ := another(v.String())
		out.SetString(text)
	case reflect.Slice:
		if v.IsNil() || v.Type().Elem().Kind() == reflect.Uint8 {
			return v
		}
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(renamedValue(v.Index(i)))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(renamedValue(v.Field(i)))
			}
		}
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		out.Set(reflect.MakeMap(v.Type()))
		for _, k := range v.MapKeys() {
			out.SetMapIndex(renamedValue(k), renamedValue(v.MapIndex(k)))
		}
	}
	return out
}

// render writes what a caller can see of a value, and what is behind it.
func render(b *strings.Builder, v reflect.Value, depth int) {
	if depth > 8 || strings.HasPrefix(v.Type().String(), "sync.") || v.Type() == reflect.TypeFor[*time.Location]() {
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			render(b, v.Elem(), depth+1)
		}
	case reflect.Struct:
		if behind(v.Type()) {
			return
		}
		b.WriteString("{")
		for i := range v.NumField() {
			b.WriteString(v.Type().Field(i).Name + ":")
			render(b, v.Field(i), depth+1)
			b.WriteString(" ")
		}
		b.WriteString("}")
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			fmt.Fprintf(b, "%d bytes", v.Len()) // sealed ones are never alike
			return
		}
		b.WriteString("[")
		for i := range v.Len() {
			render(b, v.Index(i), depth+1)
			b.WriteString(" ")
		}
		b.WriteString("]")
	case reflect.Map:
		var all []string
		for _, k := range v.MapKeys() {
			var one strings.Builder
			render(&one, k, depth+1)
			one.WriteString("=")
			render(&one, v.MapIndex(k), depth+1)
			all = append(all, one.String())
		}
		slices.Sort(all)
		fmt.Fprintf(b, "map%v", all)
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
	default:
		fmt.Fprintf(b, "%v", v)
	}
}

// behind are the collaborators of what a method returns, which a caller cannot see.
func behind(t reflect.Type) bool {
	for _, p := range []string{"internal/store/memory", "internal/envelope", "internal/clock", "log/slog"} {
		if strings.HasSuffix(t.PkgPath(), p) {
			return true
		}
	}
	return false
}
