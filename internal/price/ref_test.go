package price_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"pricemanager/internal/price"
)

func TestProductNumbersAreCheckedAndMadeEqual(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ given, want string }{
		{"4006381333931", "04006381333931"}, {"96385074", "00000096385074"}, {"036000291452", "00036000291452"},
		{"36000291452", "00036000291452"}, // a spreadsheet dropped the zero
		{"9780306406157", "09780306406157"}, {"14006381333938", "14006381333938"},
		{"4006381333930", ""}, {"400638133393", ""}, {"4006380000000", ""}, {"1234567", ""}, {"140063813339381", ""},
		{"400638133393X", ""}, {"", ""}, {"00000000", ""}, {"4006381 33393", ""},
	} {
		if got, ok := price.NormalGTIN(tc.given); got != tc.want || ok != (tc.want != "") {
			t.Errorf("%q: got %q %v, want %q", tc.given, got, ok, tc.want)
		}
	}
	for s, want := range map[string]bool{
		"B0CKJ2ABCD": true, "B000000000": true, "080442957X": true, "0306406152": true, "0306406151": false,
		"b0ckj2abcd": false, "A0CKJ2ABCD": false, "B0CKJ2ABC": false, "B0CKJ2ABC-": false, "X804429570": false, "": false,
	} {
		if price.ValidASIN(s) != want {
			t.Errorf("ASIN %q: got %v", s, !want)
		}
	}
}

func TestOneWrongDigitOfAProductNumberIsNoticed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.StringMatching(`[1-9][0-9]{11}`).Draw(t, "body")
		var right string
		for d := range 10 {
			if s := body + string(rune('0'+d)); right == "" {
				if _, ok := price.NormalGTIN(s); ok {
					right = s
				}
			} else if _, ok := price.NormalGTIN(s); ok {
				t.Fatalf("%s and %s both pass", right, s)
			}
		}
		at := rapid.IntRange(0, len(right)-1).Draw(t, "at")
		other := string(rune('0' + (int(right[at]-'0')+rapid.IntRange(1, 9).Draw(t, "by"))%10))
		if _, ok := price.NormalGTIN(right[:at] + other + right[at+1:]); ok {
			t.Fatalf("%s with another digit at %d passes", right, at)
		}
		normal, _ := price.NormalGTIN(right)
		if again, ok := price.NormalGTIN(strings.TrimLeft(normal, "0")); !ok || again != normal {
			t.Fatalf("%s became %s", normal, again)
		}
	})
}
