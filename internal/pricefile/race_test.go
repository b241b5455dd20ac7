//go:build race

package pricefile

// The race detector makes files of millions of rows take minutes.
const raceEnabled, raceSlower = true, 5
