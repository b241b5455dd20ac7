// Command controls holds infra/controls.yaml, the register of our security
// promises, to the code: every promise is in it once and complete, and every
// file, template resource, test and make target that it names exists. It does
// not run the tests; `make test` does.
//
//	controls [DIRECTORY]
//
// DIRECTORY is the project's, the current one by default. It prints a table and,
// as its last line, one JSON object. It exits with 1 when the register is wrong.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
)

func main() {
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	ok, err := run(root, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "controls:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// summary is the last line of the output.
type summary struct {
	OK       bool `json:"ok"`
	Controls int  `json:"controls"`
	Kept     int  `json:"kept"`
	Partial  int  `json:"partial"`
	Later    int  `json:"later"`
	External int  `json:"external"`
}

// run checks the register of the project at root; an error kept it from that.
func run(root string, out io.Writer) (bool, error) {
	controls, err := load(root)
	if err != nil {
		return false, err
	}
	problems, err := verify(root, controls)
	if err != nil {
		return false, err
	}
	s := table(out, controls)
	for _, p := range problems {
		fmt.Fprintln(out, p)
	}
	s.OK = len(problems) == 0
	return s.OK, json.NewEncoder(out).Encode(s)
}
