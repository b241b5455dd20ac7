package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

const templateFile = "template.yaml"

// project is what the register is compared with.
type project struct {
	root      string
	resources map[string]bool // of the template, by logical id
	targets   map[string]bool // of the Makefile
	tests     map[string]tests
}

// verify returns what is wrong with the register, in its order.
func verify(root string, controls []control) ([]string, error) {
	p := &project{root: root, tests: map[string]tests{}}
	var err error
	if p.resources, err = resources(filepath.Join(root, templateFile)); err != nil {
		return nil, err
	}
	if p.targets, err = targets(filepath.Join(root, "Makefile")); err != nil {
		return nil, err
	}
	problems := complete(controls)
	for _, c := range controls {
		for _, where := range c.Where {
			if err := p.place(where); err != nil {
				problems = append(problems, fmt.Sprintf("%s: where %s: %v", c.ID, where, err))
			}
		}
		for _, check := range c.Check {
			if err := p.check(check); err != nil {
				problems = append(problems, fmt.Sprintf("%s: check %s: %v", c.ID, check, err))
			}
		}
	}
	return problems, nil
}

// place looks for a file, a directory, or a resource of the template.
func (p *project) place(where string) error {
	file, id, resource := strings.Cut(where, "#")
	if !filepath.IsLocal(file) || path.Clean(file) != file {
		return fmt.Errorf("is not a clean path below the project")
	}
	if _, err := os.Stat(filepath.Join(p.root, file)); err != nil {
		return fmt.Errorf("does not exist")
	}
	if resource && file != templateFile {
		return fmt.Errorf("only %s has resources", templateFile)
	}
	if resource && !p.resources[id] {
		return fmt.Errorf("the template has no resource %q", id)
	}
	return nil
}

// check looks for a test or a make target.
func (p *project) check(name string) error {
	if target, ok := strings.CutPrefix(name, "make:"); ok {
		if !p.targets[target] {
			return fmt.Errorf("the Makefile has no target %q", target)
		}
		return nil
	}
	dir, test, ok := cutTest(name)
	if !ok {
		return fmt.Errorf("is neither directory.TestName nor make:target")
	}
	if _, ok := p.tests[dir]; !ok {
		found, err := testsOf(filepath.Join(p.root, dir))
		if err != nil {
			return err
		}
		p.tests[dir] = found
	}
	test, sub, _ := strings.Cut(test, "/")
	switch t, ok := p.tests[dir].named[test]; {
	case !ok:
		return fmt.Errorf("directory %s has no test %s", dir, test)
	case t.empty:
		return fmt.Errorf("the test does nothing")
	}
	if sub != "" && !p.tests[dir].subtests[sub] {
		return fmt.Errorf("directory %s has no subtest %q", dir, sub)
	}
	return nil
}

// cutTest takes "internal/web.TestX/Y" apart. Directories have no dots.
func cutTest(name string) (dir, test string, ok bool) {
	dir, test, ok = strings.Cut(name, ".")
	return dir, test, ok && (strings.HasPrefix(test, "Test") || strings.HasPrefix(test, "Fuzz"))
}

// resources lists the logical ids of a template's resources.
func resources(file string) (map[string]bool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	// Nodes, because the short forms of CloudFormation's functions are tags that
	// no Go type has.
	var doc struct {
		Resources map[string]yaml.Node `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	ids := map[string]bool{}
	for id := range doc.Resources {
		ids[id] = true
	}
	return ids, nil
}

var target = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)

// targets lists the targets of a Makefile.
func targets(file string) (map[string]bool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, m := range target.FindAllSubmatch(text, -1) {
		names[string(m[1])] = true
	}
	return names, nil
}
