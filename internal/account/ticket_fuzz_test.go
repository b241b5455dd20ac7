package account

import (
	"strings"
	"testing"

	"pricemanager/internal/secret"
	"pricemanager/internal/store"
)

// FuzzTicketsNameOnlyWhatATicketCan: whatever is handed in, a text that is read names a
// well-formed tenant that is not the directory, and an id that no other kind of item has.
func FuzzTicketsNameOnlyWhatATicketCan(f *testing.F) {
	for _, s := range []string{
		"", "pmt_", "pmt_t_aaaaaa.aaaaaaaaaaaaaaaa.00000000000000000000000000000000", "pmt_t_000000directory.aaaaaaaaaaaaaaaa.00000000000000000000000000000000",
		"pmt_t_aaaaaa.enrol#aaaaaaaaaa.00000000000000000000000000000000", "pmt_../...aaaaaaaaaaaaaaaa.00000000000000000000000000000000",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tenant, id, ok := parseTicket(secret.New(s))
		if !ok {
			return
		}
		if !tenant.Valid() || tenant == store.Directory || len(id) != 16 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz234567") != "" {
			t.Errorf("%q names %q of %q", s, id, tenant)
		}
	})
}
