package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"pricemanager/internal/privacy/kept"
)

// exported writes what of each store is in the export of everything (Art. 15 and 20),
// and why the rest is not. A store of which nobody says so is an error.
func exported(out *bytes.Buffer, found []resource, entries map[string]store) error {
	out.WriteString("\n## In the export of everything\n\n| Store | Kind | In the archive |\n|---|---|---|\n")
	var problems []string
	for _, r := range found {
		kinds := kindsOf(r)
		left := entries[r.id].left
		if (len(kinds) == 0) == (left == "") {
			problems = append(problems, fmt.Sprintf("%s, a %s of the template: say what of it the export has, of a table or bucket in internal/privacy/kept, else in left of its entry in infra/register/stores.go", r.id, r.kind))
			continue
		}
		if left != "" {
			fmt.Fprintf(out, "| %s `%s` | all | no: %s |\n", r.kind, r.id, left)
		}
		for _, k := range kinds {
			name, where := k.Name, strings.Join(k.Files, ", ")
			if name == "" {
				name = "all"
			}
			if k.Directory {
				name += " (of no tenant)"
			}
			if where == "" {
				where = "no: " + k.Why
			}
			fmt.Fprintf(out, "| %s `%s` | %s | %s |\n", r.kind, r.id, name, where)
		}
	}
	if len(problems) > 0 {
		slices.Sort(problems)
		return fmt.Errorf("%s", strings.Join(problems, "\n"))
	}
	return nil
}

// kindsOf are the kinds that a table or bucket holds. Its id is the code's name for it
// with what it is.
func kindsOf(r resource) []kept.Kind {
	name := strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(r.id, "Table"), "Bucket"))
	return slices.DeleteFunc(kept.Kinds(), func(k kept.Kind) bool {
		return r.kind == "table" && string(k.Table) != name || r.kind == "bucket" && string(k.Bucket) != name || r.kind != "table" && r.kind != "bucket"
	})
}
