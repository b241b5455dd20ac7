package storetest

import (
	"errors"
	"strings"
	"testing"

	"pricemanager/internal/store"
)

// Large holds a backend to the promises of store.Large.
func Large(t *testing.T, b interface {
	store.Blobs
	store.Large
}) {
	id := newTenant()
	content := strings.Repeat("\x00\xff line\r\n", 1_000_000) // 9 MB
	mustPut(t, b, id, store.Files, "large", "small")
	for _, body := range []string{content, ""} {
		if err := b.PutFrom(t.Context(), id, store.Files, "large", "text/plain", strings.NewReader(body)); err != nil {
			t.Fatal(err)
		}
		blobIs(t, b, id, "large", body)
	}
	noBlob(t, b, newTenant(), store.Files, "large")
	if err := b.PutFrom(t.Context(), id, store.Files, "../large", "text/plain", strings.NewReader("x")); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("PutFrom of a malformed name: %v, want ErrInvalid", err)
	}
}
