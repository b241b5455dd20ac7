//go:build !race

package pricefile

const raceEnabled, raceSlower = false, 1
