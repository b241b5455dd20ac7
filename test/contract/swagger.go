package contract

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Swagger returns the operations of the contract as one Swagger 2.0 document,
// for tools that judge traffic by such documents. It says what the models say,
// no more: what package contract adds in strictness is not in it. All models
// answer in JSON, which the reduced form does not repeat.
func Swagger() ([]byte, error) {
	var file specFile
	if err := json.Unmarshal(derived, &file); err != nil {
		return nil, fmt.Errorf("contract: spapi.json: %w", err)
	}
	paths, definitions := map[string]map[string]any{}, map[string]any{}
	for _, api := range file.APIs {
		// Several models define Error or ErrorList, each its own.
		prefix := strings.TrimSuffix(api.Model, ".json") + "."
		own, err := decodeObject(api.Definitions)
		if err != nil {
			return nil, fmt.Errorf("contract: %s: %w", api.Model, err)
		}
		for name, schema := range own {
			definitions[prefix+name] = prefixed(schema, prefix)
		}
		for _, o := range api.Operations {
			op, err := o.swagger(prefix)
			if err != nil {
				return nil, fmt.Errorf("contract: %s: %w", o.ID, err)
			}
			if paths[o.Path] == nil {
				paths[o.Path] = map[string]any{}
			}
			paths[o.Path][strings.ToLower(o.Method)] = op
		}
	}
	return json.Marshal(map[string]any{
		"swagger": "2.0", "info": map[string]string{"title": "Selling Partner API", "version": file.Revision},
		"paths": paths, "definitions": definitions,
	})
}

func (o operationFile) swagger(prefix string) (map[string]any, error) {
	parameters := []any{}
	for _, p := range o.Parameters {
		schema, err := decodeObject(p.Schema)
		if err != nil {
			return nil, err
		}
		out := map[string]any{}
		if p.In == "body" {
			out["schema"] = prefixed(schema, prefix)
		} else {
			out, _ = prefixed(schema, prefix).(map[string]any)
		}
		out["name"], out["in"], out["required"] = p.Name, p.In, p.Required
		if p.CSV {
			out["collectionFormat"] = "csv"
		}
		parameters = append(parameters, out)
	}
	responses := map[string]any{}
	for status, r := range o.Responses {
		if _, err := strconv.Atoi(status); err != nil {
			return nil, fmt.Errorf("status %q", status)
		}
		headers := map[string]any{}
		for _, name := range r.Headers {
			headers[name] = map[string]string{"type": "string"}
		}
		out := map[string]any{"description": "", "headers": headers}
		if r.Schema != nil {
			schema, err := decodeObject(r.Schema)
			if err != nil {
				return nil, err
			}
			out["schema"] = prefixed(schema, prefix)
		}
		responses[status] = out
	}
	return map[string]any{
		"operationId": o.ID, "consumes": o.Consumes, "produces": []string{"application/json"},
		"parameters": parameters, "responses": responses,
	}, nil
}

// prefixed copies a schema and lets its references lead to prefixed definitions.
func prefixed(v any, prefix string) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, member := range v {
			if to, ok := member.(string); ok && name == "$ref" {
				member = strings.Replace(to, "#/definitions/", "#/definitions/"+prefix, 1)
			}
			out[name] = prefixed(member, prefix)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, member := range v {
			out[i] = prefixed(member, prefix)
		}
		return out
	}
	return v
}
