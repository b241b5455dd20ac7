package openapi

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/getkin/kin-openapi/openapi3"
)

// handler is replay.Handler, by its shape.
type handler = func(context.Context, json.RawMessage) (json.RawMessage, error)

// Checked is h with every request it is given and every reply it makes held to
// the document. Events of other kinds than API requests pass.
func Checked(t *testing.T, h handler) handler {
	t.Helper()
	d := Load(t)
	return func(ctx context.Context, event json.RawMessage) (json.RawMessage, error) {
		out, err := h(ctx, event)
		if err == nil {
			if err := d.check(event, out); err != nil {
				t.Errorf("not as infra/openapi.yaml says: %v", err)
			}
		}
		return out, err
	}
}

// check compares one request and its reply with the document. A request that
// was refused may be anything.
func (d *Document) check(event, reply json.RawMessage) error {
	var req events.APIGatewayProxyRequest
	if err := json.Unmarshal(event, &req); err != nil || req.HTTPMethod == "" {
		return err
	}
	var res events.APIGatewayProxyResponse
	if err := json.Unmarshal(reply, &res); err != nil {
		return err
	}
	item := d.api.Paths.Value(req.Resource)
	if item == nil || item.GetOperation(req.HTTPMethod) == nil {
		return fmt.Errorf("there is no %s %s", req.HTTPMethod, req.Resource)
	}
	op := item.GetOperation(req.HTTPMethod)
	var errs []error
	if res.StatusCode < http.StatusBadRequest {
		errs = append(errs, checkRequest(item, op, req))
	}
	errs = append(errs, checkReply(op, res))
	return errors.Join(errs...)
}

func checkRequest(item *openapi3.PathItem, op *openapi3.Operation, req events.APIGatewayProxyRequest) error {
	return errors.Join(checkParameters(item, op, req), checkBody(op, req))
}

// checkBody wants a body where the document has one, of a type that it names.
func checkBody(op *openapi3.Operation, req events.APIGatewayProxyRequest) error {
	if op.RequestBody == nil {
		if req.Body != "" {
			return errors.New("the request has a body")
		}
		return nil
	}
	if req.Body == "" {
		if op.RequestBody.Value.Required {
			return errors.New("the request lacks its body and was taken")
		}
		return nil
	}
	typ, _, err := mime.ParseMediaType(header(req).Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("the request's Content-Type %q: %w", header(req).Get("Content-Type"), err)
	}
	content := op.RequestBody.Value.Content[typ]
	if content == nil {
		return fmt.Errorf("the request comes as %s and was taken", typ)
	}
	if typ != "application/json" || content.Schema == nil {
		return nil
	}
	body := []byte(req.Body)
	if req.IsBase64Encoded {
		if body, err = base64.StdEncoding.DecodeString(req.Body); err != nil {
			return fmt.Errorf("request body: %w", err)
		}
	}
	if err := checkJSON(content.Schema, body); err != nil {
		return fmt.Errorf("request body: %w", err)
	}
	return nil
}

func checkReply(op *openapi3.Operation, res events.APIGatewayProxyResponse) error {
	ref := op.Responses.Value(strconv.Itoa(res.StatusCode))
	if ref == nil && res.StatusCode >= http.StatusInternalServerError {
		ref = op.Responses.Default()
	}
	if ref == nil {
		return fmt.Errorf("status %d is not among the answers", res.StatusCode)
	}
	headers := http.Header(res.MultiValueHeaders)
	if err := checkHeaders(ref.Value.Headers, headers); err != nil {
		return fmt.Errorf("status %d %w", res.StatusCode, err)
	}
	typ, _, err := mime.ParseMediaType(headers.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("Content-Type %q: %w", headers.Get("Content-Type"), err)
	}
	content := ref.Value.Content[typ]
	if content == nil {
		return fmt.Errorf("status %d comes as %s", res.StatusCode, typ)
	}
	if !strings.HasSuffix(typ, "json") { // text, or a workbook
		if content.Schema == nil || res.IsBase64Encoded {
			return nil
		}
		if err := content.Schema.Value.VisitJSON(res.Body, openapi3.EnableJSONSchema2020()); err != nil {
			return fmt.Errorf("status %d: %w", res.StatusCode, err)
		}
		return nil
	}
	if err := checkJSON(content.Schema, []byte(res.Body)); err != nil {
		return fmt.Errorf("status %d: %w", res.StatusCode, err)
	}
	return nil
}

// judging is for shut, which changes the document that all tests share.
var judging sync.Mutex

// checkJSON validates a body against a schema in which objects have no members
// but those named.
func checkJSON(schema *openapi3.SchemaRef, body []byte) error {
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return fmt.Errorf("%w in %s", err, bytes.TrimSpace(body))
	}
	judging.Lock()
	defer judging.Unlock()
	shut(schema, map[*openapi3.Schema]bool{})
	if err := schema.Value.VisitJSON(value, openapi3.EnableJSONSchema2020(), openapi3.MultiErrors()); err != nil {
		return fmt.Errorf("%w in %s", err, body)
	}
	return nil
}

// shut forbids, in a schema and all below it, the members that it does not name,
// unless it says that there may be others. The document itself does not: clients
// must bear new members.
func shut(ref *openapi3.SchemaRef, seen map[*openapi3.Schema]bool) {
	if ref == nil || ref.Value == nil || seen[ref.Value] {
		return
	}
	s := ref.Value
	seen[s] = true
	if len(s.Properties) > 0 && s.AdditionalProperties.Has == nil && s.AdditionalProperties.Schema == nil {
		no := false
		s.AdditionalProperties.Has = &no
	}
	for _, p := range s.Properties {
		shut(p, seen)
	}
	shut(s.Items, seen)
	for _, part := range s.AllOf {
		shut(part, seen)
	}
}
