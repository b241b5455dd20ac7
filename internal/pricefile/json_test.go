package pricefile

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pricemanager/internal/fault"
	"pricemanager/internal/price"
)

func TestJSONIsReadAsAListAndAsLines(t *testing.T) {
	t.Parallel()
	objects := []string{
		`{"sku":"A","price":19.90,"country":"DE","other":{"a":[1,{"b":null}]}}`,
		`{"price":{"currency":"EUR","amount":"1.234"},"sku":"B","min":null,"country":"DE"}`,
		`{"\u0073ku":"C \"\ud83d\ude00\"","price":"1.234,50","min":1.10,"country":"DE"}`,
		`{"sku":"D","price":{"amount":5},"country":"DE"}`,
	}
	wantErrs := func(lines ...int) []string {
		return []string{fmt.Sprintf("%d too-many-decimals price=1.234", lines[0])}
	}
	for name, c := range map[string]struct {
		content string
		lines   [4]int
	}{
		"list":         {"[" + strings.Join(objects, ",") + "]", [4]int{1, 2, 3, 4}},
		"pretty list":  {"\ufeff \n[\n" + strings.Join(objects, "\n,\n\n") + "\n]\n", [4]int{1, 2, 3, 4}},
		"lines":        {strings.Join(objects, "\n"), [4]int{1, 2, 3, 4}},
		"other breaks": {strings.Join(objects, "\r\n\r\n") + "\r\n", [4]int{1, 3, 5, 7}},
	} {
		rows, errs := read(t, c.content, "")
		if diff := cmp.Diff(wantErrs(c.lines[1]), errs); diff != "" {
			t.Error(name, diff)
		}
		want := []Row{
			{Line: c.lines[0], SKU: "A", Marketplace: germany, Edit: price.Edit{Set: price.Prices{Our: money("19.90", "EUR")}}},
			{Line: c.lines[2], SKU: `C "😀"`, Marketplace: germany, Edit: price.Edit{Set: price.Prices{Our: money("1234.50", "EUR"), Min: money("1.10", "EUR")}}},
			{Line: c.lines[3], SKU: "D", Marketplace: germany, Edit: price.Edit{Set: price.Prices{Our: money("5", "EUR")}}},
		}
		for i := range want {
			want[i].Ref = Ref{Kind: price.BySKU, Value: string(want[i].SKU)}
		}
		if diff := cmp.Diff(want, rows, moneyEqual); diff != "" {
			t.Error(name, diff)
		}
	}
}

func TestJSONValuesThatAreNoPricesAreRefused(t *testing.T) {
	t.Parallel()
	_, errs := read(t, `[{"sku":"A","price":true,"note":false},{"sku":"B","price":[1]},{"sku":"C","price":{"amount":1,"curr":"EUR"}},
		{"sku":"D","price":1,"price":2},{"sku":true,"price":3},{"sku":"F","price":{"amount":"9.99","currency":"USD"}},{"sku":"G","price":1e2},
		{"sku":"H","price":{"amount":null,"currency":"EUR"}},{"sku":"I","price":""},{"sku":"J","price":{"amount":true}},{"sku":"K","price":"1.234"},
		{"sku":"L","price":{"amount":{"amount":1}}},{"sku":null,"price":4},{"sku":"N","price":19.990000000000002},{"sku":"O","price":1,"min":2,"min":null},
		{"sku":"P","price":{"amount":1,"amount":2}}]`, germany)
	want := []string{
		"1 wrong-type price=true", "2 wrong-type price=[…]", "3 wrong-type price={…}", "4 key-given-twice price=2", "5 wrong-type sku=true",
		"6 currency-mismatch price=9.99", "7 not-a-number price=1e2", "8 blank-price price=", "9 blank-price price=", "10 wrong-type price=true",
		"11 ambiguous-number price=1.234", "12 wrong-type price={…}", "13 missing-sku sku=", "14 too-many-decimals price=19.990000000000002",
		"15 key-given-twice min=", "16 wrong-type price={…}",
	}
	if diff := cmp.Diff(want, errs); diff != "" {
		t.Error(diff)
	}
}

