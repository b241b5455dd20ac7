package lane

import "pricemanager/internal/price"

// Places are the PKs in the offers table of the items that a connection's lane and
// offers are kept in.
func Places(c price.ConnectionID) []string {
	all := []string{lanePK(c)}
	for b := range buckets {
		all = append(all, offerPK(c, b))
	}
	return all
}
