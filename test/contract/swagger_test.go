package contract

import (
	"encoding/json"
	"strings"
	"testing"
)

// Nothing may get lost on the way to the second judge: it would pass what it no
// longer knows.
func TestTheSwaggerDocumentHasEveryOperationAndEveryReferenceLeadsSomewhere(t *testing.T) {
	t.Parallel()
	raw, err := Swagger()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string                     `json:"operationId"`
			Parameters  []map[string]any           `json:"parameters"`
			Responses   map[string]json.RawMessage `json:"responses"`
			Produces    []string                   `json:"produces"`
		} `json:"paths"`
		Definitions map[string]json.RawMessage `json:"definitions"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, op := range spec(t).Operations() {
		got := doc.Paths[op.Path][strings.ToLower(op.Method)]
		inPath := strings.Count(op.Path, "{")
		want := len(op.parameters) + inPath
		if op.body != nil {
			want++
		}
		if got.OperationID != op.ID || len(got.Responses) != len(op.responses) || len(got.Parameters) != want || len(got.Produces) != 1 {
			t.Errorf("%s: %q with %d parameters, want %d, and %d answers, want %d", op.ID, got.OperationID,
				len(got.Parameters), want, len(got.Responses), len(op.responses))
		}
		n++
	}
	if n < 16 {
		t.Errorf("%d operations", n)
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if to, ok := v["$ref"].(string); ok && doc.Definitions[strings.TrimPrefix(to, "#/definitions/")] == nil {
				t.Errorf("%s leads nowhere", to)
			}
			for _, member := range v {
				walk(member)
			}
		case []any:
			for _, member := range v {
				walk(member)
			}
		}
	}
	var all any
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	walk(all)
}
