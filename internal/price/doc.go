// Package price is the vocabulary of the product: exact money, marketplaces,
// offers, what a seller wants changed about them, and the guards that decide
// whether a change may go out.
//
// It owns no I/O, no clock and no AWS: only values and rules, so that the same
// rule runs when a plan is made and again just before a price is sent. Nothing
// here fails at run time other than by returning an error or a verdict; an
// impossible input (comparing two currencies) panics, because it can only come
// from a bug.
//
// Amounts are integers in the currency's minor unit. There is no float in this
// package and none may touch a price anywhere else.
package price
