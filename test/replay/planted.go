package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"sync"
	"testing"

	"pricemanager/internal/runtime/logs"
	"pricemanager/test/canary"
)

// told is what a function has logged and measured in a test.
type told struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *told) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

// Told takes what a function logs and measures. When the test ends, nothing that
// Run plants may be in it.
func Told(t *testing.T) io.Writer {
	t.Helper()
	w := &told{}
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		s := canary.NewScanner()
		s.Bytes("log and metrics", w.text.Bytes())
		for _, leak := range s.Leaks() {
			t.Errorf("%s", leak)
		}
	})
	return w
}

// Log is a logger like that of a function, whose lines are Told.
func Log(t *testing.T) *slog.Logger {
	t.Helper()
	return logs.New(Told(t), slog.LevelDebug, "test", "test")
}

// planted returns an event with values in it that a caller or Amazon may add to
// any: in the headers, cookies and address of a request, in the objects of
// messages. ok is false for an event that has no such place.
func planted(event json.RawMessage) (out json.RawMessage, ok bool) {
	var e map[string]any
	if json.Unmarshal(event, &e) != nil {
		return nil, false
	}
	switch records, _ := e["Records"].([]any); {
	case e["httpMethod"] != nil:
		plantRequest(e)
	case e["detail"] != nil:
		plantObject(e, "detail")
	case len(records) > 0:
		for _, r := range records {
			record, _ := r.(map[string]any)
			body, isText := record["body"].(string)
			if !isText || len(body) < 3 || body[0] != '{' {
				return nil, false // of a stream: the tables' own, and no place for others
			}
			record["body"] = "{" + string(canary.Unasked()) + body[1:]
		}
	default:
		return nil, false
	}
	out, err := json.Marshal(e)
	return out, err == nil
}

func plantRequest(e map[string]any) {
	for name, value := range map[string]string{
		"X-Forwarded-For": canary.CallerIP, "Cookie": "session=" + canary.CallerCookie, "Referer": "https://shop.example/?password=" + canary.CallerPassword,
		"X-Amz-Access-Token": "Atza|" + canary.MarkAccess, "From": canary.CallerEmail,
	} {
		one, _ := e["headers"].(map[string]any)
		many, _ := e["multiValueHeaders"].(map[string]any)
		if one != nil {
			one[name] = value
		}
		if many != nil {
			many[name] = []string{value}
		}
	}
	if about, _ := e["requestContext"].(map[string]any); about != nil {
		if who, _ := about["identity"].(map[string]any); who != nil {
			who["sourceIp"], who["userAgent"] = canary.CallerIP, canary.CallerEmail
		}
	}
}

func plantObject(e map[string]any, name string) {
	if o, _ := e[name].(map[string]any); o != nil {
		o["buyerInfo"] = map[string]string{"name": canary.BuyerName, "email": canary.BuyerEmail, "street": canary.BuyerStreet}
	}
}

// tellsNothing runs the event once more with planted values: none may come back.
func tellsNothing(t *testing.T, h Handler, event json.RawMessage) {
	t.Helper()
	for _, leak := range comesBack(t.Context(), h, event) {
		t.Errorf("%s", leak)
	}
}

// comesBack is what of the planted values is in the answer or in the error.
func comesBack(ctx context.Context, h Handler, event json.RawMessage) []canary.Find {
	event, ok := planted(event)
	if !ok {
		return nil
	}
	out, err := h(ctx, event)
	s := canary.NewScanner()
	s.Bytes("answer", out)
	if err != nil {
		s.Text("error", err.Error())
	}
	return s.Leaks()
}
