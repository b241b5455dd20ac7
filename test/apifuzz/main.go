// Command apifuzz has schemathesis try the public API on a local stack of its
// own, by infra/openapi.yaml: what the contract allows, what it does not, and
// every boundary it can find, with a fixed seed and for a bounded time.
//
// It exits 1 on an answer of 500 or more, on any answer that the contract does not
// have (status, content type, headers, body), on bad input that was taken, on an
// operation that answers without a credential, and on an operation that was not
// tried. It also exits 1 when schemathesis passes two answers that are made wrong on
// purpose: a judge that never objects proves nothing. The last line is JSON.
//
// What it does not check: that every request which the contract allows is taken.
// Whether a plan exists, or a date is in the past, no contract says.
//
// SECONDS= bounds the main part (60), SEED= is the seed (20261122).
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

type report struct {
	OK           bool           `json:"ok"`
	Operations   int            `json:"operations"` // of the contract
	Tested       int            `json:"tested"`     // of them
	Requests     int            `json:"requests"`
	ServerErrors int            `json:"serverErrors"`
	Violations   int            `json:"violations"` // of the contract, of any other kind
	Failures     map[string]int `json:"failures,omitempty"`
	Controls     int            `json:"controlsCaught"` // of two: a server error, a wrong body
	Seconds      float64        `json:"seconds"`
	Error        string         `json:"error,omitempty"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := run(ctx, os.Getenv)
	if r.OK = err == nil; !r.OK {
		r.Error = err.Error()
	}
	line, jerr := json.Marshal(r)
	if jerr != nil {
		line = []byte(`{"ok":false}`)
	}
	fmt.Println(string(line))
	if !r.OK {
		os.Exit(1)
	}
}
