package export

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/price"
	"pricemanager/internal/xlsx"
)

// cells are the cells of a workbook's first sheet, each with its kind.
func cells(t *testing.T, body []byte) (out [][]xlsx.Cell) {
	t.Helper()
	w, err := xlsx.Open(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := w.Rows(0)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var row xlsx.Row
	for {
		ok, err := rows.Next(&row)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return out
		}
		line := make([]xlsx.Cell, len(offerColumns))
		for _, c := range row.Cells {
			line[c.Column] = xlsx.Cell{Column: c.Column, Kind: c.Kind, Text: bytes.Clone(c.Text)}
		}
		out = append(out, line)
	}
}

func TestAWorkbookHasPricesAsNumbersAndNamesAsTexts(t *testing.T) {
	t.Parallel()
	our, stock := price.FromMinor(1990, "EUR"), int64(7)
	rows := cells(t, write(t, XLSX, []price.Offer{
		{Key: price.OfferKey{Connection: "conn_one", Marketplace: "A1PA6795UKMFR9", SKU: "00123"}, ASIN: "0012345678", Title: "=1+1", Quantity: &stock, Known: price.Prices{Our: &our}},
		{Key: price.OfferKey{Connection: "conn_one", Marketplace: "A1PA6795UKMFR9", SKU: "1E5"}, Known: price.Prices{Our: &our}},
	}))
	type cell struct {
		Column string
		Kind   xlsx.Kind
		Text   string
	}
	var got []cell
	for i, c := range rows[1] {
		if len(c.Text) > 0 {
			got = append(got, cell{offerColumns[i], c.Kind, string(c.Text)})
		}
	}
	want := []cell{{"sku", xlsx.Text, "00123"}, {"marketplace", xlsx.Text, "DE"}, {"currency", xlsx.Text, "EUR"}, {"price", xlsx.Number, "19.9"},
		{"asin", xlsx.Text, "0012345678"}, {"stock", xlsx.Number, "7"}, {"title", xlsx.Text, "'=1+1"}, {"connection", xlsx.Text, "conn_one"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if c := rows[2][0]; c.Kind != xlsx.Text || string(c.Text) != "1E5" {
		t.Errorf("the SKU 1E5 is written as kind %d %q", c.Kind, c.Text)
	}
}

func TestATextThatNoCellHoldsIsCut(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	table, err := New(&b, XLSX, "a", "issue")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(table.Row(Text(strings.Repeat("ä", xlsx.MaxText+1))), table.Row(Text("next")), table.Close()); err != nil {
		t.Fatal(err)
	}
	if got := string(cells(t, b.Bytes())[2][0].Text); got != "next" {
		t.Errorf("behind a long text stands %q", got)
	}
}
