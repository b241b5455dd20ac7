package guard

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"pricemanager/internal/fault"
	"pricemanager/internal/price"
)

// MaxCosts bounds a costs file, in bytes.
const MaxCosts = 4 << 20

// Costs are what SKUs cost the tenant, per currency.
type Costs struct {
	costs map[costKey]int64
	hash  string
}

type costKey struct {
	sku      price.SKU
	currency price.Currency
}

// ParseCosts reads a costs file: UTF-8, separated by commas, with the columns sku,
// cost and currency in this order and a heading. Amounts are plain decimals such
// as 12.50. A file that says two things about a SKU in one currency is refused,
// like any line that cannot be read; the fault names it.
func ParseCosts(body []byte) (*Costs, error) {
	bad := func(line int, format string, args ...any) error {
		f := fault.New(fault.Invalid, "costs", format, args...)
		return f.With("line", line)
	}
	if !utf8.Valid(body) {
		return nil, bad(0, "The costs file is not UTF-8. Save it as UTF-8.")
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))))
	r.FieldsPerRecord = 3
	out := &Costs{costs: map[costKey]int64{}, hash: digest(body)}
	for first := true; ; first = false {
		row, err := r.Read()
		if errors.Is(err, io.EOF) && !first {
			return out, nil
		}
		if err != nil {
			line := 1
			if e := (*csv.ParseError)(nil); errors.As(err, &e) {
				line = e.Line
			}
			return nil, bad(line, "Line %d of the costs file is not three columns separated by commas: sku,cost,currency.", line)
		}
		line, _ := r.FieldPos(0)
		if first {
			if strings.ToLower(strings.Join(row, ",")) != "sku,cost,currency" {
				return nil, bad(line, "The first line must be sku,cost,currency.")
			}
			continue
		}
		m, err := price.ParseMoney(row[1], price.Currency(row[2]))
		if err != nil || m.Minor() < 0 || row[0] == "" {
			return nil, bad(line, "Line %d: want a SKU, a plain amount such as 12.50 not below zero, and a currency such as EUR; got %q, %q, %q.", line, row[0], row[1], row[2])
		}
		k := costKey{price.SKU(row[0]), m.Currency()}
		if old, ok := out.costs[k]; ok && old != m.Minor() {
			return nil, bad(line, "Line %d gives %s another cost than a line before it.", line, row[0])
		}
		out.costs[k] = m.Minor()
	}
}

// Hash names the costs by their content; "" for none.
func (c *Costs) Hash() string {
	if c == nil {
		return ""
	}
	return c.hash
}

// Len is how many costs there are.
func (c *Costs) Len() int {
	if c == nil {
		return 0
	}
	return len(c.costs)
}

func (c *Costs) of(s price.SKU, in price.Currency) *price.Money {
	if c == nil {
		return nil
	}
	minor, ok := c.costs[costKey{s, in}]
	if !ok {
		return nil
	}
	m := price.FromMinor(minor, in)
	return &m
}
