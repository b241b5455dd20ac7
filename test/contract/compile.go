package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// specFile is the form of spapi.json. Schemas stay raw, so that their numbers
// stay exact.
type specFile struct {
	Revision string    `json:"revision"`
	APIs     []apiFile `json:"apis"`
	// Documents are schemas by name.
	Documents map[string]json.RawMessage `json:"documents"`
}

type apiFile struct {
	Model       string          `json:"model"`
	Operations  []operationFile `json:"operations"`
	Definitions json.RawMessage `json:"definitions"`
}

type operationFile struct {
	ID         string                  `json:"id"`
	Method     string                  `json:"method"`
	Path       string                  `json:"path"`
	Rate       json.Number             `json:"rate"`
	Burst      int                     `json:"burst"`
	Consumes   []string                `json:"consumes"`
	Parameters []parameterFile         `json:"parameters"`
	Responses  map[string]responseFile `json:"responses"`
}

type parameterFile struct {
	Name     string          `json:"name"`
	In       string          `json:"in"`
	Required bool            `json:"required"`
	CSV      bool            `json:"csv"`
	Schema   json.RawMessage `json:"schema"`
}

type responseFile struct {
	Headers []string        `json:"headers"`
	Schema  json.RawMessage `json:"schema"`
}

// openPrefix marks the second copy of each definition, which allows members
// that it does not declare: the parts of an allOf must not close the whole.
const openPrefix = "open:"

// compiler turns the schemas of one model into validators.
type compiler struct {
	*jsonschema.Compiler
	definitions map[string]any
	count       int
}

func compileAPI(api apiFile) ([]*Operation, error) {
	definitions, err := decodeObject(api.Definitions)
	if err != nil {
		return nil, err
	}
	c := &compiler{Compiler: newCompiler(), definitions: map[string]any{}}
	for name, def := range definitions {
		c.definitions[name] = closed(def, false)
		c.definitions[openPrefix+name] = closed(def, true)
	}
	ops := make([]*Operation, 0, len(api.Operations))
	for _, o := range api.Operations {
		op, err := c.operation(o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.ID, err)
		}
		ops = append(ops, op)
	}
	return ops, nil
}

func newCompiler() *jsonschema.Compiler {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	return c
}

func (c *compiler) operation(o operationFile) (*Operation, error) {
	op := &Operation{
		ID: o.ID, Method: o.Method, Path: o.Path, Rate: o.Rate.String(), Burst: o.Burst,
		consumes: o.Consumes, segments: strings.Split(o.Path, "/"),
		parameters: map[string]*parameter{}, responses: map[int]response{},
	}
	for _, p := range o.Parameters {
		schema, err := c.compile(p.Schema)
		if err != nil {
			return nil, fmt.Errorf("parameter %s: %w", p.Name, err)
		}
		switch p.In {
		case "body":
			op.body = schema
		case "query":
			param := &parameter{required: p.Required, csv: p.CSV, schema: schema}
			var kind struct {
				Type  string
				Items struct{ Type string }
			}
			if err := json.Unmarshal(p.Schema, &kind); err != nil {
				return nil, err
			}
			if param.kind = kind.Type; p.CSV {
				param.kind = kind.Items.Type
			}
			op.parameters[p.Name] = param
		case "path": // one segment of text: Match does it
		default:
			return nil, fmt.Errorf("parameter %s is in %q, which is not handled", p.Name, p.In)
		}
	}
	for text, r := range o.Responses {
		status, err := strconv.Atoi(text)
		if err != nil {
			return nil, err
		}
		answer := response{headers: map[string]bool{}}
		for _, h := range r.Headers {
			answer.headers[http.CanonicalHeaderKey(h)] = true
		}
		if r.Schema != nil {
			if answer.schema, err = c.compile(r.Schema); err != nil {
				return nil, fmt.Errorf("answer %s: %w", text, err)
			}
		}
		op.responses[status] = answer
	}
	return op, nil
}

// compile compiles one schema together with the model's definitions.
func (c *compiler) compile(raw json.RawMessage) (*jsonschema.Schema, error) {
	root, err := decodeObject(raw)
	if err != nil {
		return nil, err
	}
	doc := closed(root, false).(map[string]any)
	doc["$defs"] = c.definitions
	c.count++
	location := "contract:///schema/" + strconv.Itoa(c.count)
	if err := c.AddResource(location, doc); err != nil {
		return nil, err
	}
	return c.Compile(location)
}

func decodeObject(raw json.RawMessage) (map[string]any, error) {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	o, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("a schema is %T", v)
	}
	return o, nil
}

// closed copies a schema of the models into JSON Schema 2020-12: references
// point into $defs, and an object that declares properties has no others
// unless open.
func closed(v any, open bool) any {
	s, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := maps.Clone(s)
	for k, v := range s {
		switch k {
		case "$ref":
			name := strings.TrimPrefix(v.(string), "#/definitions/")
			if open {
				name = openPrefix + name
			}
			out[k] = "#/$defs/" + url.PathEscape(name)
		case "items", "additionalProperties":
			out[k] = closed(v, false)
		case "properties":
			properties := map[string]any{}
			for name, p := range v.(map[string]any) {
				properties[name] = closed(p, false)
			}
			out[k] = properties
		case "allOf", "oneOf": // their parts describe the same object as s does
			var all []any
			for _, part := range v.([]any) {
				all = append(all, closed(part, true))
			}
			out[k] = all
		}
	}
	_, declares := s["properties"]
	_, composed := s["allOf"]
	if _, said := s["additionalProperties"]; !said && !open {
		if composed {
			out["unevaluatedProperties"] = false
		} else if declares {
			out["additionalProperties"] = false
		}
	}
	return out
}
