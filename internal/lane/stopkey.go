package lane

import "pricemanager/internal/store"

// TenantStop is where a tenant keeps the stop of all its sending, for who deletes
// everything else of the tenant first.
func TenantStop() (store.Table, store.Key) {
	_, key := Stop{Scope: ScopeTenant}.key("")
	return store.Offers, key
}
