package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"pricemanager/internal/personal"
)

// preamble is what holds for every entry.
const preamble = `# Register of processing

Made by ` + "`go run ./infra/register`" + ` from internal/personal, template.yaml and infra/register/stores.go: change those, not
this file. ` + "`make test`" + ` fails when it is out of date or a store has no entry.

**Roles** (GDPR Art. 30(1) and (2)). For what a customer keeps here about its own people and offers, whoever runs this
installation is the customer's processor. For accounts, logs and the ledger it is the controller. Its name, address and
contact for data protection belong to the installation and are filled in there.

**Recipients.** Amazon Web Services, which runs the stores below in the one region that the stack is deployed to. Amazon's
Selling Partner API, which gets prices and no personal data. Nobody else. Nothing is used for advertising or profiling.

**Third countries.** The stack makes no copy outside its region.

**Security** (Art. 32). Encryption under the customer-managed keys named below; what is marked sealed is encrypted by the
application as well, under data keys of the one customer. Every function has a role of its own. infra/controls.yaml names
the test for each promise.

`

// build makes the register of the project at root.
func build(root string) ([]byte, error) {
	found, err := stores(filepath.Join(root, "template.yaml"))
	if err != nil {
		return nil, err
	}
	return write(found, known, personal.Fields())
}

func write(found []resource, known []store, fields []personal.Field) ([]byte, error) {
	entries, err := match(found, known)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString(preamble)
	out.WriteString("## Stores\n\n| Store | Holds | About whom | Purpose | Legal ground | Kept | Key |\n|---|---|---|---|---|---|---|\n")
	for _, r := range found {
		s := entries[r.id]
		about, basis := s.about, s.basis
		if about == "" {
			about, basis = "nobody", "-"
		}
		fmt.Fprintf(&out, "| %s `%s` | %s | %s | %s | %s | %s | %s |\n", r.kind, r.id, s.holds, about, s.use, basis, r.kept(), r.key())
	}
	out.WriteString("\nRefresh tokens of connections are secrets of their own, made when a seller consents and destroyed with the authorisation,\nunder TokenKey.\n")
	out.WriteString("\n## Personal fields\n\nEach is sealed by the application before it reaches its table.\n\n| Field | About whom | Purpose | Legal ground | Kept | Where | Data key |\n|---|---|---|---|---|---|---|\n")
	for _, f := range fields {
		where := fmt.Sprintf("%s: %s", f.Table, f.Attr)
		if f.Unused {
			where = "not stored by any function; would be " + where
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %s | %s | %s | %s |\n", f.Name, f.Subject, f.Use, f.Basis, f.Keep, where, f.Purpose)
	}
	if err := exported(&out, found, entries); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// match pairs the template's stores with what is known of them.
func match(found []resource, known []store) (map[string]store, error) {
	entries := map[string]store{}
	var problems []string
	for _, s := range known {
		if s.holds == "" || s.use == "" || (s.about == "") != (s.basis == "") {
			problems = append(problems, fmt.Sprintf("the entry of %s is not whole: it needs what it holds and why, and people and a legal ground together", strings.Join(s.ids, ", ")))
		}
		for _, id := range s.ids {
			if _, twice := entries[id]; twice {
				problems = append(problems, id+" has two entries")
			}
			entries[id] = s
			if !slices.ContainsFunc(found, func(r resource) bool { return r.id == id }) {
				problems = append(problems, id+" has an entry and is not in the template")
			}
		}
	}
	for _, r := range found {
		if _, ok := entries[r.id]; !ok {
			problems = append(problems, fmt.Sprintf("%s, a %s of the template, has no entry in infra/register/stores.go: say what it holds, about whom and why", r.id, r.kind))
		}
		if k := r.key(); k == "none" {
			problems = append(problems, r.id+" is not encrypted under a key of ours")
		}
	}
	if len(problems) > 0 {
		slices.Sort(problems)
		return nil, fmt.Errorf("%s", strings.Join(problems, "\n"))
	}
	return entries, nil
}
