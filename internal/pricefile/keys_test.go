package pricefile

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pricemanager/internal/price"
)

func TestAnEANIsTakenOnlyWhenEveryDigitIsThere(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"4006381333931": "04006381333931", "400-638 133\u00a03931": "04006381333931", "4.006381333931E+12": "04006381333931", "4,006381333931e12": "04006381333931",
		"36000291452": "00036000291452", "4,00638E+12": "lost-digits", "4E12": "lost-digits", "4.0063813339310E+12": "lost-digits",
		"4006381333930": "bad-check-digit", "4,006381333930E+12": "bad-check-digit", "1234567": "bad-ean", "400638133393100": "bad-ean",
		"4006381333931.0": "bad-ean", "E12": "bad-ean", "4,E+12": "bad-ean", "-4E+12": "bad-ean", "0.4E+13": "bad-ean", "n/a": "bad-ean",
	} {
		gtin, code, fix, reason := parseEAN([]byte(given))
		if got := gtin + string(code); got != want {
			t.Errorf("%q: got %q, want %q", given, got, want)
		}
		if code != "" && (fix == "" || reason == "") {
			t.Errorf("%q is refused without a word", given)
		}
	}
}

// Most EANs that have no length of theirs have lost more than zeros.
func TestAnEANOfNoLengthIsToldSo(t *testing.T) {
	t.Parallel()
	_, code, fix, reason := parseEAN([]byte("3600029145"))
	if code != CodeCheckDigit || !strings.Contains(reason, "this has 10") || !strings.Contains(fix, "whole number") {
		t.Errorf("%s %s %s", code, reason, fix)
	}
}

// However many digits a spreadsheet leaves, the EAN that is read is the one
// that was written, or none.
func TestARoundedEANIsNeverReadAsAnother(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.StringMatching(`[1-9][0-9]{11}`).Draw(t, "body")
		full := ""
		for d := range 10 {
			if s := body + string(rune('0'+d)); full == "" {
				if _, ok := price.NormalGTIN(s); ok {
					full = s
				}
			}
		}
		keep := rapid.IntRange(1, 13).Draw(t, "digits")
		shown := strings.TrimSuffix(full[:1]+rapid.SampledFrom([]string{".", ","}).Draw(t, "separator")+full[1:keep], ".")
		gtin, code, _, _ := parseEAN([]byte(strings.TrimSuffix(shown, ",") + "E+12"))
		if keep == 13 && gtin != "0"+full || keep < 13 && (code != CodeLostDigits || gtin != "") {
			t.Fatalf("%s with %d digits left: %q %s", full, keep, gtin, code)
		}
	})
}

func TestAFileNamesItsOffersInOneWay(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		content string
		want    []string // references and errors
	}{
		"SKU first": {"ean;sku;price\n4006381333931;A;1,00\n4006381333930;B;1,00\n;C;1,00\n4006381333931;;1,00\n",
			[]string{"sku A", "3 bad-check-digit ean=4006381333930", "sku C", "5 missing-sku sku="}},
		"ASIN before EAN": {"ean;asin;price\n4006381333931;b000000001;1,00\n4006381333931;;1,00\n", []string{"asin B000000001", "3 missing-product asin="}},
		"repeats by number": {"ean;price\n4006381333931;1,00\n04006381333931;2,00\n036000291452;1,00\n36000291452;1,00\n",
			[]string{"2 conflicting-duplicate ean=4006381333931", "3 conflicting-duplicate ean=04006381333931", "ean 00036000291452", "ean 00036000291452 as 4"}},
		"one kind in a column": {"product-id;price\nB000000001;1,00\n4006381333931;1,00\n123456789;1,00\n",
			[]string{"asin B000000001", "3 mixed-product-ids product-id=4006381333931", "4 unclear-product-id product-id=123456789"}},
		"by its type": {"product-id;product-id-type;price\n0306406152;2;1,00\n0306406152;1;2,00\n",
			[]string{"2 conflicting-duplicate product-id=0306406152", "3 conflicting-duplicate product-id=0306406152"}},
		"two products in a row": {"sku;asin;product-id;price\nA;B000000001;B000000002;1,00\nB;B000000001;B000000001;1,00\nC;B000000001;XYZ;1,00\n",
			[]string{"2 product-mismatch product-id=B000000002", "sku B", "sku C"}},
		"updating a listing": {"sku;update_delete;price\nA;Update;1,00\nB;PartialUpdate;1,00\nC;Delete;1,00\n", []string{"sku A", "sku B", "4 listing-action update_delete=Delete"}},
		"deleting a listing": {"sku;add-delete;price\nA;a;1,00\nB;D;1,00\nC;x;\n", []string{"sku A", "3 listing-action add-delete=D", "4 listing-action add-delete=x", "4 blank-price price="}},
	} {
		f, err := openString(tc.content, germany)
		if err != nil {
			t.Fatal(name, err)
		}
		var got []string
		for row, errs := range f.Rows() {
			for _, e := range errs {
				got = append(got, strconv.Itoa(e.Line)+" "+string(e.Code)+" "+e.Column+"="+e.Value)
			}
			if len(errs) == 0 {
				text := string(row.Ref.Kind) + " " + row.Ref.Value
				if row.SameAs > 0 {
					text += " as " + strconv.Itoa(row.SameAs)
				}
				got = append(got, text)
			}
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

func TestATimeMustSayItsZone(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2030-03-01": "2030-03-01T00:00:00Z", "1.3.2030": "2030-03-01T00:00:00Z", "2030-03-01T08:00+01:00": "2030-03-01T07:00:00Z", "2030-03-01 08:00:00 -05:00": "2030-03-01T13:00:00Z",
		"2030-03-01T08:00:00+0100": "2030-03-01T07:00:00Z", "2030-03-01T08:00:00.000-0500": "2030-03-01T13:00:00Z", "2030-03-01 08:00:00 UTC": "2030-03-01T08:00:00Z", "2030-03-01 08:00:00 PST": "not-a-date",
		"2030-03-01T08:00:00": "time-without-zone", "2030-03-01 08:00": "time-without-zone", "01.03.2030 08:00": "time-without-zone", "13/03/2030 08:00": "time-without-zone",
		"1/3/2030": "ambiguous-date", "1-3-2030": "ambiguous-date", "13-3-2030": "2030-03-13T00:00:00Z", "3/13/2030": "not-a-date", "1.3.30": "not-a-date", "1/3.2030": "not-a-date", "1.3.2030.": "not-a-date", "31.4.2030": "not-a-date", "47543": "not-a-date",
	} {
		at, _, code := parseDate([]byte(text), dateEvidence{})
		got := string(code)
		if code == "" {
			got = at.Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	at, _, code := parseDate([]byte("3/1/2030"), dateEvidence{monthFirst: true})
	if code != "" || at.Month() != time.March {
		t.Errorf("month first: %s %s", at, code)
	}
}
