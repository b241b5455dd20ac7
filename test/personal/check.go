// Package personal reads the product's code and finds ways by which a personal
// value could reach a store in clear. There are four rules:
//
//   - field: a struct field that is named like a personal one (words), or is of a
//     type that holds nothing else (kinds), is not a personal.Sensitive, so that
//     whatever encodes the struct encodes the value;
//   - attribute: a map of attributes or JSON members holds a plain value under
//     such a name;
//   - reveal: personal.Sensitive.Reveal, the one way from the type to the plain
//     value, is called;
//   - seal: something is sealed directly, not as a declared field.
//
// An exception is listed in the test by where it is, with the reason why the
// value stays out of the stores. The rules go by names: a personal value that is
// called "x" and was never of the type is not found.
package personal

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"reflect"
	"sort"
	"strings"
	"unicode"
)

// words are what names of personal fields consist of: one of them as a whole
// word, or two as neighbours.
var words = map[string]bool{
	"email": true, "emails": true, "mail": true, "phone": true, "mobile": true, "telephone": true, "fax": true,
	"street": true, "city": true, "postcode": true, "postalcode": true, "zipcode": true, "zip code": true, "postal code": true,
	"recipient": true, "addressee": true, "surname": true, "firstname": true, "lastname": true, "fullname": true,
	"first name": true, "last name": true, "full name": true, "given name": true, "family name": true, "birthday": true,
	"member name": true, "seller name": true, "buyer name": true, "buyer": true, "person": true, "birth": true,
	"ip": true, "ips": true, "ip address": true, "remote addr": true, "passport": true, "iban": true,
	"shipping address": true, "postal address": true, "home address": true, "address line": true,
}

// kinds are types whose values are about people, whatever they are called.
var kinds = map[string]bool{
	"net.IP": true, "net.IPNet": true, "net.IPAddr": true, "net/netip.Addr": true, "net/netip.Prefix": true, "net/netip.AddrPort": true,
	"net/mail.Address": true,
}

// ofKind reports whether the type is, points to or lists one of kinds.
func ofKind(t types.Type) bool {
	switch u := t.(type) {
	case *types.Pointer:
		return ofKind(u.Elem())
	case *types.Slice:
		return ofKind(u.Elem())
	case *types.Map:
		return ofKind(u.Elem()) || ofKind(u.Key())
	}
	return kinds[types.TypeString(t, nil)]
}

// Finding is one place that breaks a rule.
type Finding struct {
	Rule  string
	Where string // stable: package and what is in it
	At    token.Position
	Text  string
}

func (f Finding) String() string {
	return fmt.Sprintf("%s: %s: %s (%s)", f.At, f.Rule, f.Text, f.Where)
}

// personalName reports whether the name, in camel case or with separators, is
// that of a personal value.
func personalName(name string) bool {
	parts := split(name)
	for i, w := range parts {
		if words[w] || i > 0 && words[parts[i-1]+" "+w] {
			return true
		}
	}
	return false
}

// split cuts a name into words: sourceIP, SourceIp and source_ip are source, ip.
func split(name string) []string {
	var parts []string
	r := []rune(name)
	start := 0
	cut := func(end int) {
		if end > start {
			parts = append(parts, strings.ToLower(string(r[start:end])))
		}
	}
	for i, c := range r {
		switch {
		case !unicode.IsLetter(c) && !unicode.IsDigit(c):
			cut(i)
			start = i + 1
		case i > start && unicode.IsUpper(c) && (!unicode.IsUpper(r[i-1]) || i+1 < len(r) && unicode.IsLower(r[i+1])):
			cut(i)
			start = i
		}
	}
	cut(len(r))
	return parts
}

// plain reports whether a value of the type can hold text that encoders show.
func plain(t types.Type) bool {
	switch u := t.Underlying().(type) {
	case *types.Basic:
		return u.Info()&types.IsString != 0
	case *types.Slice:
		// []byte is what sealed fields are, and Sensitive cannot become it unseen.
		b, ok := u.Elem().Underlying().(*types.Basic)
		return !ok || b.Kind() != types.Byte && plain(u.Elem())
	case *types.Array:
		return plain(u.Elem())
	case *types.Map:
		return plain(u.Elem()) || plain(u.Key())
	case *types.Pointer:
		return plain(u.Elem())
	case *types.Interface:
		return u.NumMethods() == 0 // any
	case *types.Struct:
		// Its own fields are looked at where they are declared, unless it is
		// another's, such as netip.Addr.
		n, ok := t.(*types.Named)
		return ok && n.Obj().Pkg() != nil && !strings.HasPrefix(n.Obj().Pkg().Path(), "pricemanager")
	}
	return false
}

