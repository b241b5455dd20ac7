// Package fakeamazon is a strict Amazon for tests and for running the product
// on a desk: Login with Amazon, the consent page, and the Selling Partner API
// of all three regions behind one http.Handler.
//
// It owns what Amazon owns: sellers, listings, feeds, authorisations, budgets,
// delays, verdicts and notifications. It promises to be deterministic by seed and clock, to keep
// amounts digit for digit, and to be at least as strict as Amazon: every
// request is checked against the derived models before it is handled and every
// answer before it leaves, so that neither a wrong client nor a wrong fake can
// hide. What goes wrong is answered with an error and kept in Violations.
//
// It is no model of Amazon's business rules beyond prices, it holds one
// developer application, and it must never be reachable from outside: its
// admin routes under /_fake/ ask for no credential.
//
// Base paths on the one listener: /na, /eu and /fe for the Selling Partner API,
// /auth/o2/token for LWA, /consent/{na,eu,fe}/apps/authorize/consent for the
// consent pages, /documents/ for the documents of reports and feeds, /_fake/ for
// tests.
package fakeamazon
