package pricefile

import (
	"crypto/sha256"
	"encoding/base32"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"pricemanager/internal/fault"
)

// Mapping is what each column of a header means, by position, as the seller has
// chosen it; "" ignores the column.
type Mapping []Meaning

// Mappings are the remembered ones by the fingerprint of their header.
type Mappings map[string]Mapping

var fingerprintForm = regexp.MustCompile(`^hdr_[a-z2-7]{26}$`)

// ValidFingerprint reports whether s has the form of a fingerprint.
func ValidFingerprint(s string) bool { return fingerprintForm.MatchString(s) }

// Fingerprint stands for the names of columns in their order: 128 bits of
// SHA-256 over the names without case, accents and punctuation.
func Fingerprint(headers []string) string {
	h := sha256.New()
	for _, name := range headers {
		h.Write([]byte(plainHeader(name) + "\x00"))
	}
	return "hdr_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(h.Sum(nil)[:16]))
}

// Validate returns a *fault.Fault for a mapping that no file could be read by.
func (m Mapping) Validate() error {
	invalid := func(format string, args ...any) error {
		return fault.New(fault.Invalid, "mapping", format, args...)
	}
	if len(m) == 0 || len(m) > MaxColumns {
		return invalid("A mapping has 1 to %d columns, this one has %d.", MaxColumns, len(m))
	}
	l := Layout{at: map[Meaning]int{}}
	for i, means := range m {
		if means == "" {
			continue
		}
		if !slices.Contains(Meanings(), means) {
			return invalid("Column %d means %q, which is not a meaning. Use one of %s, or \"\" to ignore the column.", i+1, means, Meanings())
		}
		if first, twice := l.at[means]; twice {
			return invalid("Columns %d and %d both mean %s. Ignore one of them.", first+1, i+1, means)
		}
		l.at[means] = i
	}
	if !l.usable() {
		return invalid("A mapping needs a column that says which offer (sku, asin, ean or product_id) and at least one price.")
	}
	return nil
}

// sampled is how many rows are looked at for samples, and mostSamples how many
// are kept of a column.
const (
	sampled     = 100
	mostSamples = 3
	sampleWidth = 40 // bytes: enough to recognise a value by
)

// sample keeps a few values of every column for the seller to look at. A layout is
// kept with its plan, and a column that is not read may hold anything, such as the
// addresses of buyers: of those only the shape is kept, which is enough to see
// whether a price or a number was missed.
func (l *Layout) sample(rec *record) {
	for i := range l.Columns {
		c, cell := &l.Columns[i], rec.cell(i)
		if len(cell) == 0 || len(c.Samples) == mostSamples {
			continue
		}
		text := string(cell)
		if c.Means == "" {
			text = shape(text)
		}
		if len(text) > sampleWidth {
			text = strings.ToValidUTF8(text[:sampleWidth], "") + "…"
		}
		if !slices.Contains(c.Samples, text) {
			c.Samples = append(c.Samples, text)
		}
	}
}

// shape writes a text with every letter as a and every digit as 9.
func shape(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsDigit(r):
			return '9'
		case unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsNumber(r):
			return 'a'
		}
		return r
	}, text)
}

// signatures are columns that only one of Amazon's files has, as plainHeader
// leaves their names. The listings report comes with translated names.
var signatures = func() map[string]Kind {
	out := map[string]Kind{}
	for kind, list := range map[Kind]string{
		ListingsReport: `listing id; open date; angebotsnummer; erstellungsdatum; numero offerta; data di creazione; id offre; date ouverture;
			identificador del listing; fecha de creacion; 出品id; 出品日`,
		InventoryLoader: `add delete; hinzufugen loschen; aggiungi elimina; ajouter supprimer; anadir eliminar`,
		BusinessPrices:  `quantity lower bound1`,
		PriceQuantity:   `minimum seller allowed price; maximum seller allowed price`,
	} {
		for name := range strings.SplitSeq(list, ";") {
			out[strings.TrimSpace(name)] = kind
		}
	}
	return out
}()

// conclude notes what the values have proven about their columns.
func (l *Layout) conclude(numbers map[Meaning]*evidence, dates map[Meaning]*dateEvidence) {
	for i := range l.Columns {
		c := &l.Columns[i]
		var proof Proof
		switch {
		case c.Means.money():
			c.Reads, proof = numbers[c.Means].String(), numbers[c.Means].proof
		case c.Means.date():
			c.Reads, proof = dates[c.Means].String(), dates[c.Means].proof
		}
		if proof.Line > 0 {
			c.Proof = &proof
		}
	}
}
