// Package preview asks Amazon what it would say to a sample of a plan's rows, and
// writes nothing there: the validation preview of the Listings Items API.
//
// It owns the sample's document, which stands beside the plan: the plan itself is
// immutable, and applying it needs no preview. Which rows are asked about follows from
// the plan alone: those with most money at risk, in turns over its marketplaces.
//
// Amazon takes one preview a second for a seller account and twenty for the whole
// application. Both are counted in the store before a call is made, by conditional
// writes, so that several workers keep to them together. A preview waits while the
// account's lane is driven, and while kill switches stand it is not made at all: it
// has no part of what prices are sent with.
//
// When something fails, what was answered so far is kept and the rest is asked again
// a minute later, for an hour; then the document says what was in the way. A message
// that is delivered twice asks nothing twice. It does not tell what a guard would say,
// and an Amazon that finds a price valid now may still refuse it later.
package preview
