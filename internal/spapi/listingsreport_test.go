package spapi

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/price"
)

func rows(t *testing.T, text string, m price.MarketplaceID) (got []ListingRow, bad []int) {
	t.Helper()
	r, err := NewListingsReport(strings.NewReader(text), m)
	if err != nil {
		t.Fatal(err)
	}
	for {
		row, err := r.Next()
		var line *LineError
		switch {
		case errors.Is(err, io.EOF):
			return got, bad
		case errors.As(err, &line):
			bad = append(bad, line.Line)
		case err != nil:
			t.Fatal(err)
		default:
			got = append(got, row)
		}
	}
}

func units(n int64) *int64 { return &n }

func TestAReportIsReadByItsHeader(t *testing.T) {
	t.Parallel()
	got, bad := rows(t, "\ufeffitem-name\titem-description\tseller-sku\tprice\tquantity\tasin1\tproduct-id\tfulfillment-channel\tstatus\r\n"+
		"A \"quoted\" lamp\tlong\tL/1 #x\t19.90\t7\tB000000001\t4006381333931\tDEFAULT\tActive\r\n"+
		"\r\n"+
		"FBA\t\tFBA-1\t5\t\t\tB000000002\tAMAZON_EU\tInactive\r\n"+
		"blank price\t\tX\t\t0\t\t4006381333931\r\n", germany)
	want := []ListingRow{
		{Line: 2, SKU: "L/1 #x", ASIN: "B000000001", GTIN: "04006381333931", Title: `A "quoted" lamp`, Price: "19.90", Quantity: units(7), Channel: "DEFAULT", Status: "Active"},
		{Line: 4, SKU: "FBA-1", ASIN: "B000000002", Title: "FBA", Price: "5", Channel: "AMAZON_EU", Status: "Inactive"},
		{Line: 5, SKU: "X", GTIN: "04006381333931", Title: "blank price", Quantity: units(0)},
	}
	if diff := cmp.Diff(want, got); diff != "" || bad != nil {
		t.Error(diff, bad)
	}
}

func TestABadLineIsNamedAndTheRestIsRead(t *testing.T) {
	t.Parallel()
	got, bad := rows(t, "seller-sku\tprice\tquantity\nA\t1,99\t1\nB\n\t1.00\t1\nC\t1.00\tmany\nD\t1e3\t1\nE\ufffd\t1.00\t1\nF\t2.00\t2", germany)
	if diff := cmp.Diff([]int{2, 3, 4, 5, 6, 7}, bad); diff != "" {
		t.Error(diff)
	}
	if len(got) != 1 || got[0].SKU != "F" || got[0].Price != "2.00" {
		t.Errorf("got %+v", got)
	}
}

func TestOldEncodingsAreUnderstood(t *testing.T) {
	t.Parallel()
	got, _ := rows(t, "item-name\tseller-sku\tprice\nGr\xfc\xdfe\tM\xfcller\t1.00\nNaïve\tUTF-8\t1.00\n", germany)
	if len(got) != 2 || got[0].SKU != "Müller" || got[0].Title != "Grüße" || got[1].Title != "Naïve" {
		t.Errorf("got %+v", got)
	}
	got, _ = rows(t, "\x8f\xa4\x95i\x96\xbc\t\x8fo\x95i\x8e\xd2SKU\t\x89\xbf\x8ai\n\x89\xbf\x8ai\tJ-1\t1000\n", japan)
	if len(got) != 1 || got[0].SKU != "J-1" || got[0].Price != "1000" || got[0].Title != "価格" {
		t.Errorf("got %+v", got)
	}
}

func TestWhatIsNoReportIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"<html>", "seller-sku\tquantity\n", "seller-sku\tprice\tseller-sku\n", "seller-sku\tprice" + strings.Repeat("x", maxLine)} {
		if _, err := NewListingsReport(strings.NewReader(text), germany); !errors.Is(err, ErrReport) {
			t.Errorf("%.40q: %v", text, err)
		}
	}
	if _, err := NewListingsReport(strings.NewReader(""), germany); !errors.Is(err, io.EOF) {
		t.Errorf("no data: %v", err)
	}
	r, err := NewListingsReport(io.MultiReader(strings.NewReader("seller-sku\tprice\nA\t1\nB"), broken{}), germany)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	for {
		_, err := r.Next()
		if errors.Is(err, io.EOF) {
			t.Fatal("a cut report ended as if it were whole")
		}
		if errors.Is(err, ErrReport) {
			break
		}
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func FuzzListingsReport(f *testing.F) {
	f.Add("seller-sku\tprice\tquantity\nA\t1.00\t1\n")
	f.Add("item-name\tseller-sku\tprice\nGr\xfc\xdfe\tM\t1.00\n")
	f.Add("seller-sku\tprice\n\xff\xfe\x00\t\t\t\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := NewListingsReport(strings.NewReader(text), germany)
		if err != nil {
			return
		}
		for range 1 + strings.Count(text, "\n") {
			row, err := r.Next()
			var line *LineError
			if errors.As(err, &line) {
				continue
			}
			if err != nil {
				return
			}
			if row.SKU == "" || (row.Price != "" && !isDecimal(row.Price)) || (row.Quantity != nil && *row.Quantity < 0) {
				t.Fatalf("row %+v", row)
			}
		}
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Fatalf("more rows than lines: %v", err)
		}
	})
}
