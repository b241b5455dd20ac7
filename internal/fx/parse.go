package fx

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"pricemanager/internal/fault"
	"pricemanager/internal/price"
)

// Source brings a rate table. What it brings is validated where it is stored.
type Source interface {
	// Table returns the table. A *fault.Fault says what the tenant can mend.
	Table(context.Context) (Table, error)
}

// Upload is the table that a tenant sends.
type Upload struct {
	Body []byte
	XML  bool // the layout of the European Central Bank; otherwise CSV
	// Base, On and Name are what a CSV does not say: see Table. Of XML only Name
	// counts, "" for the bank's own.
	Base price.Currency
	On   string
	Name string
}

var _ Source = Upload{}

// Table parses the upload.
func (u Upload) Table(context.Context) (Table, error) {
	switch {
	case len(u.Body) > MaxTable:
		return Table{}, fault.New(fault.TooLarge, "rates", "The rates have %d bytes, at most %d fit.", len(u.Body), MaxTable)
	case !utf8.Valid(u.Body):
		return Table{}, bad("The rates are not UTF-8. Save them as UTF-8.")
	}
	body := bytes.TrimPrefix(u.Body, []byte("\xef\xbb\xbf"))
	if !u.XML {
		rates, err := parseCSV(body)
		return Table{Base: u.Base, On: u.On, Source: u.Name, Rates: rates}, err
	}
	t, err := parseECB(body)
	if u.Name != "" {
		t.Source = u.Name
	}
	return t, err
}

// parseCSV reads lines of a currency and its rate below the heading currency,rate.
// The fault names every line that is wrong.
func parseCSV(body []byte) (map[price.Currency]string, error) {
	r := csv.NewReader(bytes.NewReader(body))
	r.FieldsPerRecord, r.TrimLeadingSpace = -1, true
	out := map[price.Currency]string{}
	var errs []RateError
	for first := true; ; first = false {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if e := (*csv.ParseError)(nil); errors.As(err, &e) {
			errs = append(errs, RateError{e.Line, "", "A quote does not close.", "Write the currency and the rate without quotes."})
			break // what follows cannot be told apart
		} else if err != nil {
			return nil, fmt.Errorf("fx: read rates: %w", err)
		}
		line, _ := r.FieldPos(0)
		fail := func(value, reason, fix string) { errs = append(errs, RateError{line, show(value), reason, fix}) }
		if first {
			if len(row) != 2 || !strings.EqualFold(strings.TrimSpace(row[0]), "currency") || !strings.EqualFold(strings.TrimSpace(row[1]), "rate") {
				return nil, fails([]RateError{{line, show(strings.Join(row, ",")), "The heading is not currency,rate.", "Separate the columns by commas and begin with the line currency,rate."}})
			}
			continue
		}
		if len(row) != 2 {
			fail(strings.Join(row, ","), fmt.Sprintf("The line has %d cells, not a currency and a rate.", len(row)), "Separate by a comma, and write decimals with a point.")
			continue
		}
		c, text := price.Currency(strings.TrimSpace(row[0])), strings.TrimSpace(row[1])
		rate, why := shortest(text)
		_, twice := out[c]
		switch {
		case !code(c):
			fail(row[0], "This is not a currency.", "Give an ISO 4217 code such as SEK.")
		case why != "":
			fail(row[1], "The rate of "+string(c)+" "+why+".", plainDecimal)
		case twice:
			fail(row[0], string(c)+" is given twice.", "Keep one of the lines.")
		default:
			out[c] = rate
		}
	}
	if errs != nil {
		return nil, fails(errs)
	}
	return out, nil
}

// ecbName is the source of a table in the bank's layout that names none.
const ecbName = "European Central Bank, euro foreign exchange reference rates"

// parseECB reads the European Central Bank's eurofxref-daily.xml: rates for one
// euro, of one day.
func parseECB(body []byte) (Table, error) {
	var doc struct {
		Days []struct {
			On    string `xml:"time,attr"`
			Rates []struct {
				Currency string `xml:"currency,attr"`
				Rate     string `xml:"rate,attr"`
			} `xml:"Cube"`
		} `xml:"Cube>Cube"`
	}
	if err := xml.Unmarshal(body, &doc); err != nil {
		return Table{}, fault.New(fault.Invalid, "rates", "The XML cannot be read. Send eurofxref-daily.xml as the European Central Bank publishes it.").Because(err)
	}
	if n := len(doc.Days); n != 1 {
		return Table{}, bad("The XML has the rates of %d days, want one. Send eurofxref-daily.xml as the European Central Bank publishes it.", n)
	}
	t := Table{Base: "EUR", On: doc.Days[0].On, Source: ecbName, Rates: map[price.Currency]string{}}
	var errs []RateError
	for _, r := range doc.Days[0].Rates {
		c := price.Currency(r.Currency)
		if _, twice := t.Rates[c]; twice {
			errs = append(errs, RateError{0, show(r.Currency), show(r.Currency) + " is given twice.", "Send the file as it was published."})
		}
		t.Rates[c] = r.Rate
	}
	if errs != nil {
		return Table{}, fails(errs)
	}
	return t, nil
}

// show cuts what is repeated in an error.
func show(s string) string {
	const most = 40
	n := 0
	for i := range s {
		if n++; n > most {
			return s[:i] + "…"
		}
	}
	return s
}
