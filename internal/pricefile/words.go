package pricefile

import (
	"strconv"
	"strings"
	"unicode"

	"pricemanager/internal/price"
)

// Meaning is what a column of a price file holds. The text is part of the API.
type Meaning string

// The meanings. Ignored columns have none.
const (
	MeansSKU         Meaning = "sku"
	MeansASIN        Meaning = "asin"
	MeansEAN         Meaning = "ean"
	MeansProduct     Meaning = "product_id"      // an ASIN or an EAN
	MeansProductType Meaning = "product_id_type" // which of the two
	MeansAction      Meaning = "add_delete"      // Amazon's own: what to do with the listing
	MeansMarketplace Meaning = "marketplace"
	MeansCurrency    Meaning = "currency"
	MeansPrice       Meaning = "price"
	MeansSalePrice   Meaning = "sale_price"
	MeansSaleStart   Meaning = "sale_start"
	MeansSaleEnd     Meaning = "sale_end"
	MeansMin         Meaning = "minimum_price"
	MeansMax         Meaning = "maximum_price"
	MeansB2B         Meaning = "b2b_price"
	MeansTierType    Meaning = "tier_type" // whether tier prices are prices or percentages
)

// tiers are the columns of the B2B quantity prices: tier_quantity_1 and
// tier_price_1 for the first, and so on.
var tierQuantity, tierPrice = tierMeanings("tier_quantity_"), tierMeanings("tier_price_")

func tierMeanings(prefix string) (out [price.MaxTiers]Meaning) {
	for i := range out {
		out[i] = Meaning(prefix + strconv.Itoa(i+1))
	}
	return out
}

// Meanings lists all meanings.
func Meanings() []Meaning {
	out := []Meaning{MeansSKU, MeansASIN, MeansEAN, MeansProduct, MeansProductType, MeansAction, MeansMarketplace, MeansCurrency,
		MeansPrice, MeansSalePrice, MeansSaleStart, MeansSaleEnd, MeansMin, MeansMax, MeansB2B, MeansTierType}
	for i := range tierPrice {
		out = append(out, tierQuantity[i], tierPrice[i])
	}
	return out
}

// money reports whether the column holds prices.
func (m Meaning) money() bool {
	switch m {
	case MeansPrice, MeansSalePrice, MeansMin, MeansMax, MeansB2B:
		return true
	}
	return strings.HasPrefix(string(m), "tier_price_")
}

// date reports whether the column holds dates.
func (m Meaning) date() bool { return m == MeansSaleStart || m == MeansSaleEnd }

// names reports whether the column can say which offer a row is about.
func (m Meaning) names() bool {
	return m == MeansSKU || m == MeansASIN || m == MeansEAN || m == MeansProduct
}

// fields says which column shows a field of an offer.
var fields = map[price.Field]Meaning{
	price.FieldOur: MeansPrice, price.FieldSale: MeansSalePrice, price.FieldMin: MeansMin,
	price.FieldMax: MeansMax, price.FieldB2B: MeansB2B, price.FieldTiers: tierPrice[0],
}

