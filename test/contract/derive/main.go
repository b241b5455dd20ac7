// Command derive turns a directory with Amazon's official API models into the
// machine form that package contract embeds: paths, parameters, schemas,
// statuses, headers and rates, and no sentence of prose.
//
//	derive -models DIR -out FILE          writes FILE
//	derive -models DIR -out FILE -check   says what differs from FILE, exits 1
//
// It refuses a model with a schema keyword that it does not know: a contract
// that silently lost a rule would be worse than none.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

var errDiffers = errors.New("the contract file differs from the models: derive it again and read the difference")

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "derive:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("derive", flag.ContinueOnError)
	models := flags.String("models", "", "directory with the official models")
	out := flags.String("out", "", "the derived file")
	check := flags.Bool("check", false, "compare instead of writing")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *models == "" || *out == "" {
		return errors.New("-models and -out are required")
	}
	derived, err := derive(os.DirFS(*models), wanted, wantedDocuments)
	if err != nil {
		return err
	}
	if !*check {
		return os.WriteFile(*out, derived, 0o644)
	}
	have, err := os.ReadFile(*out)
	if err != nil {
		return err
	}
	if bytes.Equal(have, derived) {
		return nil
	}
	return report(stdout, have, derived)
}
