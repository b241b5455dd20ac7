package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"pricemanager/infra/local/stack"
)

// up runs the stack, does the main job on it at once, and stays up until ctx
// ends or a part of it dies. A main job that failed is shown and leaves the
// product up: that is when one wants to look around.
func up(ctx context.Context, out io.Writer, getenv func(string) string) error {
	o, err := optionsFrom(getenv)
	if err != nil {
		return err
	}
	j, err := jobFrom(getenv, &o)
	if err != nil {
		return err
	}
	log, err := openLog(o.StateDir)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	o.Log = log
	fmt.Fprintf(out, "starting (log: %s)\n", log.Name())
	s, err := stack.Up(ctx, o)
	if errors.Is(err, stack.ErrRunning) {
		return fmt.Errorf("%w; end it with: make stop", err)
	}
	if err != nil {
		return fmt.Errorf("%w\n(more in %s)", err, log.Name())
	}
	fmt.Fprintf(out, `the product       %s
fake Amazon       %s/_amazon/
what is up        %s/_local/health
API key           in %s
`, s.URL, s.URL, s.URL, s.KeyFile())
	if _, err := j.do(ctx, s, filepath.Join(o.StateDir, "exports"), out, nil); err != nil {
		fmt.Fprintf(out, "\nTHE MAIN JOB FAILED: %v\n", err)
	}
	fmt.Fprintf(out, "\nThe product is up at %s until Ctrl-C or: make stop\n", s.URL)
	err = s.Wait(ctx)
	fmt.Fprintln(out, "stopping")
	return errors.Join(err, s.Close())
}

// stop ends a running up.
func stop(ctx context.Context, out io.Writer, getenv func(string) string) error {
	o, err := optionsFrom(getenv)
	if err != nil {
		return err
	}
	was, err := stack.Stop(ctx, o.StateDir)
	switch {
	case err != nil:
		return err
	case was:
		_, err = fmt.Fprintln(out, "stopped")
	default:
		_, err = fmt.Fprintln(out, "nothing is running")
	}
	return err
}

func openLog(state string) (*os.File, error) {
	if err := os.MkdirAll(state, 0o750); err != nil {
		return nil, err
	}
	return os.OpenFile(filepath.Join(state, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
}
