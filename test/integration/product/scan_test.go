package product_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// needle is something to look for in files: any of its texts.
type needle struct {
	name  string // what it is, without saying it
	texts [][]byte
}

func textNeedle(name string, texts ...string) needle {
	n := needle{name: name}
	for _, text := range texts {
		n.texts = append(n.texts, []byte(text))
	}
	return n
}

// secretNeedle looks for the second half of a secret, also as JSON writes it in
// Go and elsewhere: enough to tell it from anything else, and it finds one that
// lost its prefix.
func secretNeedle(name, secret string) needle {
	half := secret[len(secret)/2:]
	inGo, _ := json.Marshal(half) // a string always can be
	elsewhere := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(inGo))
	return textNeedle(name, half, string(inGo[1:len(inGo)-1]), elsewhere[1:len(elsewhere)-1])
}

func (n needle) in(content []byte) bool {
	return slices.ContainsFunc(n.texts, func(text []byte) bool { return bytes.Contains(content, text) })
}

// find is a needle in a file.
type find struct{ path, name string }

// search looks into every file below a directory: as it is, decoded where it is
// base64 or escaped for a URL, and unpacked where it is zipped. Paths are
// relative to the directory.
func search(t *testing.T, dir string, needles []needle) (found []find) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		s := searcher{path: name, needles: needles}
		s.look(content, 0)
		found = append(found, s.found...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

type searcher struct {
	path    string
	needles []needle
	found   []find
}

// deepest is how many packings within packings are opened.
const deepest = 4

func (s *searcher) look(content []byte, depth int) {
	inner, opaque := unpack(content)
	if !opaque {
		for _, n := range s.needles {
			f := find{s.path, n.name}
			if !slices.Contains(s.found, f) && n.in(content) {
				s.found = append(s.found, f)
			}
		}
	}
	if depth < deepest {
		for _, in := range inner {
			s.look(in, depth+1)
		}
	}
}

// unpack returns what is in content in another form. Opaque content has nothing
// to find by itself.
func unpack(content []byte) (inner [][]byte, opaque bool) {
	switch {
	case bytes.HasPrefix(content, []byte("\x7fELF")): // a program: built before there was a secret
		return nil, true
	case bytes.HasPrefix(content, zipMagic):
		return unzip(content), true
	case bytes.HasPrefix(content, gzipMagic):
		if in, err := gzip.NewReader(bytes.NewReader(content)); err == nil {
			inner = append(inner, readable(in))
		}
		return inner, true
	}
	for _, run := range escapedRun.FindAll(content, -1) {
		if plain, err := url.QueryUnescape(string(run)); err == nil {
			inner = append(inner, []byte(plain))
		}
	}
	for _, run := range base64Run.FindAll(content, -1) {
		inner = append(inner, decodings(run)...)
	}
	return inner, false
}

var (
	zipMagic, gzipMagic = []byte("PK\x03\x04"), []byte("\x1f\x8b\x08")
	// base64Run may be base64 of something, in either alphabet.
	base64Run  = regexp.MustCompile(`[A-Za-z0-9+/_-]{24,}`)
	escapedRun = regexp.MustCompile(`[\w%|+.~/=&-]*%[0-9A-Fa-f]{2}[\w%|+.~/=&-]*`)
)

// decodings are what a run of base64 letters may stand for: text, or something
// packed. The run may begin with letters that are not part of the code, so that
// all four alignments are tried.
func decodings(run []byte) (all [][]byte) {
	run = bytes.ReplaceAll(bytes.ReplaceAll(run, []byte("-"), []byte("+")), []byte("_"), []byte("/"))
	for shift := range 4 {
		part := run[shift:]
		plain := make([]byte, base64.RawStdEncoding.DecodedLen(len(part)))
		n, err := base64.RawStdEncoding.Decode(plain, part)
		if err != nil { // one letter too many, or bits too many in the last
			n, err = base64.RawStdEncoding.Decode(plain, part[:len(part)/4*4])
		}
		plain = plain[:n]
		if err == nil && (utf8.Valid(plain) || bytes.HasPrefix(plain, gzipMagic) || bytes.HasPrefix(plain, zipMagic)) {
			all = append(all, plain)
		}
	}
	return all
}

func unzip(content []byte) (inner [][]byte) {
	z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil
	}
	for _, f := range z.File {
		if f.Name == "bootstrap" { // a function's program
			continue
		}
		if in, err := f.Open(); err == nil {
			inner = append(inner, readable(in))
		}
	}
	return inner
}

// readable is what can be read of a packed file, also when it is damaged.
func readable(in io.Reader) []byte {
	content, _ := io.ReadAll(io.LimitReader(in, 64<<20))
	return content
}
