// Package soak runs the real lane engine over the memory stores in a simulated
// world, and checks its promises after every step: what a million changes meet
// in months of crashes, storms and lost messages happens here in minutes.
//
// # How it works
//
// One scheduler runs exactly one task at a time, in virtual time. The next task
// is the one whose time comes first; a seeded choice decides between equals. All
// I/O of the engine goes through adapters that give way to the scheduler before
// and after each effect, take time, and fail as the seed says. At each of these
// points a worker may die or freeze. So one seed is one history: it is hashed,
// and the same seed gives the same hash.
//
// # What it promises
//
// Result.OK is true only if no promise of package lane was seen broken; the
// promises are the fields of Result. A failure names its seed, and the same seed
// shows it again, also with fewer operations (see Shrink).
//
// # What it does not do
//
// It knows neither HTTP nor AWS: the adapters stand where spapi and the store's
// backends are, which have tests of their own.
package soak
