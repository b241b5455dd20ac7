// Command fakeamazon serves package fakeamazon on one address, for make run
// and for tests that need Amazon in a process of its own. It logs JSON to
// stderr, never a token or a secret, and flushes its state on SIGTERM.
package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	logger := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	if err := run(ctx, os.Args[1:], logger); err != nil {
		logger.Error("fakeamazon", "error", err.Error())
		os.Exit(1)
	}
}

// run serves until ctx ends. Requests that a fault holds are cut then.
func run(ctx context.Context, args []string, logger *slog.Logger) error {
	opts, err := parse(args)
	if err != nil {
		return err
	}
	fake, err := opts.start(logger)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", opts.addr)
	if err != nil {
		return errors.Join(err, fake.Close())
	}
	server := &http.Server{Handler: fake, ReadHeaderTimeout: 10 * time.Second}
	logger.Info("fake Amazon listens", "addr", listener.Addr().String(), "speed", opts.speed, "seed", opts.seed)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err = <-served:
	case <-ctx.Done():
		err = nil
	}
	closed := fake.Close() // first: it lets go of the held requests
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(err, closed, server.Shutdown(stopping))
}
