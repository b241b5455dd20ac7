package main

import (
	"strings"
)

// amazons are Amazon's own layouts, with their notes above the header.
//
//nolint:misspell // words of five languages
func amazons() []specimen {
	pq := []string{"sku", "price", "minimum-seller-allowed-price", "maximum-seller-allowed-price", "quantity", "handling-time", "fulfillment-channel"}
	labels := []string{"SKU", "Price", "Minimum price", "Maximum price", "Quantity", "Handling Time", "Fulfillment Channel"}
	b2b := []string{"sku", "price", "business-price", "quantity-price-type", "quantity-lower-bound1", "quantity-price1", "quantity-lower-bound2", "quantity-price2", "quantity-lower-bound3", "quantity-price3"}
	loader := []string{"sku", "product-id", "product-id-type", "price", "minimum-seller-allowed-price", "item-condition", "quantity", "add-delete", "will-ship-internationally"}
	return []specimen{
		{name: "amazon-price-and-quantity.txt", market: usa, body: []byte(tabbed([]string{"TemplateType=PriceInventory", "Version=2018.0924"}, []string{"Only sku and one price are needed"}, labels, pq,
			[]string{sku(0), up(usa, 0), "5.00", "50.00", "7", "2", "default"}, []string{sku(1), "", "25.00", "", "", "", ""}, []string{sku(2), "", "", "", "12", "", ""}))},
		{name: "amazon-b2b.txt", market: usa, body: []byte(tabbed(b2b,
			[]string{sku(1), "", "43.00", "fixed", "5", "42.00", "10", "41.00", "", ""},
			[]string{sku(2), "", "80.00", "percent", "5", "3", "", "", "", ""},
			[]string{sku(3), "", "28.00", "fixed", "5", "", "", "27.00", "", ""},
			[]string{sku(4), "", "60.00", "", "ten", "59.00", "", "", "", ""},
			[]string{sku(18), "", "", "", "clear", "", "", "", "", ""},
			[]string{sku(9), "", "clear", "", "2", "20.00", "", "clear", "", ""}))},
		{name: "amazon-inventory-loader.txt", market: usa, body: []byte(tabbed([]string{"TemplateType=InventoryLoader", "Version=2014.0703"}, loader,
			[]string{sku(0), usASIN(0), "1", up(usa, 0), "", "11", "5", "a", "n"}, []string{sku(1), gtin(1), "4", up(usa, 1), "", "11", "5", "", "n"},
			[]string{sku(2), usASIN(2), "1", up(usa, 2), "", "11", "0", "d", "n"}, []string{sku(3), usASIN(4), "ASIN", up(usa, 3), "", "", "", "", ""},
			[]string{sku(5), "123", "5", up(usa, 5), "", "", "", "", ""}))},
		{name: "amazon-listing-loader.txt", market: usa, body: []byte(tabbed([]string{"TemplateType=Offer", "Version=2020.0921"}, []string{"Seller SKU", "Product ID", "Product ID Type", "Price", "Update Delete"},
			[]string{"item_sku", "external_product_id", "external_product_id_type", "standard_price", "update_delete"},
			[]string{sku(0), usASIN(0), "ASIN", up(usa, 0), "PartialUpdate"}, []string{sku(1), gtin(1), "EAN", up(usa, 1), "Update"}, []string{sku(2), usASIN(2), "ASIN", up(usa, 2), "Delete"}))},
		{name: "amazon-listings-report.txt", market: usa, body: []byte(report("item-name\titem-description\tlisting-id\tseller-sku\tprice\tquantity\topen-date\timage-url\titem-is-marketplace\tproduct-id-type\tasin1\tproduct-id\tpending-quantity\tfulfillment-channel\tBusiness Price\tQuantity Price Type\tQuantity Lower Bound 1\tQuantity Price 1\tmerchant-shipping-group\tstatus", func(i int) []string {
			return []string{"A \"kettle\" 5\"", "", "0101ABCDEF" + sku(i), sku(i), up(usa, i), "5", "2026-01-02 03:04:05 PST", "", "y", "1", usASIN(i), usASIN(i), "0", "DEFAULT", "", "", "", "", "Default", "Active"}
		}))},
		{name: "amazon-listings-report-german.txt", market: germany, body: windows(report("Artikelbezeichnung\tArtikelbeschreibung\tAngebotsnummer\tHändler-SKU\tPreis\tMenge\tErstellungsdatum\tProdukt-ID-Typ\tASIN 1\tProdukt-ID\tVersender\tHändlerversandgruppe\tStatus", func(i int) []string {
			return []string{"Kessel für Tee", "", "0101ABCDEF", sku(i), up(germany, i), "5", "02/01/2026 03:04:05 MEZ", "4", asin(i), gtin(i), "DEFAULT", "Standard", "Active"}
		}))},
		{name: "amazon-listings-report-french.txt", market: france, body: windows(report("nom-produit\tid-offre\tsku-vendeur\tprix\tquantité\tdate-ouverture\ttype-id-produit\tasin1\tid-produit\tcanal-traitement\tétat", func(i int) []string {
			return []string{"Théière", "0101ABCDEF", sku(i), up(france, i), "5", "02/01/2026 03:04:05 CET", "1", asin(i), asin(i), "DEFAULT", "Active"}
		}))},
		{name: "amazon-listings-report-italian.txt", market: germany, body: []byte(report("Nome dell'articolo\tNumero offerta\tSKU venditore\tPrezzo\tQuantità\tData di creazione\tTipo di identificativo del prodotto\tASIN 1\tIdentificativo del prodotto\tCanale di gestione\tstato", func(i int) []string {
			return []string{"Teiera", "0101ABCDEF", sku(i), up(germany, i), "5", "02/01/2026 03:04:05 CET", "1", asin(i), asin(i), "DEFAULT", "Active"}
		}))},
		{name: "amazon-listings-report-spanish.txt", market: germany, body: []byte(report("Título del producto\tIdentificador del listing\tSKU del vendedor\tPrecio\tCantidad\tFecha de creación\tTipo de identificador de producto\tASIN 1\tIdentificador del producto\testado", func(i int) []string {
			return []string{"Tetera", "0101ABCDEF", sku(i), up(germany, i), "5", "02/01/2026 03:04:05 CET", "1", asin(i), asin(i), "Active"}
		}))},
	}
}

func usASIN(i int) string { return stockOf(usa, i).asin }

func report(header string, row func(i int) []string) string {
	rows := [][]string{strings.Split(header, "\t")}
	for i := range 3 {
		rows = append(rows, row(i))
	}
	return tabbed(rows...)
}
