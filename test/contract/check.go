package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// CheckRequest holds a request against its operation: path, query, content
// type and body. The body is given beside the request because a handler or a
// transport has read it already. The error, if any, wraps ErrViolation.
func (s *Spec) CheckRequest(r *http.Request, body []byte) error {
	op, _ := s.Match(r.Method, r.URL.EscapedPath())
	if op == nil {
		return problems{"no such operation"}.err(r.Method + " " + r.URL.EscapedPath())
	}
	var p problems
	if err := CheckPath(r.URL.EscapedPath()); err != nil {
		return err
	}
	op.checkQuery(&p, r.URL.RawQuery)
	if op.body == nil {
		if len(body) > 0 {
			p.add("body: the operation has none")
		}
		return p.err(op.ID)
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || !slices.Contains(op.consumes, media) {
		p.add("content-type: %q is not one of %s", r.Header.Get("Content-Type"), strings.Join(op.consumes, ", "))
	}
	checkBody(&p, op.body, body)
	return p.err(op.ID)
}

// CheckPath wants every byte of an escaped path percent-encoded that is neither
// unreserved (RFC 3986, section 2.3) nor a separator: Amazon's front end answers
// other paths with 403.
func CheckPath(path string) error {
	var p problems
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', strings.IndexByte("-._~/", c) >= 0:
		case c == '%' && i+2 < len(path):
			i += 2
		default:
			p.add("%q is not percent-encoded", c)
		}
	}
	return p.err("path " + path)
}

func (op *Operation) checkQuery(p *problems, raw string) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		p.add("query: %v", err)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		param, known := op.parameters[name]
		switch {
		case !known:
			p.add("query parameter %s: not declared", name)
		case len(query[name]) != 1:
			p.add("query parameter %s: given %d times", name, len(query[name]))
		default:
			param.check(p, name, query[name][0])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(op.parameters)) {
		if op.parameters[name].required && !query.Has(name) {
			p.add("query parameter %s: missing", name)
		}
	}
}

func (param *parameter) check(p *problems, name, text string) {
	where := "query parameter " + name
	texts := []string{text}
	if param.csv {
		texts = strings.Split(text, ",")
	}
	values := make([]any, 0, len(texts))
	for _, t := range texts {
		v, ok := scalar(param.kind, t)
		if !ok {
			p.add("%s: %q is not a value of type %s", where, t, param.kind)
			return
		}
		values = append(values, v)
	}
	var v any = values
	if !param.csv {
		v = values[0]
	}
	validate(p, where, param.schema, v)
}

// scalar converts the text of a parameter to the JSON value it stands for.
func scalar(kind, text string) (any, bool) {
	switch kind {
	case "integer", "number":
		var n json.Number
		err := json.Unmarshal([]byte(text), &n)
		return n, err == nil && !strings.HasPrefix(text, `"`)
	case "boolean":
		return text == "true", text == "true" || text == "false"
	default:
		return text, text != ""
	}
}

// CheckResponse holds an answer against the operation: the status must be
// declared, the x-amzn headers among those declared for it, x-amzn-RequestId
// present, and the body as the schema says, or absent.
func (s *Spec) CheckResponse(op *Operation, status int, header http.Header, body []byte) error {
	answer, ok := op.responses[status]
	what := op.ID + ": " + statusName(status)
	if !ok {
		return problems{"the status is not declared"}.err(what)
	}
	var p problems
	for _, name := range slices.Sorted(maps.Keys(header)) {
		if strings.HasPrefix(name, "X-Amzn-") && name != "X-Amzn-Errortype" && !answer.headers[name] {
			p.add("header %s: not declared for this status", name)
		}
	}
	if header.Get("X-Amzn-Requestid") == "" {
		p.add("header x-amzn-RequestId: missing")
	}
	if answer.schema == nil {
		if len(body) > 0 {
			p.add("body: none is declared")
		}
		return p.err(what)
	}
	if media, _, err := mime.ParseMediaType(header.Get("Content-Type")); err != nil || media != "application/json" {
		p.add("content-type: %q is not application/json", header.Get("Content-Type"))
	}
	checkBody(&p, answer.schema, body)
	return p.err(what)
}

func checkBody(p *problems, schema *jsonschema.Schema, body []byte) {
	v, err := Decode(body)
	if err != nil {
		p.add("body: %v", err)
		return
	}
	validate(p, "body", schema, v)
}

var english = message.NewPrinter(language.English)

func validate(p *problems, where string, schema *jsonschema.Schema, v any) {
	err := schema.Validate(v)
	var invalid *jsonschema.ValidationError
	if err == nil {
		return
	}
	if !errors.As(err, &invalid) {
		p.add("%s: %v", where, err)
		return
	}
	leaves(p, where, invalid)
}

func leaves(p *problems, where string, e *jsonschema.ValidationError) {
	if len(e.Causes) == 0 {
		at := where
		for _, step := range e.InstanceLocation {
			at += "/" + step
		}
		p.add("%s: %s", at, e.ErrorKind.LocalizedString(english))
	}
	for _, cause := range e.Causes {
		leaves(p, where, cause)
	}
}

// Decode reads exactly one JSON value. Numbers stay json.Number, digit for
// digit. It refuses what encoding/json lets pass in silence: an object that
// names a member twice, and anything after the value.
func Decode(raw []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	v, err := decodeValue(dec)
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("not JSON: something follows the value")
	}
	return v, nil
}

func decodeValue(dec *json.Decoder) (any, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		object := map[string]any{}
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return nil, err
			}
			name := key.(string)
			if _, twice := object[name]; twice {
				return nil, fmt.Errorf("member %q is given twice", name)
			}
			if object[name], err = decodeValue(dec); err != nil {
				return nil, err
			}
		}
		_, err = dec.Token()
		return object, err
	case json.Delim('['):
		array := []any{}
		for dec.More() {
			v, err := decodeValue(dec)
			if err != nil {
				return nil, err
			}
			array = append(array, v)
		}
		_, err = dec.Token()
		return array, err
	}
	return token, nil
}
