// Command prism lets a second judge look at the traffic between our client and
// the fake Amazon: Prism, as a proxy that validates every request and every
// answer by Amazon's models, in the form that package contract keeps. It calls
// every operation of the client, with a success and with every refusal that the
// models declare.
//
// It exits 1 when Prism objects to anything, when an operation was left out, and
// when Prism passes one of the wrong requests or wrong answers that are made on
// purpose: a judge that never objects proves nothing. The last line of its
// output is JSON.
//
// Where Prism and Amazon differ the difference is written down at `blind`. It
// needs node and npm; Prism is pinned, and installed below .local on first use.
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
	OK         bool   `json:"ok"`
	Operations int    `json:"operations"` // with a success and a refusal each
	Requests   int    `json:"requests"`   // that went through Prism
	Violations int    `json:"violations"`
	Controls   int    `json:"controlsCaught"` // of two kinds: wrong requests, wrong answers
	Error      string `json:"error,omitempty"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := run(ctx)
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

func run(ctx context.Context) (report, error) {
	w, err := newWorld(ctx)
	if err != nil {
		return report{}, err
	}
	defer w.close()
	err = w.examine(ctx)
	return w.judge.report(), err
}
