// Package virtual runs the sync engine in virtual time, a synctest bubble,
// against the strict fake Amazon: the real client, the real stores' rules and
// costs, and a queue whose consumer behaves like Lambda's event source. Its
// tests keep the engine's promises on speed, fairness and cost: on a small scale
// with all other tests, at full size for `make bench-lane`, which sets FIGURES
// to the file that the measured figures go to.
//
// Virtual time has no cost of computing: the figures show what the engine waits
// for and how often it calls, not how fast the machine is.
package virtual

// Figures names the environment variable with the file for the figures.
const Figures = "LANE_FIGURES"

// Target names the environment variable that tells where Amazon is at real
// pace: port, refresh token, seller and number of prices.
const Target = "LANE_TARGET"
