// Package flock makes processes of one machine wait for each other, with a lock
// that the kernel gives back when its holder dies, however it dies.
package flock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ErrHeld: somebody else has the lock.
var ErrHeld = errors.New("flock: held by another process")

// Lock waits for the lock on the file, making it when missing, until ctx ends.
func Lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	got := make(chan error, 1)
	go func() { got <- syscall.Flock(int(f.Fd()), syscall.LOCK_EX) }()
	select {
	case err := <-got:
		if err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("flock: %s: %w", path, err)
		}
		return func() { _ = f.Close() }, nil
	case <-ctx.Done():
		// The goroutine keeps waiting; closing the file once it has the lock gives
		// the lock back.
		go func() {
			<-got //nolint:errcheck // with or without the lock, the file goes next
			_ = f.Close()
		}()
		return nil, fmt.Errorf("flock: waiting for %s: %w", path, ctx.Err())
	}
}

// Try takes the lock or answers ErrHeld at once.
func Try(path string) (unlock func(), err error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrHeld
		}
		return nil, fmt.Errorf("flock: %s: %w", path, err)
	}
	return func() { _ = f.Close() }, nil
}

func open(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("flock: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("flock: %w", err)
	}
	return f, nil
}
