package canary_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"pricemanager/test/canary"
)

func packed(content []byte) []byte {
	var b bytes.Buffer
	g := gzip.NewWriter(&b)
	_, _ = g.Write(content)
	_ = g.Close()
	return b.Bytes()
}

func archived(content []byte) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	f, _ := z.Create("rows.jsonl")
	_, _ = f.Write(content)
	_ = z.Close()
	return b.Bytes()
}

// The forms in which a value could be written without being readable at once.
func TestTheScannerFindsEveryPlantedValueInAnyForm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, value string }{
		{"refresh token", "Atzr|" + canary.MarkRefresh + "abc"}, {"authorisation code", canary.MarkCode + "0123456789abc"},
		{"buyer's name", canary.BuyerName}, {"caller's address", canary.CallerIP}, {"caller's password", canary.CallerPassword},
		{"odd", `0123456789"odd\secret<&>+ABCDEF`},
	} {
		line := []byte(`{"level":"INFO","note":` + quote(c.value) + `}`)
		forms := map[string][]byte{
			"plain": []byte("note: " + c.value), "JSON": line, "gzip": packed(line), "zip": archived(line),
			"ASCII JSON":         []byte(asciiJSON(c.value)),
			"query":              []byte("GET /?code=" + url.QueryEscape(c.value) + " 200"),
			"path":               []byte("GET /" + url.PathEscape(c.value) + " 200"),
			"hex":                []byte(hex.EncodeToString([]byte("x" + c.value + "y"))),
			"HEX":                []byte(strings.ToUpper(hex.EncodeToString([]byte(c.value)))),
			"gzip in base64":     []byte(`{"B":"` + base64.StdEncoding.EncodeToString(packed(line)) + `"}`),
			"JSON in JSON":       []byte(quote(string(line))),
			"base64 in gzip":     packed([]byte(base64.StdEncoding.EncodeToString(line))),
			"query in base64url": []byte(base64.RawURLEncoding.EncodeToString([]byte("email=" + url.QueryEscape(c.value)))),
		}
		for i := range 4 {
			// Beside bytes that are no text: the value is found by its code alone.
			raw := append(append(make([]byte, i), c.value...), 0xff, 0xfe, 0x80)
			forms["base64 after bytes "+strings.Repeat("x", i)] = []byte(base64.StdEncoding.EncodeToString(raw))
			forms["base64url after bytes "+strings.Repeat("x", i)] = []byte(base64.RawURLEncoding.EncodeToString(raw))
			forms["base64 after letters "+strings.Repeat("x", i)] = []byte(strings.Repeat("x", i) + base64.StdEncoding.EncodeToString(line))
		}
		for form, content := range forms {
			s := canary.NewScanner(append(canary.Planted(), canary.Text("odd", `0123456789"odd\secret<&>+ABCDEF`))...)
			s.Bytes("somewhere", content)
			if !s.Has(c.name) {
				t.Errorf("%s is not found as %s: %.200q", c.name, form, content)
			}
			if n := len(s.Leaks(canary.Place{Name: c.name, Place: "somewhere"})); n != 0 {
				t.Errorf("%s as %s: %d other finds", c.name, form, n)
			}
		}
	}
}

func quote(s string) string { b, _ := json.Marshal(s); return string(b) }

// asciiJSON is how Python writes JSON.
func asciiJSON(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(quote(s), "á", `\u00e1`), `\u003c`, "<"), `\u003e`, ">"), `\u0026`, "&")
}

func TestWhatTheScannerTellsHoldsNoSecret(t *testing.T) {
	t.Parallel()
	s := canary.NewScanner()
	s.Text("log", `{"level":"INFO","other":"Atzr|4f7a9c2e11b84d0d93aa6f","token":"Atza|`+canary.MarkAccess+`restoftoken"}`)
	found := s.Found()
	if len(found) != 1 {
		t.Fatalf("found %v, want the one token", found)
	}
	told := found[0].String()
	if strings.Contains(told, canary.MarkAccess) || strings.Contains(told, "4f7a9c2e11b84d0d93aa6f") || strings.Contains(told, "restof") {
		t.Errorf("the report tells the secret: %s", told)
	}
	for _, want := range []string{"access token", "log", "in clear", "token"} {
		if !strings.Contains(told, want) {
			t.Errorf("the report does not say %q: %s", want, told)
		}
	}
}

func TestWhatIsNotThereIsNotFoundAndPlacesAreExact(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a/vault.json": canary.MarkRefresh, "a/vault.json.old": canary.MarkRefresh, "b/x": "nothing", "b/bootstrap": "\x7fELF" + canary.MarkCode,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := canary.NewScanner()
	if err := s.Dir(dir); err != nil {
		t.Fatal(err)
	}
	leaks := s.Leaks(canary.Place{Name: "refresh token", Place: "a/vault.json"}, canary.Place{Name: "access token", Place: "a/"})
	if len(leaks) != 1 || leaks[0].Place != "a/vault.json.old" {
		t.Errorf("leaks %v, want the copy of the vault alone", leaks)
	}
	if len(s.Leaks(canary.Place{Place: "a/"})) != 0 {
		t.Error("a place for everything does not hold everything")
	}
	if s.Scanned() == 0 {
		t.Error("nothing was scanned")
	}
}

func TestAnyTextIsFoundInBase64WhateverSurroundsIt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringMatching(`[ -~]{8,40}`).Draw(rt, "text")
		before, after := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(rt, "before"), rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(rt, "after")
		whole := bytes.Join([][]byte{before, []byte(text), after}, nil)
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			s := canary.NewScanner(canary.Text("it", text))
			s.Text("x", e.EncodeToString(whole))
			if !s.Has("it") {
				rt.Fatalf("%q is not found in base64 of %q", text, whole)
			}
		}
	})
}
