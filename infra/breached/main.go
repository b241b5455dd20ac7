// Command breached writes internal/account/breached/list.bin, the passwords that
// nobody may choose, from lists of passwords that were found in leaks:
//
//	breached OUT LIST...
//
// A list has one password a line, the commonest first, and may be gzipped. Kept of
// each are the commonest 20,000, by which a word with a few digits after it is
// recognised, and all that are long enough to be chosen. They are kept in lower case
// and as the first five bytes of their SHA-256, sorted: the file holds no password,
// and one in 15 million that is in no list is mistaken for one that is. Which lists
// were used is in NOTICE.txt beside it.
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	commonest = 20_000
	shortest  = 4  // of a word worth knowing, in characters
	chosen    = 12 // what a password has at least
	width     = 5
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: breached OUT LIST...")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "breached:", err)
		os.Exit(1)
	}
}

func run(out string, lists []string) error {
	var sums []string
	for _, name := range lists {
		words, err := read(name)
		if err != nil {
			return err
		}
		for i, w := range words {
			w = strings.ToLower(w)
			n := utf8.RuneCountInString(w)
			if !utf8.ValidString(w) || n < shortest || i >= commonest && n < chosen {
				continue
			}
			sum := sha256.Sum256([]byte(w))
			sums = append(sums, string(sum[:width]))
		}
	}
	slices.Sort(sums)
	sums = slices.Compact(sums)
	return os.WriteFile(out, []byte(strings.Join(sums, "")), 0o644) //nolint:gosec // it is part of the repository
}

func read(name string) ([]string, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(raw, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if raw, err = io.ReadAll(z); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	var words []string
	s := bufio.NewScanner(bytes.NewReader(raw))
	for s.Scan() {
		if w := strings.TrimRight(s.Text(), "\r"); w != "" {
			words = append(words, w)
		}
	}
	return words, s.Err()
}
