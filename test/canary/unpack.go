package canary

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/base64"
	"io"
	"net/url"
	"regexp"
	"strconv"
	"unicode/utf8"
)

// unpack returns what is in content in another form. Opaque content has nothing
// to find by itself.
func unpack(content []byte) (inner [][]byte, opaque bool) {
	switch {
	case bytes.HasPrefix(content, []byte("\x7fELF")): // a program: built before there was a secret
		return nil, true
	case bytes.HasPrefix(content, zipMagic):
		return unzip(content), true
	case bytes.HasPrefix(content, gzipMagic):
		return gunzip(content), true
	}
	if len(content) <= mostPacked && !utf8.Valid(content) {
		inner = append(inner, inflations(content)...)
	}
	if bytes.Contains(content, []byte(`\"`)) { // JSON in JSON
		inner = append(inner, unescape(content))
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

// unescape takes one layer of JSON's escapes off. Those of no character stay.
func unescape(content []byte) []byte {
	out := make([]byte, 0, len(content))
	for i := 0; i < len(content); i++ {
		c := content[i]
		if c != '\\' || i+1 == len(content) {
			out = append(out, c)
			continue
		}
		i++
		switch next := content[i]; {
		case next == 'n':
			out = append(out, '\n')
		case next == 't':
			out = append(out, '\t')
		case next == 'u' && i+4 < len(content):
			if unit, err := strconv.ParseUint(string(content[i+1:i+5]), 16, 16); err == nil {
				out = utf8.AppendRune(out, rune(unit))
				i += 4
				continue
			}
			out = append(out, c, next)
		default:
			out = append(out, next)
		}
	}
	return out
}

var (
	zipMagic, gzipMagic = []byte("PK\x03\x04"), []byte("\x1f\x8b\x08")
	// base64Run may be base64 of something, in either alphabet.
	base64Run  = regexp.MustCompile(`[A-Za-z0-9+/_-]{24,}`)
	escapedRun = regexp.MustCompile(`[\w%|+.~/=&-]*%[0-9A-Fa-f]{2}[\w%|+.~/=&-]*`)
)

// decodings are what a run of base64 letters may stand for: text, or something
// packed; as a whole it may also be something that only inflations understands. The run may begin with letters that are not part of the code, so that
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
		if err == nil && (shift == 0 && len(plain) >= leastPacked || utf8.Valid(plain) || bytes.HasPrefix(plain, gzipMagic) || bytes.HasPrefix(plain, zipMagic)) {
			all = append(all, plain)
		}
	}
	return all
}

func gunzip(content []byte) (inner [][]byte) {
	if in, err := gzip.NewReader(bytes.NewReader(content)); err == nil {
		inner = append(inner, readable(in))
	}
	return inner
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

// What may be compressed without saying so: bytes of this length.
const leastPacked, mostPacked = 48, 1 << 20

// headers is how much may stand before compressed data: a salt, a frame.
const headers = 64

// inflations are the texts in bytes that were compressed without a format of
// their own, as the ledger packs its events before it seals them.
func inflations(content []byte) (inner [][]byte) {
	in := flate.NewReader(nil)
	for skip := 0; skip <= headers && skip < len(content); skip++ {
		reset, ok := in.(flate.Resetter)
		if !ok || reset.Reset(bytes.NewReader(content[skip:]), nil) != nil {
			return inner
		}
		if plain := readable(in); readableText(plain) {
			inner = append(inner, plain)
		}
	}
	return inner
}

// readableText reports whether bytes begin like text: four of five are.
func readableText(b []byte) bool {
	b = b[:min(len(b), 128)]
	letters := 0
	for _, c := range b {
		if c >= ' ' && c < 0x7f {
			letters++
		}
	}
	return len(b) >= 24 && letters*5 >= len(b)*4
}
