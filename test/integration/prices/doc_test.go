// Package prices holds what a price goes through from the seller's file to
// Amazon and back against its promises: every part of an offer can be set and
// really cleared, and no digit changes on the way.
//
// The engine, the client and the stores' rules are the real ones; Amazon is the
// fake behind an HTTP transport without a network, which keeps the bytes of
// every call. Time is virtual, so nothing waits.
package prices
