package audit

import "pricemanager/internal/price"

// Places lists "table PK" of every place that is looked at.
func Places(c price.ConnectionID) (all []string) {
	for _, p := range places([]price.ConnectionID{c}) {
		all = append(all, string(p.table)+" "+p.pk)
	}
	return all
}
