package personal

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"strconv"
	"strings"
)

// Key is one place in the code where the key of an item is made.
type Key struct {
	// Name is the key's PK; with a * at its end it is how the PK begins, and "*" alone
	// one that cannot be read from the code.
	Name  string
	Where string // package and function
	At    token.Position
}

// Keys finds where packages make a store.Key with a PK.
func Keys(root string, patterns ...string) ([]Key, error) {
	pkgs, err := load(root, patterns...)
	if err != nil {
		return nil, err
	}
	var all []Key
	for _, p := range pkgs {
		k := keyReader{pkg: p, results: map[types.Object]ast.Expr{}}
		for _, f := range p.files {
			ast.Inspect(f, k.function)
		}
		for _, f := range p.files {
			for _, d := range f.Decls {
				scope := "var"
				if fn, ok := d.(*ast.FuncDecl); ok {
					scope = fn.Name.Name
				}
				ast.Inspect(d, func(n ast.Node) bool {
					if pk := k.pk(n); pk != nil {
						all = append(all, Key{Name: k.text(pk, 0), At: p.fset.Position(pk.Pos()), Where: strings.TrimPrefix(p.path, "pricemanager/") + "." + scope})
					}
					return true
				})
			}
		}
	}
	return all, nil
}

type keyReader struct {
	pkg
	results map[types.Object]ast.Expr // what functions of one return return
}

func (k keyReader) function(n ast.Node) bool {
	f, ok := n.(*ast.FuncDecl)
	if !ok || f.Body == nil || len(f.Body.List) != 1 {
		return true
	}
	if r, ok := f.Body.List[0].(*ast.ReturnStmt); ok && len(r.Results) == 1 {
		k.results[k.info.Defs[f.Name]] = r.Results[0]
	}
	return true
}

// pk is the PK of a store.Key literal, nil for anything else.
func (k keyReader) pk(n ast.Node) ast.Expr {
	lit, ok := n.(*ast.CompositeLit)
	if !ok || len(lit.Elts) == 0 || k.info.TypeOf(lit) == nil || k.info.TypeOf(lit).String() != "pricemanager/internal/store.Key" {
		return nil
	}
	for _, e := range lit.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			return e // the first one
		}
		if id, ok := kv.Key.(*ast.Ident); ok && id.Name == "PK" {
			return kv.Value
		}
	}
	return nil
}

// text is what the code says of a text.
func (k keyReader) text(e ast.Expr, depth int) string {
	if v := k.info.Types[e].Value; v != nil && v.Kind() == constant.String {
		return constant.StringVal(v)
	}
	switch e := e.(type) {
	case *ast.BinaryExpr:
		return begins(k.text(e.X, depth))
	case *ast.CallExpr:
		switch f := e.Fun.(type) {
		case *ast.SelectorExpr:
			if f.Sel.Name == "Sprintf" && len(e.Args) > 0 {
				format := k.info.Types[e.Args[0]].Value
				if format == nil {
					return "*"
				}
				text, verb, _ := strings.Cut(constant.StringVal(format), "%")
				if text == "" && strings.HasPrefix(verb, "s") && len(e.Args) > 1 {
					return begins(k.text(e.Args[1], depth))
				}
				return text + "*"
			}
		case *ast.Ident:
			if r, ok := k.results[k.info.Uses[f]]; ok && depth < 5 {
				return k.text(r, depth+1)
			}
		}
	}
	return "*"
}

func begins(s string) string {
	if strings.HasSuffix(s, "*") {
		return s
	}
	return s + "*"
}

// String is for messages.
func (k Key) String() string { return fmt.Sprintf("%s: %s (%s)", k.At, strconv.Quote(k.Name), k.Where) }
