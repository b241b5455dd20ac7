package pricefile

import (
	"strings"

	"pricemanager/internal/price"
)

// Meaning is what a column of a price file holds. The text is part of the API.
type Meaning string

// The meanings. Ignored columns have none.
const (
	MeansSKU         Meaning = "sku"
	MeansMarketplace Meaning = "marketplace"
	MeansCurrency    Meaning = "currency"
	MeansPrice       Meaning = "price"
	MeansSalePrice   Meaning = "sale_price"
	MeansSaleStart   Meaning = "sale_start"
	MeansSaleEnd     Meaning = "sale_end"
	MeansMin         Meaning = "minimum_price"
	MeansMax         Meaning = "maximum_price"
	MeansB2B         Meaning = "b2b_price"
)

// money reports whether the column holds prices.
func (m Meaning) money() bool {
	switch m {
	case MeansPrice, MeansSalePrice, MeansMin, MeansMax, MeansB2B:
		return true
	}
	return false
}

// date reports whether the column holds dates.
func (m Meaning) date() bool { return m == MeansSaleStart || m == MeansSaleEnd }

// fields says which column shows a field of an offer.
var fields = map[price.Field]Meaning{
	price.FieldOur: MeansPrice, price.FieldSale: MeansSalePrice, price.FieldMin: MeansMin,
	price.FieldMax: MeansMax, price.FieldB2B: MeansB2B,
}

// words are the column names that are understood, as plainHeader leaves them.
// The English ones with "seller allowed" and "business price" are Amazon's
// Price & Quantity and Business Price templates.
var words = dictionary(map[Meaning]string{
	MeansSKU: `sku; seller sku; item sku; merchant sku; haendler sku; verkaufer sku; verkaeufer sku;
		codice sku; sku venditore; sku vendeur; sku vendedor; sku del vendedor`,
	MeansMarketplace: `marketplace; marketplace id; marketplaceid; amazon marketplace; country; country code;
		marktplatz; land; mercato; paese; place de marche; pays; mercado; pais`,
	MeansCurrency: `currency; currency code; wahrung; waehrung; valuta; divisa; devise; monnaie; moneda`,
	MeansPrice: `price; our price; standard price; your price; preis; verkaufspreis; standardpreis;
		prezzo; prezzo di vendita; prezzo standard; prix; prix de vente; prix standard; precio; precio de venta; precio estandar`,
	MeansSalePrice: `sale price; discounted price; angebotspreis; aktionspreis; sonderpreis; prezzo scontato;
		prezzo in offerta; prezzo offerta; prezzo promozionale; prix promotionnel; prix promo; prix solde;
		precio de oferta; precio oferta; precio rebajado`,
	MeansSaleStart: `sale start date; sale from date; sale from; sale start; angebot von; angebotsbeginn; aktion von;
		aktionsbeginn; inizio offerta; inizio sconto; offerta dal; sconto dal; debut promotion; debut promo; promo du;
		inicio oferta; inicio de oferta; oferta desde`,
	MeansSaleEnd: `sale end date; sale through date; sale to date; sale to; sale end; sale through; angebot bis;
		angebotsende; aktion bis; aktionsende; fine offerta; fine sconto; offerta al; sconto al; fin promotion;
		fin promo; promo au; fin oferta; fin de oferta; oferta hasta`,
	MeansMin: `minimum seller allowed price; minimum price; min price; min; mindestpreis; minimalpreis; preis min;
		prezzo minimo; prezzo min; prix minimum; prix minimal; prix min; precio minimo; precio min`,
	MeansMax: `maximum seller allowed price; maximum price; max price; max; hochstpreis; hoechstpreis; maximalpreis;
		preis max; prezzo massimo; prezzo max; prix maximum; prix maximal; prix max; precio maximo; precio max`,
	MeansB2B: `business price; b2b price; b2b; b2b preis; geschaftspreis; geschaeftspreis; business preis; prezzo b2b;
		prezzo business; prix b2b; prix business; prix professionnel; precio b2b; precio business; precio para empresas`,
})

func dictionary(lists map[Meaning]string) map[string]Meaning {
	out := map[string]Meaning{}
	for m, list := range lists {
		for name := range strings.SplitSeq(list, ";") {
			out[strings.TrimSpace(name)] = m
		}
	}
	return out
}

// letters are the accented letters of the five languages, unaccented.
var letters = strings.NewReplacer(
	"ä", "a", "ö", "o", "ü", "u", "ß", "ss", "à", "a", "á", "a", "â", "a", "è", "e", "é", "e", "ê", "e",
	"ì", "i", "í", "i", "î", "i", "ò", "o", "ó", "o", "ô", "o", "ù", "u", "ú", "u", "û", "u", "ç", "c", "ñ", "n",
	"-", " ", "_", " ", ".", " ", ":", " ",
)

// plainHeader brings a column name to the form that words uses: lower case,
// no accents, single spaces.
func plainHeader(s string) string {
	return strings.Join(strings.Fields(letters.Replace(strings.ToLower(s))), " ")
}

// meaningOf returns what a column name means, "" when nothing to us.
func meaningOf(header []byte) Meaning { return words[plainHeader(string(header))] }
