package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
)

// tests are the tests of one directory.
type tests struct {
	named    map[string]test
	subtests map[string]bool // literal names given to Run
}

type test struct{ empty bool }

// testsOf reads the test files of a directory.
func testsOf(dir string) (tests, error) {
	found := tests{named: map[string]test{}, subtests: map[string]bool{}}
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		return found, err
	}
	for _, file := range files {
		code, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return found, fmt.Errorf("parse: %w", err)
		}
		ast.Inspect(code, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if isTest(n) {
					found.named[n.Name.Name] = test{empty: len(n.Body.List) == 0}
				}
			case *ast.CallExpr:
				if name, ok := subtest(n); ok {
					found.subtests[name] = true
				}
			}
			return true
		})
	}
	return found, nil
}

// isTest reports whether `go test` runs the function: TestMain is none.
func isTest(f *ast.FuncDecl) bool {
	if f.Recv != nil || f.Body == nil || f.Type.Params.NumFields() != 1 {
		return false
	}
	star, ok := f.Type.Params.List[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	of, ok := star.X.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	kind := strings.TrimPrefix(of.Sel.Name, "T") // "" for a test, "F" for a fuzz test
	return kind == "" && strings.HasPrefix(f.Name.Name, "Test") || kind == "F" && strings.HasPrefix(f.Name.Name, "Fuzz")
}

// subtest is the name in x.Run("name", ...).
func subtest(call *ast.CallExpr) (string, bool) {
	run, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || run.Sel.Name != "Run" || len(call.Args) != 2 {
		return "", false
	}
	literal, ok := call.Args[0].(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return "", false
	}
	name, err := strconv.Unquote(literal.Value)
	return name, err == nil
}
