package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pricemanager/internal/secret"
)

const canary = "Atzr|canary-0123456789"

// TestAValueShowsNowhereByAccident: also where it is a field that fmt cannot call
// the methods of.
func TestAValueShowsNowhereByAccident(t *testing.T) {
	t.Parallel()
	type inside struct {
		hidden secret.Value
		Shown  secret.Value
		list   []secret.Value
		named  map[string]secret.Value
	}
	v := secret.New(canary)
	in := inside{v, v, []secret.Value{v}, map[string]secret.Value{"a": v}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, x := range []any{v, &v, in, &in, []inside{in}, fmt.Errorf("with %v and %w", in, fmt.Errorf("%+v", v))} {
			fmt.Fprintf(&out, verb+"\n", x)
		}
	}
	body, err := json.Marshal(map[string]any{"v": v, "in": in})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(body)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "v", v, "in", in, "list", []secret.Value{v})
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "v", v, "in", in, "list", []secret.Value{v})
	for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), "canary"} {
		if strings.Contains(out.String(), form) {
			t.Errorf("%q shows in %s", form, out.String())
		}
	}
	if v.Reveal() != canary || v.Empty() || !(secret.Value{}).Empty() || (secret.Value{}).Reveal() != "" || !secret.New("").Empty() {
		t.Error("a value does not keep what it was given")
	}
}
