package fx_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/fx"
	"pricemanager/internal/price"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

const (
	acme  = tenant.ID("t_acmeacme")
	other = tenant.ID("t_otherother")
)

// now is a Sunday.
var now = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func newStore() *fx.Store {
	c := clock.NewManual(now)
	return &fx.Store{DB: memory.New(c), Clock: c}
}

func upload(body string) fx.Upload {
	return fx.Upload{Body: []byte(body), Base: "EUR", On: "2026-11-20", Name: "our bank"}
}

// ecb has the layout of eurofxref-daily.xml.
func ecb(body string) fx.Upload {
	return fx.Upload{XML: true, Body: []byte(`<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
	<gesmes:subject>Reference rates</gesmes:subject>
	<gesmes:Sender><gesmes:name>European Central Bank</gesmes:name></gesmes:Sender>
	<Cube>` + body + `</Cube>
</gesmes:Envelope>`)}
}

func problemOf(t *testing.T, err error) (typ, text string, rows []fx.RateError) {
	t.Helper()
	f := (*fault.Fault)(nil)
	if !errors.As(err, &f) {
		t.Fatalf("got %v, want a fault", err)
	}
	rows, _ = f.Extra["errors"].([]fx.RateError)
	return f.Type, f.Public, rows
}

func TestATableIsReadExactlyAsItWasWritten(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		from fx.Source
		want fx.Table
	}{
		"CSV": {upload("\xef\xbb\xbfCurrency, Rate\r\nSEK,11.2340\r\nJPY,0181.50\nKWD,0.3501234567890123\n"),
			fx.Table{Base: "EUR", On: "2026-11-20", Source: "our bank", Rates: map[price.Currency]string{"SEK": "11.234", "JPY": "181.5", "KWD": "0.3501234567890123"}}},
		"ECB": {ecb(`<Cube time='2026-11-20'><Cube currency='USD' rate='1.1576'/><Cube currency='HUF' rate='381.20'/></Cube>`),
			fx.Table{Base: "EUR", On: "2026-11-20", Source: "European Central Bank, euro foreign exchange reference rates", Rates: map[price.Currency]string{"USD": "1.1576", "HUF": "381.2"}}},
	} {
		s := newStore()
		if _, err := s.PutRates(t.Context(), acme, "key:k1", c.from, ""); err != nil {
			t.Fatal(name, err)
		}
		got, err := s.Rates(t.Context(), acme)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, *got.Table); diff != "" || got.Version.Version != 1 || got.Actor != "key:k1" || !got.At.Equal(now) {
			t.Errorf("%s: %s, %+v", name, diff, got.Version)
		}
	}
}

func TestEveryWrongLineOfATableIsNamed(t *testing.T) {
	t.Parallel()
	_, err := newStore().PutRates(t.Context(), acme, "a", upload("currency,rate\nSEK,\"11,23\"\nsek,1\nJPY,181.5\nJPY,182\nGBP,0\nUSD,1e2\nPLN,4,25\nHUF,-3\nTRY,\n"), "")
	typ, text, rows := problemOf(t, err)
	var got []string
	for _, r := range rows {
		if r.Fix == "" {
			t.Errorf("no fix for %+v", r)
		}
		got = append(got, r.Value+": "+r.Reason)
	}
	want := []string{"11,23: The rate of SEK is not a plain decimal.", "sek: This is not a currency.", "JPY: JPY is given twice.", "0: The rate of GBP is zero.",
		"1e2: The rate of USD is not a plain decimal.", "PLN,4,25: The line has 3 cells, not a currency and a rate.", "-3: The rate of HUF is not a plain decimal.", ": The rate of TRY is not a plain decimal."}
	if diff := cmp.Diff(want, got); diff != "" || typ != "rates" || !strings.HasPrefix(text, "Line 2: ") || rows[3].Line != 6 {
		t.Errorf("%s\n%s %+v", text, diff, rows)
	}
}

func TestATableThatCannotBeTrustedIsRefused(t *testing.T) {
	t.Parallel()
	csv := func(change func(*fx.Upload)) fx.Upload {
		u := upload("currency,rate\nSEK,11.2\n")
		change(&u)
		return u
	}
	day := `<Cube time='2026-11-20'><Cube currency='USD' rate='1.1'/></Cube>`
	for want, from := range map[string]fx.Source{
		"which is to come":          csv(func(u *fx.Upload) { u.On = "2026-11-24" }),
		"The day of the rates":      csv(func(u *fx.Upload) { u.On = "20.11.2026" }),
		"base currency":             csv(func(u *fx.Upload) { u.Base = "euro" }),
		"whose rates they are":      csv(func(u *fx.Upload) { u.Name = "" }),
		"0 rates":                   csv(func(u *fx.Upload) { u.Body = []byte("currency,rate\n") }),
		"heading":                   csv(func(u *fx.Upload) { u.Body = []byte("SEK;11,2\n") }),
		"not UTF-8":                 csv(func(u *fx.Upload) { u.Body = []byte("currency,rate\nSEK,\xff\n") }),
		"at most 65536":             csv(func(u *fx.Upload) { u.Body = make([]byte, 1<<17) }),
		"more than 24 digits":       csv(func(u *fx.Upload) { u.Body = []byte("currency,rate\nSEK,1." + strings.Repeat("1", 24) + "\n") }),
		"A quote does not close":    csv(func(u *fx.Upload) { u.Body = []byte("currency,rate\nSEK,\"1\n") }),
		"One EUR is said to be 2":   csv(func(u *fx.Upload) { u.Body = []byte("currency,rate\nEUR,2\n") }),
		"rates of 2 days":           ecb(day + strings.Replace(day, "20", "19", 1)),
		"rates of 0 days":           ecb(""),
		"XML cannot be read":        fx.Upload{XML: true, Body: []byte(`<!DOCTYPE x [<!ENTITY a "1">]><Envelope><Cube><Cube time="&a;"/></Cube></Envelope>`)},
		"USD is given twice":        ecb(strings.Replace(day, "</Cube>", "<Cube currency='USD' rate='1.2'/></Cube>", 1)),
		"rate of USD is not a plai": ecb(strings.Replace(day, "1.1", "1,1", 1)),
	} {
		_, err := newStore().PutRates(t.Context(), acme, "a", from, "")
		if _, text, _ := problemOf(t, err); !strings.Contains(text, want) {
			t.Errorf("want %q in %q", want, text)
		}
	}
}

// FuzzUpload looks for uploads that are taken and cannot be read again.
func FuzzUpload(f *testing.F) {
	f.Add(upload("currency,rate\nSEK,11.2\n").Body, false)
	f.Add(ecb(`<Cube time='2026-11-20'><Cube currency='USD' rate='1.1576'/></Cube>`).Body, true)
	f.Fuzz(func(t *testing.T, body []byte, xml bool) {
		s := newStore()
		u := upload(string(body))
		u.XML = xml
		put, err := s.PutRates(t.Context(), acme, "a", u, "")
		if err != nil {
			if fault.KindOf(err) == fault.Internal {
				t.Fatal(err)
			}
			return
		}
		if got, err := s.Rates(t.Context(), acme); err != nil || got.Hash() != put.Hash() {
			t.Fatal(got, err)
		}
	})
}