// Check finds what breaks the rules in the packages.
func Check(root string, patterns ...string) ([]Finding, error) {
	pkgs, err := load(root, patterns...)
	if err != nil {
		return nil, err
	}
	var all []Finding
	for _, p := range pkgs {
		c := checker{pkg: p}
		for _, f := range p.files {
			c.file(f)
		}
		all = append(all, c.found...)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Where < all[j].Where })
	return all, nil
}

type checker struct {
	pkg
	scope string // the declaration that is being read
	found []Finding
}

func (c *checker) add(rule string, at token.Pos, where, text string) {
	c.found = append(c.found, Finding{
		Rule: rule, Where: strings.TrimPrefix(c.path, "pricemanager/") + "." + where, At: c.fset.Position(at), Text: text,
	})
}

func (c *checker) file(f *ast.File) {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			c.scope = d.Name.Name
			if d.Recv != nil && len(d.Recv.List) == 1 {
				c.scope = receiver(d.Recv.List[0].Type) + "." + c.scope
			}
			ast.Inspect(d, c.node)
		case *ast.GenDecl:
			for _, s := range d.Specs {
				c.scope = "var"
				if t, ok := s.(*ast.TypeSpec); ok {
					c.scope = t.Name.Name
				}
				ast.Inspect(s, c.node)
			}
		}
	}
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return "?"
}

func (c *checker) node(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.StructType:
		c.fields(n)
	case *ast.CompositeLit:
		if c.attributes(c.info.TypeOf(n)) {
			for _, e := range n.Elts {
				if kv, ok := e.(*ast.KeyValueExpr); ok {
					c.attribute(kv.Key, kv.Value)
				}
			}
		}
	case *ast.AssignStmt:
		for i, l := range n.Lhs {
			ix, ok := l.(*ast.IndexExpr)
			if ok && len(n.Lhs) == len(n.Rhs) && c.attributes(c.info.TypeOf(ix.X)) {
				c.attribute(ix.Index, n.Rhs[i])
			}
		}
	case *ast.SelectorExpr:
		c.selector(n)
	}
	return true
}

func (c *checker) fields(s *ast.StructType) {
	for _, f := range s.Fields.List {
		t := c.info.TypeOf(f.Type)
		if !plain(t) && !ofKind(t) {
			continue
		}
		for _, id := range f.Names {
			name := id.Name
			tag := ""
			if f.Tag != nil {
				tag = reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("json")
				tag, _, _ = strings.Cut(tag, ",")
			}
			if ofKind(t) || personalName(name) || personalName(tag) {
				c.add("field", f.Pos(), c.scope+"."+name, fmt.Sprintf("%s is like a personal value and is a plain %s", name, t))
			}
		}
	}
}

// attributes reports whether the type is a map from names to anything, as the
// attributes of items and updates are.
func (c *checker) attributes(t types.Type) bool {
	if t == nil {
		return false
	}
	m, ok := t.Underlying().(*types.Map)
	if !ok {
		return false
	}
	key, ok := m.Key().Underlying().(*types.Basic)
	return ok && key.Info()&types.IsString != 0
}

func (c *checker) attribute(key, value ast.Expr) {
	tv := c.info.Types[key]
	if tv.Value == nil || tv.Value.Kind() != constant.String {
		return
	}
	name := constant.StringVal(tv.Value)
	t := c.info.TypeOf(value)
	if t == nil || !ofKind(t) && (!personalName(name) || !plain(t)) {
		return
	}
	c.add("attribute", key.Pos(), c.scope+"["+name+"]", fmt.Sprintf("%q is like a personal value and gets a plain %s", name, t))
}

// selector finds uses of Reveal and of sealing, called or handed on as a value.
func (c *checker) selector(n *ast.SelectorExpr) {
	f, ok := c.info.Uses[n.Sel].(*types.Func)
	if !ok {
		return
	}
	sig := f.Signature()
	if f.Name() == "Reveal" && f.Pkg() != nil && f.Pkg().Path() == "pricemanager/internal/personal" {
		c.add("reveal", n.Pos(), c.scope, "a personal value is taken out of its type")
	}
	if f.Name() == "Seal" && sig.Recv() != nil && sig.Params().Len() == 5 && strings.HasSuffix(sig.Params().At(3).Type().String(), "internal/envelope.Where") {
		c.add("seal", n.Pos(), c.scope, "something is sealed without a declared field")
	}
}
