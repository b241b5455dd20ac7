package web

import "testing"

func TestANullIsFoundWhereItIs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`null`:                               "the whole body",
		`{"price": null}`:                    `member "price"`,
		`{"a": {"b": [1, "c", null]}}`:       `member "b"`,
		`{"a": {"b": 1}, "c": null}`:         `member "c"`,
		`{"null": "null", "a": [[]]}`:        "",
		`{"a": 1`:                            "",
		``:                                   "",
		`{"a": "x", "b": ["y", {"c":null}]}`: `member "c"`,
	} {
		got, found := findNull([]byte(text))
		if got != want || found != (want != "") {
			t.Errorf("%s: %q, %t, want %q", text, got, found, want)
		}
	}
}
