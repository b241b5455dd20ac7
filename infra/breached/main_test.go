package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCommonWordsAndChoosablePasswordsAreKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var plain strings.Builder
	for n := range commonest {
		fmt.Fprintf(&plain, "word%05d\r\n", n)
	}
	plain.WriteString("rare\nRare-but-long\nabc\n\nWORD00001\n")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte("password\nabc\nPassword\n")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	one, two, out := filepath.Join(dir, "a.txt"), filepath.Join(dir, "b.txt.gz"), filepath.Join(dir, "list.bin")
	for name, content := range map[string][]byte{one: []byte(plain.String()), two: packed.Bytes()} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(out, []string{one, two}); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if want := (commonest + 2) * width; len(list) != want {
		t.Errorf("%d bytes, want %d", len(list), want)
	}
	has := func(text string) bool {
		sum := sha256.Sum256([]byte(text))
		for i := 0; i < len(list); i += width {
			if bytes.Equal(list[i:i+width], sum[:width]) {
				return true
			}
		}
		return false
	}
	for text, want := range map[string]bool{"word00000": true, "word19999": true, "rare-but-long": true, "password": true, "rare": false, "abc": false, "Password": false} {
		if has(text) != want {
			t.Errorf("%s: kept %v", text, !want)
		}
	}
}
