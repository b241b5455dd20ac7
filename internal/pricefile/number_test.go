package pricefile

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNumbersAreReadInTheOnlyWayTheyCanBe(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		text string
		form form
		want string
	}{
		{"19", whole, "19"}, {"-5", whole, "-5"}, {"+5", whole, "5"}, {"1234", whole, "1234"},
		{"1 234", whole, "1234"}, {"1'234'567", whole, "1234567"},
		{"19.99", point, "19.99"}, {"19,99", comma, "19.99"}, {"1.5", point, "1.5"}, {"-3,50", comma, "-3.50"},
		{"1.234,56", comma, "1234.56"}, {"1,234.56", point, "1234.56"},
		{"1.234.567", comma, "1234567"}, {"1,234,567", point, "1234567"},
		{"1.234.567,8", comma, "1234567.8"}, {"1 234,56", comma, "1234.56"}, {"1'234.56", point, "1234.56"},
		{"1\u00a0234,56", comma, "1234.56"}, {"1\u2009234,56", comma, "1234.56"}, {"1’234.56", point, "1234.56"}, {"1’234,5", comma, "1234.5"}, {"\u200e19,99", comma, "19.99"}, {"\u200e-5", whole, "-5"}, {"-\u200e5", whole, "-5"}, {"-\u200e-5", bad, ""}, {"\u200e", bad, ""}, {"-\u00a05", bad, ""}, {"1’23", bad, ""}, {"-1\u202f234,56", comma, "-1234.56"},
		{"0.123", point, "0.123"}, {"0,500", comma, "0.500"}, {"1234.567", point, "1234.567"}, {"1.2345", point, "1.2345"},
		{"1.234", either, ""}, {"1,234", either, ""}, {"12,345", either, ""}, {"-999.999", either, ""},
		{"", bad, ""}, {"-", bad, ""}, {".5", bad, ""}, {"5.", bad, ""}, {"1e3", bad, ""}, {"19.99 EUR", bad, ""}, {"€5", bad, ""},
		{"1..5", bad, ""}, {"1.23.456", bad, ""}, {"1,23.45", bad, ""}, {"1.234,567,890", bad, ""}, {"1 23", bad, ""},
		{"1  234", bad, ""}, {"1.234 567", bad, ""}, {"--1", bad, ""}, {"1-", bad, ""}, {"=1", bad, ""}, {"0x10", bad, ""}, {"1_000", bad, ""},
		{"0.123.456", bad, ""}, {"0,123.45", bad, ""},
	} {
		n := parseNumber([]byte(tc.text))
		if n.form != tc.form {
			t.Errorf("%q: form %d, want %d", tc.text, n.form, tc.form)
			continue
		}
		if tc.want != "" {
			if got := string(n.appendDecimal(nil, either)); got != tc.want {
				t.Errorf("%q: read as %s, want %s", tc.text, got, tc.want)
			}
		}
	}
}

func TestAnAmbiguousNumberFollowsItsColumn(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		text   string
		column form
		want   string
	}{
		{"1.234", point, "1.234"}, {"1.234", comma, "1234"}, {"-1,234", comma, "-1.234"}, {"1,234", point, "1234"},
	} {
		n := parseNumber([]byte(tc.text))
		if got := string(n.appendDecimal(nil, tc.column)); got != tc.want {
			t.Errorf("%q: got %s, want %s", tc.text, got, tc.want)
		}
	}
}

// The oracle describes both ways of writing as regular expressions; a text
// that fits both is ambiguous, one that fits none is no number.
func TestNumberFormsAgreeWithAGrammar(t *testing.T) {
	t.Parallel()
	pointWay := regexp.MustCompile(`^[+-]?(\d+|[1-9]\d{0,2}(,\d{3})+|[1-9]\d{0,2}([ ']\d{3})+)(\.\d+)?$`)
	commaWay := regexp.MustCompile(`^[+-]?(\d+|[1-9]\d{0,2}(\.\d{3})+|[1-9]\d{0,2}([ ']\d{3})+)(,\d+)?$`)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.StringMatching(`-?\d{1,4}([.,]\d{1,4}){0,3}`), rapid.StringMatching(`[-+]?[0-9., ']{1,9}`)).Draw(t, "text")
		asPoint, asComma := pointWay.MatchString(text), commaWay.MatchString(text)
		n := parseNumber([]byte(text))
		switch {
		case !asPoint && !asComma:
			if n.form != bad {
				t.Fatalf("%q is no number, got form %d", text, n.form)
			}
		case asPoint && asComma && strings.ContainsAny(text, ".,"):
			if n.form != either {
				t.Fatalf("%q reads both ways, got form %d", text, n.form)
			}
		case asPoint && asComma:
			if n.form != whole {
				t.Fatalf("%q is whole, got form %d", text, n.form)
			}
		case asPoint && n.form != point, asComma && n.form != comma:
			t.Fatalf("%q: point %v, comma %v, got form %d", text, asPoint, asComma, n.form)
		}
	})
}

func TestPlainNumbersAreTheSameOnTheShortWay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := []byte(rapid.StringMatching(`[0-9]{0,7}[., ']?[0-9]{0,4}[.,]?[0-9]{0,3}`).Draw(t, "text"))
		if short, ok := simpleNumber(s); ok && !reflect.DeepEqual(short, anyNumber(s)) {
			t.Fatalf("%s: %+v, want %+v", s, short, anyNumber(s))
		}
	})
}