func TestJSONThatCannotBeReadIsRefused(t *testing.T) {
	t.Parallel()
	many := func(n int, each func(int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(each(i))
		}
		return b.String()
	}
	for content, want := range map[string]string{
		`[{"sku":"A","price":1}`:           "ends in the middle",
		`[{"sku":"A","price":1}] x`:        "behind the list",
		`[{"sku":"A","price":1},]`:         "where an object should begin",
		`[{"sku":"A","price":1} {}]`:       "instead of ','",
		`[{"sku":"A","price":1},2]`:        "where an object should begin",
		`{"sku":"A","price":1}{"sku":"B"}`: "line of its own",
		`{"sku":"A","price":01}`:           "is no value",
		`{"sku":"A","price":.5}`:           "is no value",
		`{"sku":"A","price":-}`:            "is no value",
		`{"sku":"A","price":NaN}`:          "is no value",
		`{"sku":"A","price":1,}`:           "instead of",
		`{"sku":"A" "price":1}`:            "instead of",
		`{"sku":"A","price":}`:             "where a value should be",
		`{'sku':"A"}`:                      "instead of",
		"{\"sku\":\"A\nB\"}":               "line break within a text",
		`{"sku":"\x"}`:                     "escape",
		`{"sku":"\u12"}`:                   "escape",
		`[]`:                               "no rows",
		`{"a":1}`:                          "No header row",
		`{"sku":"A","price":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`:                 "nested deeper",
		`{"sku":"A","price":{"x":` + strings.Repeat(`{"x":`, 100) + "1" + strings.Repeat("}", 101) + `}`:  "nested deeper",
		`{"sku":"` + strings.Repeat("x", MaxRow) + `"}`:                                                   "more than",
		`{` + many(MaxColumns+1, func(i int) string { return fmt.Sprintf(`"k%d":1,`, i) }) + `"sku":"A"}`: "different keys",
		`{"` + strings.Repeat("k", MaxCell+1) + `":1}`:                                                    "a key has more",
	} {
		_, err := Open(strings.NewReader(content), Options{Marketplace: germany})
		var f *fault.Fault
		if !errors.As(err, &f) || !strings.Contains(f.Public, want) {
			t.Errorf("%.60s: %v, want %q", content, err, want)
		}
	}
	_, errs := read(t, `{"sku":"`+strings.Repeat("ä", MaxCell+1)+`","price":1}`, germany)
	if len(errs) != 1 || !strings.HasPrefix(errs[0], "1 cell-too-long sku=ä") {
		t.Error(errs)
	}
}

// What is written as JSON, in any order of keys and with any escapes, is what
// is read.
func TestJSONPricesAreReadExactly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var lines []string
		var want []price.Money
		for i := range rapid.IntRange(1, 20).Draw(t, "rows") {
			m := price.FromMinor(rapid.Int64Range(1, 1<<50).Draw(t, "minor"), "EUR")
			want = append(want, m)
			value := rapid.SampledFrom([]string{"%s", `{"amount":%s}`, `{"amount":"%s","currency":"EUR"}`, `{"currency":"EUR", "amount": %s }`}).Draw(t, "form")
			members := []string{fmt.Sprintf(`"sku": "S%d"`, i), `"price":` + fmt.Sprintf(value, m.Decimal()), `"x":[{"y":"}]"}]`}
			lines = append(lines, "{"+strings.Join(rapid.Permutation(members).Draw(t, "order"), ",")+"}")
		}
		f, err := Open(strings.NewReader(strings.Join(lines, "\n")), Options{Marketplace: germany})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		i := 0
		for row, errs := range f.Rows() {
			if len(errs) > 0 || *row.Edit.Set.Our != want[i] {
				t.Fatalf("%+v %v, want %s", row, errs, want[i])
			}
			i++
		}
		if i != len(want) {
			t.Fatalf("%d rows of %d", i, len(want))
		}
	})
}
