package canary

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Find is a needle in a place.
type Find struct {
	Name   string // of the needle
	Place  string // file, table, queue ...
	Form   string
	Around string // what stands before it, with everything long taken out
}

func (f Find) String() string {
	return fmt.Sprintf("%s is %s in %s, after %q", f.Name, f.Form, f.Place, f.Around)
}

// Scanner looks for needles. It is not for concurrent use.
type Scanner struct {
	needles []Needle
	index   *index
	found   map[[2]string]Find // by name and place: one is enough
	order   [][2]string
	scanned int64
}

// NewScanner returns a scanner for needles, all that are planted when none is
// given.
func NewScanner(needles ...Needle) *Scanner {
	if len(needles) == 0 {
		needles = Planted()
	}
	return &Scanner{needles: needles, index: newIndex(needles), found: map[[2]string]Find{}}
}

// Bytes looks into content.
func (s *Scanner) Bytes(place string, content []byte) {
	s.scanned += int64(len(content))
	s.look(place, content, 0)
}

// Text is Bytes for a text.
func (s *Scanner) Text(place, content string) { s.Bytes(place, []byte(content)) }

// Reader looks into everything that r has.
func (s *Scanner) Reader(place string, r io.Reader) error {
	content, err := io.ReadAll(r)
	s.Bytes(place, content)
	return err
}

// JSON looks into a value as JSON has it, bytes in base64.
func (s *Scanner) JSON(place string, v any) {
	content, err := json.Marshal(v)
	if err != nil {
		content = fmt.Append(nil, v)
	}
	s.Bytes(place, content)
}

// Dir looks into every file below a directory. Places are paths relative to it.
func (s *Scanner) Dir(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		place, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		s.Bytes(filepath.ToSlash(place), content)
		return nil
	})
}

// deepest is how many packings within packings are opened.
const deepest = 4

func (s *Scanner) look(place string, content []byte, depth int) {
	inner, opaque := unpack(content)
	if !opaque {
		s.index.each(content, func(f form, at int) {
			key := [2]string{s.needles[f.needle].Name, place}
			if _, known := s.found[key]; known {
				return
			}
			s.found[key] = Find{key[0], place, f.how, s.around(content, at)}
			s.order = append(s.order, key)
		})
	}
	if depth < deepest {
		for _, in := range inner {
			s.look(place, in, depth+1)
		}
	}
}

// long is what may be a value of its own.
var long = regexp.MustCompile(`[^\s"'{}\[\]:,=&?/<>]{16,}`)

// around is what stands before a find. Whatever is long in it may be a secret.
func (s *Scanner) around(content []byte, at int) string {
	before := string(content[max(0, at-80):at])
	before = long.ReplaceAllString(before, "...")
	return strings.ToValidUTF8(before, "?")
}

// Found are all finds in the order in which they were met.
func (s *Scanner) Found() []Find {
	out := make([]Find, len(s.order))
	for i, key := range s.order {
		out[i] = s.found[key]
	}
	return out
}

// Places is where a needle was found.
func (s *Scanner) Places(name string) map[string]bool {
	out := map[string]bool{}
	for key := range s.found {
		if key[0] == name {
			out[key[1]] = true
		}
	}
	return out
}

// Has reports whether a needle was found anywhere.
func (s *Scanner) Has(name string) bool { return len(s.Places(name)) > 0 }

// Place is where a needle may be: a place, all that begin with it when it ends
// with a slash, or anywhere when it is "".
type Place struct{ Name, Place string }

func (p Place) holds(f Find) bool {
	return (p.Name == "" || p.Name == f.Name) && (p.Place == "" || f.Place == p.Place || strings.HasSuffix(p.Place, "/") && strings.HasPrefix(f.Place, p.Place))
}

// Leaks are the finds that are in none of the allowed places. A Place without a
// name allows all needles.
func (s *Scanner) Leaks(allowed ...Place) (leaks []Find) {
next:
	for _, f := range s.Found() {
		for _, p := range allowed {
			if p.holds(f) {
				continue next
			}
		}
		leaks = append(leaks, f)
	}
	return leaks
}

// Figures are what a run tells about its canaries.
type Figures struct {
	Planted int64 `json:"planted"` // values that were sent or issued
	Scanned int64 `json:"scanned"` // bytes, before anything was unpacked
	Found   int   `json:"found"`   // where they must not be
}

// Scanned is how many bytes were given to the scanner.
func (s *Scanner) Scanned() int64 { return s.scanned }
