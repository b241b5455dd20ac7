package personal_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"text/template"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/personal"
	"pricemanager/internal/runtime/logs"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

const tenantA tenant.ID = "t_aaaaaa"

var ctx = context.Background()

// canaries are the values of the synthetic record; none occurs anywhere by chance.
var canaries = []string{"Zsófia Kanarek", "Quetzalallee 17b", "Xylopolis", "+49 151 00998877", "zsofia.kanarek@canary.example"}

func recipient() personal.Recipient {
	return personal.Recipient{
		Name: personal.New(canaries[0]), Street: personal.New(canaries[1]), City: personal.New(canaries[2]),
		Phone: personal.New(canaries[3]), Email: personal.New(canaries[4]),
	}
}

func clean(tb testing.TB, where, text string) {
	tb.Helper()
	for _, c := range canaries {
		// As JSON and %q would write it, too.
		ascii := strings.Trim(fmt.Sprintf("%+q", c), `"`)
		if strings.Contains(text, c) || strings.Contains(text, ascii) {
			tb.Errorf("%s holds %q in clear: %.300q", where, c, text)
		}
	}
}

// around has a personal value where no method of it can be called.
type around struct {
	hidden  personal.Recipient
	Pointer *personal.Recipient
}

func TestAPersonalValueIsPrintedNowhere(t *testing.T) {
	t.Parallel()
	r := recipient()
	values := map[string]any{
		"value": r.Name, "record": r, "pointer": &r, "hidden": around{r, &r}, "list": []personal.Recipient{r},
		"map": map[string]personal.Sensitive[string]{"x": r.Name}, "error": fmt.Errorf("send to %v: %w", r, errors.New("no")),
		"struct": personal.New(struct{ Street string }{canaries[1]}),
	}
	for name, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			clean(t, name+" by "+verb, fmt.Sprintf(verb, v))
		}
		var out bytes.Buffer
		for _, h := range []slog.Handler{
			slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil),
			logs.New(&out, slog.LevelInfo, "test", "1").Handler(),
		} {
			slog.New(h).Info("order", "to", v, slog.Group("g", "to", v), "text", fmt.Sprint(v))
		}
		clean(t, name+" in a log", out.String())
		out.Reset()
		_ = template.Must(template.New("page").Parse("{{.}}")).Execute(&out, v)
		clean(t, name+" on a page", out.String())
	}
}

func TestEncodingAPersonalValueIsAnError(t *testing.T) {
	t.Parallel()
	r := recipient()
	encoders := map[string]func() ([]byte, error){
		"json":     func() ([]byte, error) { return json.Marshal(r) },
		"json map": func() ([]byte, error) { return json.Marshal(map[string]any{"to": &r.Email}) },
		"xml":      func() ([]byte, error) { return xml.Marshal(r) },
		"gob": func() ([]byte, error) {
			var out bytes.Buffer
			err := gob.NewEncoder(&out).Encode(r)
			return out.Bytes(), err
		},
	}
	for name, encode := range encoders {
		b, err := encode()
		if !errors.Is(err, personal.ErrClear) {
			t.Errorf("%s: %v", name, err)
		}
		clean(t, name, string(b)+fmt.Sprint(err))
	}
	db := memory.New(clock.NewManual(time.Unix(0, 0)))
	err := db.Put(ctx, tenantA, store.Privacy, store.Item{Key: store.Key{PK: "a", SK: "b"}, Attrs: map[string]any{"name": r.Name}})
	if !errors.Is(err, store.ErrInvalid) {
		t.Errorf("as an attribute: %v", err)
	}
}

func TestAValueComesInByJSONAndAWrongOneIsNotQuoted(t *testing.T) {
	t.Parallel()
	var r personal.Recipient
	if err := json.Unmarshal([]byte(`{"Name":"Zsófia Kanarek"}`), &r); err != nil || r.Name.Reveal() != canaries[0] || !r.City.Empty() {
		t.Errorf("%q, %v", r.Name.Reveal(), err)
	}
	var n struct{ Phone personal.Sensitive[int] }
	err := json.Unmarshal([]byte(`{"Phone":"+49 151 00998877"}`), &n)
	if err == nil {
		t.Error("text was taken for a number")
	}
	clean(t, "the error", fmt.Sprint(err))
	if got := (personal.Sensitive[string]{}).Reveal(); got != "" {
		t.Errorf("the zero value holds %q", got)
	}
}

func TestAFieldOpensAsItselfOnly(t *testing.T) {
	t.Parallel()
	clk := clock.NewManual(time.Unix(0, 0))
	s := envelope.New(memkms.New(rand.Reader), memory.New(clk), clk)
	item, err := recipient().Item(ctx, s, tenantA, "r1")
	if err != nil {
		t.Fatal(err)
	}
	// A city in the place of a street, and a record under another id.
	if _, err := personal.Open[string](ctx, s, tenantA, personal.RecipientStreet, item.Key, item.Bytes("city")); !errors.Is(err, envelope.ErrOpen) {
		t.Errorf("a city opened as a street: %v", err)
	}
	moved := item
	moved.SK = "r2"
	if _, err := personal.OpenRecipient(ctx, s, tenantA, moved); !errors.Is(err, envelope.ErrOpen) {
		t.Errorf("a record of another id: %v", err)
	}
	_, err = personal.Open[int](ctx, s, tenantA, personal.RecipientCity, item.Key, item.Bytes("city"))
	if err == nil {
		t.Error("a city opened as a number")
	}
	clean(t, "the error", fmt.Sprint(err))
}

func TestEveryFieldIsDeclaredOnceAndWhole(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, f := range personal.Fields() {
		place := fmt.Sprint(f.Table, "/", f.PK, "/", f.Attr)
		if seen[f.Name] || seen[place] {
			t.Errorf("%s (%s) is declared twice", f.Name, place)
		}
		seen[f.Name], seen[place] = true, true
		for what, s := range map[string]string{
			"subject": f.Subject, "use": f.Use, "basis": string(f.Basis), "end": f.Keep,
			"purpose": string(f.Purpose), "table": string(f.Table), "pk": f.PK, "attribute": f.Attr,
		} {
			if s == "" {
				t.Errorf("%s has no %s", f.Name, what)
			}
		}
	}
}
