// Command register writes infra/register.md, the register of processing that
// GDPR Art. 30 wants, from what is declared: the personal fields of
// internal/personal, the stores of template.yaml with their keys and times, and
// what this package says each store is for (stores.go).
//
//	register [DIRECTORY]
//
// DIRECTORY is the project's, the current one by default. A store of the template
// that stores.go does not know, and one that it knows and the template does not,
// are errors, and nothing is written.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// file is where the register is.
const file = "infra/register.md"

func main() {
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	text, err := build(root)
	if err == nil {
		err = os.WriteFile(filepath.Join(root, file), text, 0o644) //nolint:gosec // it is part of the repository
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "register:", err)
		os.Exit(1)
	}
}
