package privacy

import (
	"slices"
	"testing"

	"pricemanager/internal/store"
)

// A table that somebody adds is either deleted from or stays for a reason.
func TestEveryTableIsSweptOrStaysForAReason(t *testing.T) {
	t.Parallel()
	stays := map[store.Table]string{
		store.Ledger: "its values were sealed with keys that are destroyed",
		store.Keys:   "Shred deletes from it, and leaves marks that no key is made",
	}
	for _, table := range store.Tables() {
		if swept := slices.Contains(swept(), table); swept == (stays[table] != "") {
			t.Errorf("%s: swept %t, and stays because %q", table, swept, stays[table])
		}
	}
}
