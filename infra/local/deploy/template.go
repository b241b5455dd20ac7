package deploy

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Function is one Lambda function of the template.
type Function struct {
	ID   string // logical id, e.g. "PriceSync"
	Name string // directory below functions/, e.g. "price-sync"
}

// Template is a SAM template whose functions can be told where their code is.
// Everything else passes through it as it is.
type Template struct {
	root      yaml.Node
	functions []Function
	props     map[string]*yaml.Node // logical id to its Properties
}

// ParseTemplate reads a SAM template. A function's directory is the part of its
// FunctionName after the stage: "pm-${Stage}-price-sync" is functions/price-sync.
func ParseTemplate(text []byte) (*Template, error) {
	t := &Template{props: map[string]*yaml.Node{}}
	if err := yaml.Unmarshal(text, &t.root); err != nil {
		return nil, fmt.Errorf("deploy: template: %w", err)
	}
	if len(t.root.Content) != 1 {
		return nil, errors.New("deploy: the template is empty")
	}
	resources := child(t.root.Content[0], "Resources")
	if resources == nil {
		return nil, errors.New("deploy: the template has no Resources")
	}
	for i := 0; i+1 < len(resources.Content); i += 2 {
		id, body := resources.Content[i].Value, resources.Content[i+1]
		if kind := child(body, "Type"); kind == nil || kind.Value != "AWS::Serverless::Function" {
			continue
		}
		props := child(body, "Properties")
		name := child(props, "FunctionName")
		if name == nil {
			return nil, fmt.Errorf("deploy: function %s has no FunctionName", id)
		}
		_, dir, ok := strings.Cut(name.Value, "${Stage}-")
		if !ok || dir == "" {
			return nil, fmt.Errorf("deploy: FunctionName %q of %s does not end in ${Stage}-<directory>", name.Value, id)
		}
		t.functions = append(t.functions, Function{ID: id, Name: dir})
		t.props[id] = props
	}
	return t, nil
}

// Functions lists the functions in the template's order.
func (t *Template) Functions() []Function { return t.functions }

// WithCode returns the template's text with the code of each function, given
// by logical id, at its place in a bucket.
func (t *Template) WithCode(bucket string, keys map[string]string) ([]byte, error) {
	for id, props := range t.props {
		key := keys[id]
		if key == "" {
			return nil, fmt.Errorf("deploy: no code for function %s", id)
		}
		uri := "s3://" + path.Join(bucket, key)
		if at := child(props, "CodeUri"); at != nil {
			at.SetString(uri)
			continue
		}
		var name, value yaml.Node
		name.SetString("CodeUri")
		value.SetString(uri)
		props.Content = append(props.Content, &name, &value)
	}
	text, err := yaml.Marshal(&t.root)
	if err != nil {
		return nil, fmt.Errorf("deploy: template: %w", err)
	}
	return text, nil
}

// child returns the value of a mapping's key, or nil.
func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}
