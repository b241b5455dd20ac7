// Command local runs the product on this machine.
//
//	local up                 start everything, do the main job, stay until Ctrl-C or stop
//	local demo               do the main job on a stack of its own, then end it
//	local stop               end a running up, and everything it started
//	local venv REQUIREMENTS  make a Python environment, print its interpreter
//
// Settings: PORT (8080), AWS_PORT (4566), AMAZON_PORT (8090), SPEED (1),
// STATE (.local/state), and for other files than the demo's PRICES, LISTINGS,
// MARKETPLACE and REGION. DROP names a SKU whose price the fake Amazon loses. ALLOW
// lists addresses that may ask more often than 100 times a minute (127.0.0.1).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"pricemanager/infra/local/localaws"
)

func main() {
	ctx, done := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	done()
	if err != nil {
		if !errors.Is(err, errShown) {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 1 && args[0] == "up":
		return up(ctx, os.Stdout, os.Getenv)
	case len(args) == 1 && args[0] == "demo":
		return runDemo(ctx, os.Stdout, os.Getenv)
	case len(args) == 1 && args[0] == "stop":
		return stop(ctx, os.Stdout, os.Getenv)
	case len(args) == 2 && args[0] == "venv":
		python, err := localaws.EnsureVenvFor(ctx, "", args[1], os.Stderr)
		if err == nil {
			_, err = fmt.Println(python)
		}
		return err
	}
	return errors.New("usage: local up | local demo | local stop | local venv REQUIREMENTS")
}