// words are the column names that are understood, as plainHeader leaves them.
// Among them are those of Amazon's own files: the Price & Quantity, Inventory
// Loader and B2B templates, and the listings report as Amazon translates it.
//
//nolint:misspell // words of five languages
var words = dictionary(map[Meaning]string{
	MeansSKU: `sku; seller sku; item sku; merchant sku; your sku; haendler sku; handler sku; verkaufer sku; verkaeufer sku;
		codice sku; sku venditore; sku del venditore; sku vendeur; sku du vendeur; reference vendeur; sku vendedor;
		sku del vendedor; 出品者sku`,
	MeansASIN: `asin; asin1; asin 1; asin code; codice asin; code asin; codigo asin`,
	MeansEAN: `ean; ean code; ean13; ean 13; gtin; gtin13; gtin 13; gtin14; gtin 14; upc; upc code; barcode; ean nummer; ean nr; gtin nummer;
		strichcode; codice ean; codice a barre; code ean; code barre; code barres; code a barres; codigo ean; codigo de barras;
		external product id ean`,
	MeansProduct: `product id; produkt id; identificativo del prodotto; id prodotto; id produit; identifiant produit;
		identificador del producto; id del producto; external product id; 商品id`,
	MeansProductType: `product id type; produkt id typ; tipo di identificativo del prodotto; type id produit; type identifiant produit;
		tipo de identificador de producto; tipo de identificador del producto; external product id type; 商品idタイプ`,
	MeansAction: `add delete; hinzufugen loschen; hinzufuegen loeschen; hinzufugen entfernen; aggiungi o elimina; aggiungi elimina; ajouter supprimer;
		anadir o eliminar; anadir eliminar; update delete`,
	MeansMarketplace: `marketplace; marketplace id; marketplaceid; amazon marketplace; country; country code;
		marktplatz; land; landercode; mercato; paese; codice paese; place de marche; pays; code pays; mercado; pais; codigo de pais`,
	MeansCurrency: `currency; currency code; wahrung; waehrung; valuta; divisa; devise; monnaie; moneda`,
	MeansPrice: `price; our price; standard price; your price; new price; selling price; item price;
		preis; verkaufspreis; standardpreis; neuer preis; ihr preis;
		prezzo; prezzo di vendita; prezzo standard; nuovo prezzo; il tuo prezzo;
		prix; prix de vente; prix standard; nouveau prix; votre prix;
		precio; precio de venta; precio estandar; nuevo precio; tu precio; 価格`,
	MeansSalePrice: `sale price; discounted price; offer price; angebotspreis; aktionspreis; sonderpreis; prezzo scontato;
		prezzo in offerta; prezzo offerta; prezzo promozionale; prix promotionnel; prix promo; prix solde; prix sold;
		precio de oferta; precio oferta; precio rebajado; precio promocional`,
	MeansSaleStart: `sale start date; sale from date; sale from; sale start; angebot von; angebotsbeginn; aktion von; angebot start;
		aktionsbeginn; inizio offerta; inizio sconto; offerta dal; sconto dal; debut promotion; debut promo; promo du;
		inicio oferta; inicio de oferta; oferta desde`,
	MeansSaleEnd: `sale end date; sale through date; sale to date; sale to; sale end; sale through; angebot bis; angebot ende;
		angebotsende; aktion bis; aktionsende; fine offerta; fine sconto; offerta al; sconto al; fin promotion;
		fin promo; promo au; fin oferta; fin de oferta; oferta hasta`,
	MeansMin: `minimum seller allowed price; minimum price; min price; min; price floor; mindestpreis; mindest preis; minimalpreis; min preis; preis min;
		minimum preis; prezzo minimo; prezzo min; prix minimum; prix minimal; prix min; prix mini; prix plancher; precio minimo; precio min`,
	MeansMax: `maximum seller allowed price; maximum price; max price; max; price ceiling; hochstpreis; hoechstpreis; hochst preis; maximalpreis; max preis;
		maximum preis; preis max; prezzo massimo; prezzo max; prix maximum; prix maximal; prix max; prix maxi; prix plafond; precio maximo; precio max`,
	MeansB2B: `business price; b2b price; b2b; b2b preis; geschaftspreis; geschaeftspreis; business preis; geschaftskundenpreis; prezzo b2b;
		prezzo business; prezzo per aziende; prix b2b; prix business; prix professionnel; prix pro; precio b2b; precio business;
		precio para empresas`,
	MeansTierType: `quantity price type; tier type; staffelpreis typ; mengenpreis typ; tipo prezzo quantita; tipo di prezzo per quantita;
		type de prix quantite; type prix quantite; tipo de precio por cantidad`,
})

// tierWords are the names of tier columns without their number.
//
//nolint:misspell // words of five languages
var tierWords = dictionary(map[Meaning]string{
	"tier_quantity_": `quantity lower bound; tier quantity; b2b quantity; staffelmenge; mengenuntergrenze; ab menge; menge ab; staffel ab;
		quantita minima; quantita da; da quantita; scaglione quantita; quantite minimum; quantite minimale; a partir de quantite;
		quantite a partir de; palier quantite; cantidad minima; cantidad desde; desde cantidad; tramo cantidad`,
	"tier_price_": `quantity price; tier price; b2b quantity price; staffelpreis; mengenpreis; prezzo quantita; prezzo per quantita;
		prezzo scaglione; prix quantite; prix par quantite; prix palier; prix degressif; precio por cantidad; precio cantidad; precio tramo`,
})

// units are what a column name may say beside its meaning: prices are always
// with tax, as Amazon shows them. A name that says "net" is not understood.
//
//nolint:misspell // words of five languages
var units = dictionary(map[Meaning]string{
	"unit": `brutto; gross; ttc; incl vat; inkl mwst; incl mwst; iva incl; iva inclusa; iva incluido; iva compresa; tva incluse`,
})

// clearing are the cells that ask for a price to be removed: whole words that
// are no number in any convention. Blank and "-" are not among them, because
// spreadsheets write those for "nothing to say".
var clearing = dictionary(map[Meaning]string{"clear": `clear; remove; delete; loschen; loeschen; entfernen; leeren; supprimer; effacer; retirer;
	borrar; eliminar; quitar; rimuovi; rimuovere; cancella; elimina`})

