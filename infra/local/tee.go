package main

import (
	"bytes"
	"io"
	"sync"
)

// tee passes on what is written and remembers it.
type tee struct {
	to io.Writer

	mu   sync.Mutex
	text bytes.Buffer
}

func (t *tee) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text.Write(p)
	return t.to.Write(p)
}

func (t *tee) heard() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.text.Bytes())
}
