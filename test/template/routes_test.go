package template_test

// route is one method and path of the public API and the function behind it.
type route struct{ method, path, function string }

// routes is the whole public surface, written down once more on purpose: a
// route that appears or disappears in the template has to be meant.
func routes() []route {
	return []route{
		{"GET", "/health", "price-upload"},
		{"GET", "/version", "price-upload"},
		{"POST", "/connections", "oauth"},
		{"GET", "/connections", "oauth"},
		{"GET", "/connections/{id}", "oauth"},
		{"POST", "/connections/{id}/import", "oauth"},
		{"GET", "/oauth/callback", "oauth"},
		{"GET", "/offers", "price-upload"},
		{"GET", "/offers/history", "price-upload"},
		{"GET", "/offers/history/export", "price-upload"},
		{"GET", "/offers/why", "price-upload"},
		{"GET", "/offers/export", "price-upload"},
		{"GET", "/batches/{id}/export", "price-upload"},
		{"POST", "/uploads", "price-upload"},
		{"POST", "/plans", "price-upload"},
		{"GET", "/plans/{id}", "price-upload"},
		{"GET", "/plans/{id}/rows", "price-upload"},
		{"GET", "/plans/{id}/file", "price-upload"},
		{"PUT", "/mappings/{fingerprint}", "price-upload"},
		{"POST", "/batches", "price-upload"},
		{"GET", "/batches/{id}", "price-upload"},
		{"DELETE", "/batches/{id}", "price-upload"},
		{"GET", "/batches/{id}/rows", "price-upload"},
		{"POST", "/batches/{id}/rollback", "price-upload"},
		{"POST", "/corrections", "price-upload"},
		{"POST", "/plans/{id}/releases", "price-upload"},
		{"POST", "/plans/{id}/approvals", "price-upload"},
		{"GET", "/guards", "price-upload"},
		{"PUT", "/guards", "price-upload"},
		{"GET", "/costs", "price-upload"},
		{"PUT", "/costs", "price-upload"},
		{"GET", "/stops", "price-upload"},
		{"POST", "/stops", "price-upload"},
		{"DELETE", "/stops/{name}", "price-upload"},
		{"POST", "/exports", "gdpr-export"},
		{"GET", "/exports/{id}", "gdpr-export"},
		{"GET", "/ledger", "gdpr-export"},
		{"GET", "/ledger/key", "gdpr-export"},
	}
}