func dictionary(lists map[Meaning]string) map[string]Meaning {
	out := map[string]Meaning{}
	for m, list := range lists {
		for name := range strings.SplitSeq(list, ";") {
			name = strings.Join(strings.Fields(name), " ")
			if _, twice := out[name]; twice {
				panic("pricefile: two columns are called " + name)
			}
			out[name] = m
		}
	}
	return out
}

// letters are the accented letters of the five languages, unaccented, and the
// punctuation that templates put between words.
var letters = strings.NewReplacer(
	"ä", "a", "ö", "o", "ü", "u", "ß", "ss", "à", "a", "á", "a", "â", "a", "è", "e", "é", "e", "ê", "e",
	"ì", "i", "í", "i", "î", "i", "ò", "o", "ó", "o", "ô", "o", "ù", "u", "ú", "u", "û", "u", "ç", "c", "ñ", "n",
	"-", " ", "_", " ", ".", " ", ":", " ", "/", " ", "*", " ", "'", " ", "’", " ", "(", " (", ")", ") ", "[", " (", "]", ") ",
)

// plainHeader brings a column name to the form that words uses: lower case,
// no accents, single spaces, brackets on their own, nothing that is not seen.
func plainHeader(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Mn, unicode.Cf) { // an accent that stands behind its letter; a second byte order mark
			return -1
		}
		return unicode.ToLower(r)
	}, s)
	return strings.Join(strings.Fields(letters.Replace(s)), " ")
}

// meaningOf returns what a column name means, "" when nothing to us, and the
// currency that it names, "" for none: "Preis (EUR)", "price in GBP". A name that
// means nothing may name one, too: what it means may have been chosen.
func meaningOf(header []byte) (Meaning, price.Currency) {
	if len(header) > MaxCell {
		return "", ""
	}
	return meaningOfPlain(plainHeader(string(header)))
}

func meaningOfPlain(name string) (Meaning, price.Currency) {
	if m := wordOrTier(name); m != "" {
		return m, ""
	}
	var currency price.Currency
	for range 2 { // "Preis (EUR) brutto"
		rest, unit := cutUnit(name)
		if unit == "" {
			break
		}
		if c := currencyOf(unit); c != "" {
			if currency != "" {
				return "", ""
			}
			currency = c
		}
		if m := wordOrTier(rest); m != "" {
			if !m.money() {
				return "", ""
			}
			return m, currency
		}
		name = rest
	}
	return "", currency
}

// wordOrTier finds a name among words, or with its number among tierWords.
func wordOrTier(name string) Meaning {
	if m := words[name]; m != "" || name == "" {
		return m
	}
	if n := name[len(name)-1]; n >= '1' && n <= '0'+price.MaxTiers {
		if m := tierWords[strings.TrimSpace(name[:len(name)-1])]; m != "" {
			return m + Meaning(n)
		}
	}
	return ""
}

// cutUnit takes a unit off the end of a plain name: what stands in brackets,
// or a last word or two that are a currency or one of units.
func cutUnit(name string) (rest, unit string) {
	if open := strings.LastIndexByte(name, '('); open > 0 && strings.HasSuffix(name, ")") {
		unit = strings.TrimSpace(name[open+1 : len(name)-1])
		if isUnit(unit) {
			return strings.TrimSpace(name[:open]), unit
		}
		return "", ""
	}
	for at := len(name) - 1; at > 0; at-- {
		if name[at] != ' ' {
			continue
		}
		if unit = name[at+1:]; isUnit(unit) {
			return strings.TrimSuffix(strings.TrimSpace(name[:at]), " in"), unit
		}
	}
	return "", ""
}

func isUnit(s string) bool { return units[s] != "" || currencyOf(s) != "" }

// currencyOf reads a currency code, or a sign that stands for one only; "$"
// and "kr" do not.
func currencyOf(s string) price.Currency {
	switch s {
	case "€":
		return "EUR"
	case "£":
		return "GBP"
	}
	c := price.Currency(strings.ToUpper(s))
	if _, ok := c.Exponent(); len(s) == 3 && ok {
		return c
	}
	return ""
}

// clears reports whether a cell asks for its price to be removed.
func clears(cell []byte) bool {
	return len(cell) > 0 && !digit(cell[0]) && cell[0] != '\'' && len(cell) <= len("supprimer")+2 && clearing[plainHeader(string(cell))] != ""
}
