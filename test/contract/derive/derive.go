package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// wanted lists the operations that the product calls, by model file.
var wanted = map[string][]string{
	"application_2023-11-30.json":   {"rotateApplicationClientSecret"},
	"feeds_2021-06-30.json":         {"createFeedDocument", "createFeed", "getFeeds", "getFeed", "cancelFeed", "getFeedDocument"},
	"listingsItems_2021-08-01.json": {"getListingsItem", "searchListingsItems", "patchListingsItem"},
	"notifications.json":            {"createDestination", "getDestinations", "createSubscription", "getSubscription"},
	"reports_2021-06-30.json":       {"createReport", "getReport", "getReportDocument", "cancelReport"},
	"sellers.json":                  {"getMarketplaceParticipations"},
}

// wantedDocuments are the documents that travel beside the API, by the name
// that package contract gives them.
var wantedDocuments = map[string]string{
	"listings-feed":               "schemas/feeds/listings-feed-schema-v2.json",
	"listings-feed-report":        "schemas/feeds/listings-feed-processing-report-schema-v2.json",
	"FEED_PROCESSING_FINISHED":    "schemas/notifications/FeedProcessingFinishedNotification.json",
	"LISTINGS_ITEM_STATUS_CHANGE": "schemas/notifications/ListingsItemStatusChangeNotification.json",
	"LISTINGS_ITEM_ISSUES_CHANGE": "schemas/notifications/ListingsItemIssuesChangeNotification_2023-12-13.json",
}

// object is a decoded JSON object; numbers in it are json.Number.
type object = map[string]any

// derive returns the machine form of the wanted operations and documents. Its
// bytes depend on nothing but the models.
func derive(models fs.FS, wanted map[string][]string, documents map[string]string) ([]byte, error) {
	revision, err := fs.ReadFile(models, "COMMIT")
	if err != nil {
		return nil, fmt.Errorf("the models' revision: %w", err)
	}
	var apis []any
	for _, file := range slices.Sorted(maps.Keys(wanted)) {
		api, err := deriveAPI(models, file, wanted[file])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		apis = append(apis, api)
	}
	schemas := object{}
	for name, file := range documents {
		if schemas[name], err = deriveDocument(models, file); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err = enc.Encode(object{"revision": strings.TrimSpace(string(revision)), "apis": apis, "documents": schemas})
	return out.Bytes(), err
}

// deriveDocument reduces a schema that stands alone: it refers to nothing.
func deriveDocument(models fs.FS, file string) (any, error) {
	schema, err := readObject(models, file)
	if err != nil {
		return nil, err
	}
	return (&reducer{}).schema(schema)
}

func readObject(models fs.FS, file string) (object, error) {
	raw, err := fs.ReadFile(models, file)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var out object
	err = dec.Decode(&out)
	return out, err
}

func deriveAPI(models fs.FS, file string, operations []string) (object, error) {
	model, err := readObject(models, file)
	if err != nil {
		return nil, err
	}
	definitions, _ := model["definitions"].(object)
	r := &reducer{definitions: definitions, reached: object{}}
	found := map[string]any{}
	paths, _ := model["paths"].(object)
	for path, item := range paths {
		methods, _ := item.(object)
		for method, v := range methods {
			op, ok := v.(object)
			id, _ := op["operationId"].(string)
			if !ok || !slices.Contains(operations, id) {
				continue
			}
			if shared, _ := methods["parameters"].([]any); len(shared) > 0 {
				return nil, fmt.Errorf("%s: path-level parameters are not handled", path)
			}
			reduced, err := r.operation(op)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", id, err)
			}
			reduced["id"], reduced["method"], reduced["path"] = id, strings.ToUpper(method), path
			if reduced["consumes"] = op["consumes"]; op["consumes"] == nil {
				reduced["consumes"] = model["consumes"]
			}
			found[id] = reduced
		}
	}
	var ops []any
	for _, id := range operations {
		if found[id] == nil {
			return nil, fmt.Errorf("no operation %s", id)
		}
		ops = append(ops, found[id])
	}
	return object{"model": file, "operations": ops, "definitions": r.reached}, nil
}

// reducer copies schemas without their prose and collects the definitions that
// they reach.
type reducer struct {
	definitions object
	reached     object
}

