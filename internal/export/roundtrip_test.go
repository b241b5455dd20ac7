package export

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"pricemanager/internal/price"
	"pricemanager/internal/pricefile"
)

// text is what others may call a thing: formulas, apostrophes, quotes, separators,
// and letters of all kinds. lines says whether it may hold control characters.
func text(lines bool) *rapid.Generator[string] {
	pieces := []string{"=", "+", "-", "@", "'", "''", "=cmd|' /C calc'!A0", "＝", "＋", "－", "＠", "\"", ",", ";", "|", "/", "#", "%", "1.234", "12,5", "clear", "none", "é", "ブルー", "größe", "A", "0", " ", "1"}
	if lines {
		pieces = append(pieces, "\n", "\r\n", "\t", "\r", "\"\n\"")
	}
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 1, 8).Draw(t, "pieces"), "")
	})
}

// sku is one that Amazon could hand out and a price file can name: it is not
// blank, and neither begins nor ends with a space, which reading cuts off.
func sku() *rapid.Generator[price.SKU] {
	return rapid.Custom(func(t *rapid.T) price.SKU {
		s := strings.TrimSpace(text(false).Filter(func(s string) bool { return strings.TrimSpace(s) != "" }).Draw(t, "sku"))
		return price.SKU(s[:min(len(s), 40)])
	}).Filter(func(s price.SKU) bool {
		return strings.ToValidUTF8(string(s), "") == string(s) && strings.TrimSpace(string(s)) == string(s)
	})
}

func offers(t *rapid.T) []price.Offer {
	markets := price.Marketplaces()
	names := rapid.SliceOfNDistinct(sku(), 1, 20, func(s price.SKU) price.SKU { return s }).Draw(t, "skus")
	var out []price.Offer
	for _, name := range names {
		m := rapid.SampledFrom(markets).Draw(t, "market")
		amount := func(label string) *price.Money {
			a := price.FromMinor(rapid.OneOf(rapid.Int64Range(1, 2_000_000), rapid.Int64Range(1, 1_000_000_000_000), rapid.Int64Range(1, 9_000_000_000_000_000)).Draw(t, label), m.Currency)
			return &a
		}
		maybe := func(label string) *price.Money {
			if !rapid.Bool().Draw(t, label+"?") {
				return nil
			}
			return amount(label)
		}
		p := price.Prices{Our: maybe("our"), Min: maybe("min"), Max: maybe("max"), B2B: maybe("b2b")}
		if rapid.Bool().Draw(t, "sale?") {
			start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.Int64Range(0, 3e9).Draw(t, "start")) * time.Second)
			p.Sale = &price.Sale{Price: *amount("sale"), Start: start, End: start.Add(time.Duration(rapid.Int64Range(1, 1e8).Draw(t, "for")) * time.Second)}
		}
		quantity := 1
		for range rapid.IntRange(0, price.MaxTiers).Draw(t, "tiers") {
			quantity += rapid.IntRange(1, 50).Draw(t, "more")
			p.Tiers = append(p.Tiers, price.Tier{Quantity: quantity, Price: *amount("tier")})
		}
		if p.Our == nil && p.Sale == nil && p.Min == nil && p.Max == nil && p.B2B == nil && p.Tiers == nil {
			p.Our = amount("our")
		}
		o := price.Offer{Key: price.OfferKey{Connection: "conn_one", Marketplace: m.ID, SKU: name}, Title: text(true).Draw(t, "title"), ASIN: "B000000001", Known: p}
		if rapid.Bool().Draw(t, "stock?") {
			n := rapid.Int64Range(0, 1e9).Draw(t, "stock")
			o.Quantity = &n
		}
		out = append(out, o)
	}
	return out
}

func write(t fataler, f Format, list []price.Offer) []byte {
	var b bytes.Buffer
	out, err := NewOffers(&b, f)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range list {
		if err := out.Add(o); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type fataler interface {
	Fatal(...any)
	Fatalf(string, ...any)
}

// readBack reads an export as a seller's upload and gives the known offers the
// prices that it asks for, and no others.
func readBack(t fataler, body []byte, known []price.Offer) []price.Offer {
	f, err := pricefile.Open(bytes.NewReader(body), pricefile.Options{Name: "offers"})
	if err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	defer func() { _ = f.Close() }()
	var out []price.Offer
	for row, bad := range f.Rows() {
		if len(bad) > 0 {
			t.Fatalf("%+v\n%s", bad, body)
		}
		i := slices.IndexFunc(known, func(o price.Offer) bool { return o.Key.SKU == row.SKU && o.Key.Marketplace == row.Marketplace })
		if i < 0 || len(row.Edit.Clear) > 0 {
			t.Fatalf("row %+v is about no offer\n%s", row, body)
		}
		o := known[i]
		o.Known = row.Edit.Apply(price.Prices{})
		out = append(out, o)
	}
	return out
}

func TestAnExportReadBackAndExportedAgainIsIdentical(t *testing.T) {
	t.Parallel()
	for _, f := range Formats() {
		t.Run(string(f), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(rt *rapid.T) {
				list := offers(rt)
				first := write(rt, f, list)
				second := write(rt, f, readBack(rt, first, list))
				if !bytes.Equal(first, second) {
					rt.Fatalf("exported\n%s\nand then\n%s", first, second)
				}
			})
		})
	}
}

func TestNoCellOfOthersIsAFormulaAndNumbersStayNumbers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := text(true).Draw(rt, "text")
		var b bytes.Buffer
		table, err := New(&b, CSV, "", "text", "number")
		if err != nil {
			rt.Fatal(err)
		}
		if err := errors.Join(table.Row(Text(s), Int(-5)), table.Close()); err != nil {
			rt.Fatal(err)
		}
		line := strings.TrimPrefix(b.String(), "\ufefftext,number\n")
		if first, _ := utf8.DecodeRuneInString(strings.TrimPrefix(line, `"`)); strings.ContainsRune("=+-@\t\r\n＝＋－＠", first) {
			rt.Fatalf("%q is written as %q", s, line)
		}
		if !strings.HasSuffix(line, ",-5\n") {
			rt.Fatalf("minus five is written as %q", line)
		}
	})
}

func TestJSONHasEveryTextAsItIs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := text(true).Draw(rt, "text")
		var b bytes.Buffer
		table, err := New(&b, JSON, "", "text", "none", "number")
		if err != nil {
			rt.Fatal(err)
		}
		for range 2 {
			if err := table.Row(Text(s), Cell{}, Int(-5)); err != nil {
				rt.Fatal(err)
			}
		}
		if err := table.Close(); err != nil {
			rt.Fatal(err)
		}
		var got []map[string]string
		want := map[string]string{"text": s, "number": "-5"}
		if err := json.Unmarshal(b.Bytes(), &got); err != nil || len(got) != 2 || fmt.Sprint(got[1]) != fmt.Sprint(want) {
			rt.Fatalf("%s, %v", b.Bytes(), err)
		}
	})
}

func TestARowThatDoesNotFitIsAnError(t *testing.T) {
	t.Parallel()
	table, err := New(&bytes.Buffer{}, CSV, "", "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Row(Text("1")); err == nil {
		t.Error("a row of one cell is taken for two columns")
	}
}
