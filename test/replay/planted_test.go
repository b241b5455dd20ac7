package replay

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
)

// What a handler repeats of an event is found, in its answer and in its error.
func TestAHandlerThatRepeatsWhatItGotIsFound(t *testing.T) {
	t.Parallel()
	echo := func(_ context.Context, event json.RawMessage) (json.RawMessage, error) {
		return event, errors.New("refused: " + string(event))
	}
	for name, c := range map[string]struct {
		event string
		wants []string
	}{
		"a request": {`{"httpMethod":"GET","headers":{},"multiValueHeaders":{},"requestContext":{"identity":{"sourceIp":"192.0.2.1"}}}`,
			[]string{"caller's address", "caller's cookie", "caller's e-mail", "caller's password", "access token"}},
		"a message":    {`{"Records":[{"body":"{\"kind\":\"lane\"}"}]}`, []string{"buyer's name", "buyer's e-mail", "buyer's street", "buyer's telephone"}},
		"a bus":        {`{"detail-type":"X","detail":{"a":1}}`, []string{"buyer's name", "buyer's e-mail", "buyer's street"}},
		"a stream":     {`{"Records":[{"dynamodb":{}}]}`, nil},
		"a scheduled":  {`{"job":"sweep"}`, nil},
		"not a record": {`7`, nil},
	} {
		found := map[string][]string{}
		for _, f := range comesBack(t.Context(), echo, json.RawMessage(c.event)) {
			found[f.Place] = append(found[f.Place], f.Name)
		}
		for _, place := range []string{"answer", "error"} {
			slices.Sort(found[place])
			slices.Sort(c.wants)
			if !slices.Equal(found[place], c.wants) {
				t.Errorf("%s: found %q in the %s, want %q", name, found[place], place, c.wants)
			}
		}
	}
	quiet := func(context.Context, json.RawMessage) (json.RawMessage, error) {
		return json.RawMessage(`{"ok":true}`), nil
	}
	if found := comesBack(t.Context(), quiet, json.RawMessage(`{"httpMethod":"GET","headers":{}}`)); len(found) != 0 {
		t.Errorf("found %v in an answer that has nothing", found)
	}
}
