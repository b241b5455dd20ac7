package lane

import (
	"testing"

	"pgregory.net/rapid"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
)

// fits reports whether a price is within its bounds.
func fits(p price.Prices) bool {
	return (p.Min == nil || p.Our.Cmp(*p.Min) >= 0) && (p.Max == nil || p.Our.Cmp(*p.Max) <= 0)
}

// From any prices that fit to any others that fit there is always a step that
// Amazon takes, and the last one leaves exactly what was asked for.
func TestEveryStepKeepsThePriceWithinItsBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		money := func(name string, from, to int64) *price.Money {
			m := price.FromMinor(rapid.Int64Range(from, to).Draw(t, name), "EUR")
			return &m
		}
		draw := func(name string) price.Prices {
			p := price.Prices{Our: money(name, 10, 30)}
			if rapid.Bool().Draw(t, name+" has a minimum") {
				p.Min = money(name+" minimum", 1, p.Our.Minor())
			}
			if rapid.Bool().Draw(t, name+" has a maximum") {
				p.Max = money(name+" maximum", p.Our.Minor(), 40)
			}
			return p
		}
		shown, want := draw("before"), draw("after")
		e := price.Edit{Set: want}
		for _, f := range []price.Field{price.FieldMin, price.FieldMax} {
			if shown.Has(f) && !want.Has(f) {
				e.Clear = append(e.Clear, f)
			}
		}
		for left := steps(e, shown); len(left) > 0; left = steps(e, shown) {
			if len(left) > 3 {
				t.Fatalf("%d steps", len(left))
			}
			step := left[0]
			for _, f := range step.Touched() { // each by what shows, as a strict Amazon judges
				if alone := step.Only([]price.Field{f}).Apply(shown); !fits(alone) {
					t.Fatalf("%s after %s is refused", alone.Summary([]price.Field{f}), shown.Summary(price.Fields()))
				}
			}
			shown = step.Apply(shown)
			if got := len(steps(e, shown)); got != len(left)-1 {
				t.Fatalf("%d steps left after one of %d", got, len(left))
			}
		}
		if met, missing := e.Met(shown); !met {
			t.Errorf("%v are not as wanted", missing)
		}
	})
}

func TestOnlyARefusalForItsPricesTakesAnEditApart(t *testing.T) {
	t.Parallel()
	issue := func(severity string, categories ...string) amazon.Issue {
		return amazon.Issue{Code: "18155", Severity: severity, Categories: categories}
	}
	both := price.Edit{Set: price.Prices{Our: eur("40"), Max: eur("50")}}
	old := price.Prices{Our: eur("20"), Max: eur("30")}
	for name, c := range map[string]struct {
		edit   price.Edit
		issues []amazon.Issue
		apart  bool // it goes in steps already
		want   stepping
	}{
		"prices":                     {both, []amazon.Issue{issue("ERROR", "INVALID_PRICE")}, false, tooMuch},
		"prices and a warning":       {both, []amazon.Issue{issue("WARNING", "MISSING_ATTRIBUTE"), issue("ERROR", "INVALID_PRICE")}, false, tooMuch},
		"something else":             {both, []amazon.Issue{issue("ERROR", "INVALID_ATTRIBUTE")}, false, noStep},
		"prices and something else":  {both, []amazon.Issue{issue("ERROR", "INVALID_PRICE"), issue("ERROR", "INVALID_ATTRIBUTE")}, false, noStep},
		"an error of two categories": {both, []amazon.Issue{issue("ERROR", "INVALID_PRICE", "INVALID_ATTRIBUTE")}, false, noStep},
		"no reason":                  {both, nil, false, noStep},
		"a price alone":              {price.Edit{Set: price.Prices{Our: eur("40")}}, []amazon.Issue{issue("ERROR", "INVALID_PRICE")}, false, noStep},
		"a step":                     {both, []amazon.Issue{issue("ERROR", "INVALID_PRICE")}, true, noStep},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &row{Row: Row{Edit: c.edit}, old: old, shown: old, apart: c.apart}
			v, got := r.stepped(amazon.Submission{Status: amazon.Invalid, Issues: c.issues}, verdict{state: Rejected})
			if got != c.want || (v.state == Rejected) != (got == noStep) {
				t.Errorf("%v with verdict %q, want %v", got, v.state, c.want)
			}
		})
	}
}
