package disclosure

import (
	"bytes"
	_ "embed" // pages and finders
	"fmt"
	"html/template"
	"strings"
)

var (
	//go:embed policy.html
	policyHTML string
	//go:embed finders.html
	findersHTML string
	// finders has a line for everybody who is thanked, the latest first: the month,
	// a tab, the name as its bearer wants it.
	//go:embed finders.txt
	finders string

	policyPage  = template.Must(template.New("policy").Parse(policyHTML))
	findersPage = template.Must(template.New("finders").Parse(findersHTML))
)

// Policy is the page that says what we ask of those who look for weaknesses, and
// what they can count on.
func (c Config) Policy() ([]byte, error) {
	return page(policyPage, struct {
		Contact, Key string
		Address      template.URL // of a scheme that Validate knows
		Finders      string
	}{strings.TrimPrefix(c.Contact, "mailto:"), c.Key, template.URL(c.Contact), FindersPath}) //nolint:gosec // the operator's, checked by Validate
}

// finder is somebody who is thanked.
type finder struct{ Month, Name string }

// Finders is the page that thanks those who reported a weakness.
func (c Config) Finders() ([]byte, error) {
	all, err := parseFinders(finders)
	if err != nil {
		return nil, err
	}
	return page(findersPage, struct {
		Policy string
		All    []finder
	}{PolicyPath, all})
}

func parseFinders(text string) (all []finder, _ error) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		month, name, ok := strings.Cut(line, "\t")
		if !ok || name == "" {
			return nil, fmt.Errorf("disclosure: finders.txt: %q is not a month, a tab and a name", line)
		}
		all = append(all, finder{month, name})
	}
	return all, nil
}

func page(t *template.Template, data any) ([]byte, error) {
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return nil, fmt.Errorf("disclosure: %w", err)
	}
	return b.Bytes(), nil
}
