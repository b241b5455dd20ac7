package fakeamazon_test

import (
	"strings"
	"testing"

	"pricemanager/test/fakeamazon"
)

func TestAPriceAndBoundsThatOnlyFitTogetherCanBeRefused(t *testing.T) {
	t.Parallel()
	all := func(members string) string { return body("merge", offer(de, "EUR", "ALL", members)) }
	our, low, high := sub("our_price", "40"), sub("minimum_seller_allowed_price", "35"), sub("maximum_seller_allowed_price", "50")
	for name, c := range map[string]struct{ body, refused string }{ // S1 costs 19.99 within 10 to 30
		"all at once":                  {all(our + low + high), "18155 18156"},
		"price with a maximum":         {all(our + high), "18156"},
		"price with a minimum":         {all(sub("our_price", "29") + sub("minimum_seller_allowed_price", "25")), "18155"},
		"bounds that widen":            {all(high + sub("minimum_seller_allowed_price", "9")), ""},
		"price within what shows":      {all(sub("our_price", "29") + high), ""},
		"price with a cleared maximum": {all(our + `,"maximum_seller_allowed_price":null`), "18156"},
		"only a B2B price":             {body("merge", offer(de, "EUR", "B2B", sub("our_price", "40"))), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if s := w.patch("S1", de, c.body).json(t)["status"]; s != "ACCEPTED" {
				t.Errorf("as a whole it is %v", s)
			}
			w = newWorld(t)
			if _, err := w.fake.AddFault(fakeamazon.Fault{Kind: fakeamazon.JudgeApart, Seller: alice}); err != nil {
				t.Fatal(err)
			}
			got := w.patch("S1", de, c.body).json(t)
			var codes []string
			for _, i := range got["issues"].([]any) {
				codes = append(codes, i.(map[string]any)["code"].(string))
			}
			want := map[bool]string{true: "ACCEPTED", false: "INVALID"}[c.refused == ""]
			for _, code := range strings.Fields(c.refused) {
				if !strings.Contains(strings.Join(codes, " "), code) {
					t.Errorf("issues %v, want %s among them", codes, code)
				}
			}
			if got["status"] != want || (c.refused == "") != (len(codes) == 0) {
				t.Errorf("apart it is %v with %v, want %s", got["status"], codes, want)
			}
			w.clean()
		})
	}
}

func TestStepsThatWidenFirstAndNarrowAfterAreTakenApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.fake.AddFault(fakeamazon.Fault{Kind: fakeamazon.JudgeApart}); err != nil {
		t.Fatal(err)
	}
	for _, members := range []string{sub("maximum_seller_allowed_price", "50"), sub("our_price", "40"), sub("minimum_seller_allowed_price", "35")} {
		w.accepted("S1", de, body("merge", offer(de, "EUR", "ALL", members)))
	}
	if l := w.listing(de, "S1"); l.Price != "40" || l.Min != "35" || l.Max != "50" {
		t.Errorf("%+v", l)
	}
	w.clean()
}
