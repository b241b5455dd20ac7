package prices

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// noFloats are files and directories in which amounts live: there is no float
// in them, not even for something else.
var noFloats = []string{
	"internal/price", "internal/pricefile", "internal/plan", "internal/ledger",
	"internal/spapi/patch.go", "internal/spapi/listing.go", "internal/spapi/listings.go", "internal/spapi/decimal.go",
	"internal/spapi/feeds.go", "internal/spapi/feedreport.go", "internal/spapi/listingsreport.go",
	"internal/lane/offers.go", "internal/lane/batch.go", "internal/lane/work.go", "internal/lane/settle.go", "internal/lane/events.go",
	"internal/lane/undo.go", "internal/lane/readback.go", "internal/lane/apply.go", "internal/lane/importer.go",
	"test/fakeamazon/offers.go", "test/fakeamazon/listings.go", "test/fakeamazon/verdict.go", "test/fakeamazon/view.go", "test/fakeamazon/seed.go",
}

// elsewhere floats are rates and shares; but never in a declaration that also
// touches an amount.
var elsewhere = []string{"internal", "functions", "test/fakeamazon"}

var (
	floats  = []string{"float32", "float64", "ParseFloat", "FormatFloat", "AppendFloat", "Float", "Float64", "Float32", "SetFloat64"}
	amounts = []string{"Money", "Prices", "Sale", "Tier", "Minor", "FromMinor", "ParseMoney", "Decimal"}
)

// names lists the identifiers of a part of a program that are among some.
func names(n ast.Node, some []string) (out []string) {
	ast.Inspect(n, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && slices.Contains(some, id.Name) {
			out = append(out, id.Name)
		}
		return true
	})
	return out
}

// floatsIn are the places of a file where a float stands: anywhere when strict,
// else only where an amount is near. A number with a point or an exponent is
// a float too, whatever it is assigned to.
func floatsIn(set *token.FileSet, file *ast.File, strict bool) (places []string) {
	for _, decl := range file.Decls {
		found := names(decl, floats)
		ast.Inspect(decl, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.FLOAT {
				found = append(found, lit.Value)
			}
			return true
		})
		if len(found) > 0 && (strict || len(names(decl, amounts)) > 0) {
			places = append(places, set.Position(decl.Pos()).String()+": "+strings.Join(slices.Compact(found), ", "))
		}
	}
	return places
}

func TestNoFloatTouchesAnAmount(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	looked := map[string]bool{}
	look := func(under string, strict bool) {
		err := filepath.WalkDir(filepath.Join(root, under), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || looked[path] {
				return err
			}
			file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			looked[path] = true
			for _, place := range floatsIn(set, file, strict) {
				t.Error(strings.TrimPrefix(place, root+"/"))
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	for _, path := range noFloats {
		if _, err := os.Stat(filepath.Join(root, path)); err != nil {
			t.Errorf("%s is gone: say here where its amounts live now", path)
			continue
		}
		look(path, true)
	}
	strict := len(looked)
	for _, path := range elsewhere {
		look(path, false)
	}
	if strict < 40 || len(looked) < 2*strict {
		t.Errorf("looked at %d and %d files only", strict, len(looked))
	}
}

func TestAFloatNearAnAmountIsFound(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][2]bool{ // found elsewhere, found where amounts live
		"func f(rate float64) float64 { return rate }":                     {false, true},
		"func f(m price.Money) float64 { return 0 }":                       {true, true},
		"func f(s string) { _, _ = strconv.ParseFloat(s, 64) }":            {false, true},
		"func f(p price.Prices) { _ = p.Our.Minor() * 1.1 }":               {true, true},
		"type t struct { m price.Money; f float64 }":                       {true, true},
		"func f(m price.Money) int64 { return m.Minor() / 100 }":           {false, false},
		"func f(m price.Money) { new(big.Rat).SetInt64(m.Minor()) }":       {false, false},
		"func f(m price.Money) { v, _ := r.Float64(); use(v, m.Minor()) }": {true, true},
	} {
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, "x.go", "package x\n"+body, 0)
		if err != nil {
			t.Fatal(err)
		}
		for i, strict := range []bool{false, true} {
			if found := len(floatsIn(set, file, strict)) > 0; found != want[i] {
				t.Errorf("%s: found %v, want %v (strict: %v)", body, found, want[i], strict)
			}
		}
	}
}
