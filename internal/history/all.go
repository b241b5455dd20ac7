package history

import "pricemanager/internal/tenant"

// All is a Scan of everything, which asks the ledger alone.
func (h *History) All(t tenant.ID) *Scan { return &Scan{history: h, tenant: t} }
