// Package template_test holds template.yaml to the rules that no linter knows:
// who may read what, that nothing is in clear, that whatever can fail has an
// alarm and every alarm a runbook. It reads the template as text; only
// TestTheDeployedTemplateWorks needs a local AWS.
package template_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"pricemanager/infra/local/localaws"
)

// object is a YAML mapping. Intrinsic functions in their short form have become
// the long one: !Ref X is {"Ref": "X"}, !GetAtt A.B is {"Fn::GetAtt": "A.B"}.
type object = map[string]any

type resource struct {
	id, kind string
	props    object
	body     object
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := localaws.ProjectRoot()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// load reads the template; the result is the whole document.
func load(t *testing.T) object {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return decode(t, doc.Content[0]).(object)
}

func decode(t *testing.T, n *yaml.Node) any {
	t.Helper()
	var v any
	switch n.Kind {
	case yaml.MappingNode:
		m := object{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			if _, twice := m[key]; twice {
				t.Errorf("line %d: key %s occurs twice", n.Content[i].Line, key)
			}
			m[key] = decode(t, n.Content[i+1])
		}
		v = m
	case yaml.SequenceNode:
		list := []any{}
		for _, c := range n.Content {
			list = append(list, decode(t, c))
		}
		v = list
	case yaml.ScalarNode:
		v = n.Value
	case yaml.AliasNode, yaml.DocumentNode, yaml.StreamNode:
		t.Fatalf("line %d: CloudFormation takes no YAML aliases", n.Line)
	}
	if short := strings.TrimPrefix(n.Tag, "!"); strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		if short == "Ref" || short == "Condition" {
			return object{short: v}
		}
		return object{"Fn::" + short: v}
	}
	return v
}

// resources lists the template's resources of some types, sorted by id.
func resources(t *testing.T, kinds ...string) []resource {
	t.Helper()
	var list []resource
	for id, body := range load(t)["Resources"].(object) {
		b := body.(object)
		kind := b["Type"].(string)
		if slices.Contains(kinds, kind) {
			props, _ := b["Properties"].(object)
			list = append(list, resource{id: id, kind: kind, props: props, body: b})
		}
	}
	if len(list) == 0 {
		t.Fatalf("the template has no %v", kinds)
	}
	slices.SortFunc(list, func(a, b resource) int { return strings.Compare(a.id, b.id) })
	return list
}

func functions(t *testing.T) []resource {
	t.Helper()
	return resources(t, "AWS::Serverless::Function")
}

// at follows keys into nested mappings; nil when one is missing.
func at(v any, keys ...string) any {
	for _, k := range keys {
		m, ok := v.(object)
		if !ok {
			return nil
		}
		v = m[k]
	}
	return v
}

// list makes a list of a value that may stand alone.
func list(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

// names is the resource that a !Ref, !GetAtt or !Sub of one resource names, e.g.
// "OffersTable" of !GetAtt OffersTable.Arn and of !Sub '${OffersTable.Arn}/x'.
func names(v any) string {
	if ref, ok := at(v, "Ref").(string); ok {
		return ref
	}
	if get, ok := at(v, "Fn::GetAtt").(string); ok {
		id, _, _ := strings.Cut(get, ".")
		return id
	}
	if sub, ok := at(v, "Fn::Sub").(string); ok && strings.HasPrefix(sub, "${") {
		id, _, _ := strings.Cut(sub[2:], "}")
		id, _, _ = strings.Cut(id, ".")
		return id
	}
	return ""
}

// text is a literal, or what a !Sub says, variables unresolved.
func text(v any) string {
	if sub, ok := at(v, "Fn::Sub").(string); ok {
		return sub
	}
	s, _ := v.(string)
	return s
}

// function is the name of a function below functions/, from its FunctionName.
func function(r resource) string {
	_, name, _ := strings.Cut(text(r.props["FunctionName"]), "${Stage}-")
	return name
}

func events(r resource) map[string]object {
	all := map[string]object{}
	m, _ := r.props["Events"].(object)
	for name, e := range m {
		all[name] = e.(object)
	}
	return all
}