func (r *reducer) operation(op object) (object, error) {
	rate, burst, err := usagePlan(op["description"])
	if err != nil {
		return nil, err
	}
	out := object{"rate": json.Number(rate), "burst": json.Number(burst)}
	params, _ := op["parameters"].([]any)
	var reduced []any
	for _, p := range params {
		param, err := r.parameter(p.(object))
		if err != nil {
			return nil, err
		}
		reduced = append(reduced, param)
	}
	out["parameters"] = reduced
	responses, _ := op["responses"].(object)
	answers := object{}
	for status, v := range responses {
		response := v.(object)
		headers, _ := response["headers"].(object)
		answer := object{"headers": slices.Sorted(maps.Keys(headers))}
		if response["schema"] != nil {
			if answer["schema"], err = r.schema(response["schema"]); err != nil {
				return nil, fmt.Errorf("response %s: %w", status, err)
			}
		}
		answers[status] = answer
	}
	out["responses"] = answers
	return out, nil
}

func (r *reducer) parameter(p object) (object, error) {
	name, _ := p["name"].(string)
	out := object{"name": name, "in": p["in"], "required": p["required"] == true}
	if p["in"] == "body" {
		schema, err := r.schema(p["schema"])
		out["schema"] = schema
		return out, err
	}
	if p["type"] == "array" { // csv is what Swagger 2.0 means where a model says nothing
		out["csv"] = true
	}
	flat := object{}
	for k, v := range p {
		switch k {
		case "name", "in", "required":
		case "collectionFormat":
			if v != "csv" {
				return nil, fmt.Errorf("parameter %s: collectionFormat %v is not handled", name, v)
			}
		default:
			flat[k] = v
		}
	}
	schema, err := r.schema(flat)
	if err != nil {
		return nil, fmt.Errorf("parameter %s: %w", name, err)
	}
	out["schema"] = schema
	return out, nil
}

// Keywords whose value is copied as it is, and keywords that are prose.
var (
	plain = []string{"type", "format", "enum", "required", "minimum", "maximum", "minLength", "maxLength",
		"minItems", "maxItems", "pattern", "uniqueItems", "default", "const", "minProperties"}
	prose = []string{"description", "title", "example", "examples", "externalDocs", "$schema", "$comment", "$id"} // nothing refers to a $id
)

func (r *reducer) schema(v any) (any, error) {
	if b, ok := v.(bool); ok {
		return b, nil
	}
	s, ok := v.(object)
	if !ok {
		return nil, fmt.Errorf("a schema is %T", v)
	}
	out := object{}
	for k, v := range s {
		var err error
		switch {
		case slices.Contains(prose, k) || strings.HasPrefix(k, "x-"):
		case slices.Contains(plain, k):
			out[k] = v
		case k == "$ref":
			out[k], err = r.ref(v)
		case k == "items" || k == "additionalProperties":
			out[k], err = r.schema(v)
		case k == "allOf" || k == "oneOf":
			var all []any
			for _, part := range v.([]any) {
				reduced, partErr := r.schema(part)
				all, err = append(all, reduced), errors.Join(err, partErr)
			}
			out[k] = all
		case k == "properties":
			properties := object{}
			for name, property := range v.(object) {
				if properties[name], err = r.schema(property); err != nil {
					return nil, fmt.Errorf("%s: %w", name, err)
				}
			}
			out[k] = properties
		default:
			return nil, fmt.Errorf("schema keyword %q is not handled", k)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (r *reducer) ref(v any) (any, error) {
	name, ok := strings.CutPrefix(fmt.Sprint(v), "#/definitions/")
	if !ok || r.definitions[name] == nil {
		return nil, fmt.Errorf("reference %v leads nowhere", v)
	}
	if r.reached[name] == nil {
		r.reached[name] = object{} // stops recursion
		reduced, err := r.schema(r.definitions[name])
		if err != nil {
			return nil, fmt.Errorf("definition %s: %w", name, err)
		}
		r.reached[name] = reduced
	}
	return v, nil
}

// The default rate and burst stand in a table in the operation's description;
// the models have no field for them.
var planTable = regexp.MustCompile(`\| *Rate \(requests per second\) *\| *Burst *\|\s*\n[-| :]+\n\| *([0-9.]+) *\| *([0-9]+) *\|`)

func usagePlan(description any) (rate, burst string, err error) {
	text, _ := description.(string)
	m := planTable.FindAllStringSubmatch(text, -1)
	if len(m) != 1 {
		return "", "", fmt.Errorf("%d usage plan tables in the description, want one", len(m))
	}
	return m[0][1], m[0][2], nil
}
