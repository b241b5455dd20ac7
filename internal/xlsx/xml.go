package xlsx

import (
	"bytes"
	"io"
	"strconv"
	"unicode/utf8"

	"pricemanager/internal/fault"
)

// token is what scanner.next found.
type token uint8

const (
	tokenEnd   token = iota // of an element
	tokenStart              // of an element: local, space and attrs say which
	tokenText               // a piece of text; there may be several in a row
	tokenEOF
)

// namespace is an XML namespace that means something here.
type namespace uint8

const (
	spaceOther namespace = iota
	spaceNone
	spaceMain
	spaceRels // of r:id
	spacePackage
)

// namespaces by their names, transitional and strict.
var namespaces = map[string]namespace{
	"": spaceNone,
	"http://schemas.openxmlformats.org/spreadsheetml/2006/main":           spaceMain,
	"http://purl.oclc.org/ooxml/spreadsheetml/main":                       spaceMain,
	"http://schemas.openxmlformats.org/officeDocument/2006/relationships": spaceRels,
	"http://purl.oclc.org/ooxml/officeDocument/relationships":             spaceRels,
	"http://schemas.openxmlformats.org/package/2006/relationships":        spacePackage,
}

type attr struct{ prefix, local, value []byte }

type binding struct {
	prefix string
	space  namespace
	depth  int
}

// scanner reads the XML of office files: a stream of tokens out of one window,
// so that memory does not depend on the input. It refuses document types and
// with them every entity but the five of XML itself. encoding/xml would do, at
// a fifth of the speed and with no limit on tags, depth and names.
type scanner struct {
	part     string // for errors
	r        io.Reader
	buf      []byte
	pos, end int
	readErr  error

	// The current token. Slices are valid until next is called again.
	local []byte
	space namespace
	attrs []attr
	text  []byte

	names   []byte // of the open elements, one after the other
	marks   []int  // where each begins
	bound   []binding
	scratch []byte
	closing bool // the element just started ends at once: <a/>
	cdata   bool
	rooted  bool // there was an element
	cr      bool // the text so far ended with a carriage return
}

func newScanner(part string, r io.Reader) *scanner {
	return &scanner{part: part, r: r, buf: make([]byte, window)}
}

func (s *scanner) fail(format string, args ...any) error { return damaged(s.part, format, args...) }

// more reads on behind the bytes not yet used. It reports false when there is
// no more to be had, or no more room.
func (s *scanner) more() bool {
	if s.pos > 0 {
		s.end = copy(s.buf, s.buf[s.pos:s.end])
		s.pos = 0
	}
	for s.readErr == nil && s.end < len(s.buf) {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		s.readErr = err
		if n > 0 {
			return true
		}
	}
	return false
}

// have makes n bytes available, as far as there are any, and returns what there is.
func (s *scanner) have(n int) []byte {
	for s.end-s.pos < n && s.more() {
	}
	return s.buf[s.pos:s.end]
}

// ended explains why there is nothing more to read, nil for the proper end.
func (s *scanner) ended() error {
	switch {
	case s.readErr != nil && s.readErr != io.EOF: //nolint:errorlint // io.Reader returns io.EOF itself
		return broken(s.part, s.readErr)
	case len(s.marks) > 0 || s.cdata || !s.rooted:
		return s.fail("the XML ends in the middle.")
	}
	return nil
}

func (s *scanner) next() (token, error) {
	if s.closing {
		s.closing = false
		s.pop()
		return tokenEnd, nil
	}
	for {
		w := s.have(1)
		switch {
		case len(w) == 0:
			return tokenEOF, s.ended()
		case s.cdata:
			if ok, err := s.literal(); ok || err != nil {
				return tokenText, err
			}
		case w[0] != '<':
			if err := s.chars(); err != nil {
				return tokenText, err
			}
			if len(s.marks) > 0 && len(s.text) > 0 {
				return tokenText, nil
			}
			if len(bytes.Trim(s.text, " \t\r\n\ufeff")) > 0 {
				return tokenText, s.fail("there is text outside of the XML (it must be UTF-8).")
			}
		default:
			if t, err := s.markup(); t != tokenEOF || err != nil {
				return t, err
			}
		}
	}
}

// markup reads what begins with <. tokenEOF means that it was nothing to report.
func (s *scanner) markup() (token, error) {
	w := s.have(9)
	is := func(prefix string) bool { return bytes.HasPrefix(w, []byte(prefix)) }
	switch {
	case is("</"):
		return tokenEnd, s.endTag()
	case is("<?"):
		return tokenEOF, s.through("?>")
	case is("<!--"):
		s.pos += len("<!--")
		return tokenEOF, s.through("-->")
	case is("<![CDATA["):
		if len(s.marks) == 0 {
			return tokenEOF, s.fail("there is text outside of the XML.")
		}
		s.pos += len("<![CDATA[")
		s.cdata = true
		return tokenEOF, nil
	case is("<!"):
		return tokenEOF, fault.New(fault.Invalid, "price-file-xml",
			"The Excel workbook declares a document type or entities in %s, which no spreadsheet program does and which is not read. Save the workbook again in your spreadsheet program.", s.part)
	}
	return tokenStart, s.startTag()
}

// through skips everything up to and with the mark.
func (s *scanner) through(mark string) error {
	for {
		w := s.have(len(mark))
		if i := bytes.Index(w, []byte(mark)); i >= 0 {
			s.pos += i + len(mark)
			return nil
		}
		if len(w) < len(mark) {
			if err := s.ended(); err != nil {
				return err
			}
			return s.fail("the XML ends in the middle.")
		}
		s.pos += len(w) - len(mark) + 1
	}
}

// literal takes the text of a CDATA section as far as it is in the window. It
// reports false when there was none.
func (s *scanner) literal() (bool, error) {
	w := s.have(3)
	i := bytes.Index(w, []byte("]]>"))
	switch {
	case i >= 0:
		s.text, s.cdata = w[:i], false
		s.pos += i + 3
	case len(w) < 3:
		return false, s.fail("the XML ends in the middle.")
	default:
		s.text = w[:len(w)-2]
		s.pos += len(w) - 2
	}
	return len(s.text) > 0, nil
}

// chars takes text up to the next < as far as it is in the window.
func (s *scanner) chars() error {
	w := s.buf[s.pos:s.end]
	if i := bytes.IndexByte(w, '<'); i >= 0 {
		w = w[:i]
	}
	if !s.cr && bytes.IndexByte(w, '&') < 0 && bytes.IndexByte(w, '\r') < 0 {
		s.text = w
		s.pos += len(w)
		return nil
	}
	s.scratch = s.scratch[:0]
	for i := 0; i < len(w); {
		c := w[i]
		wasCR := s.cr
		s.cr = c == '\r'
		switch {
		case c == '\n' && wasCR: // \r\n is one line break
			i++
		case c == '\r':
			s.scratch = append(s.scratch, '\n')
			i++
		case c != '&':
			s.scratch = append(s.scratch, c)
			i++
		case i > 0: // all of an entity has to be in the window: begin with it
			w = w[:i]
		default:
			all := s.have(len("&#x0010FFFF;"))
			r, n := entity(all)
			if n == 0 {
				return s.fail("it uses the entity %q, which is not read.", shown(all))
			}
			s.text = utf8.AppendRune(s.scratch, r)
			s.pos += n
			return nil
		}
	}
	s.text = s.scratch
	s.pos += len(w)
	return nil
}

func shown(b []byte) string {
	return string(bytes.ToValidUTF8(b[:min(len(b), 20)], []byte("?")))
}

var entities = [...]struct {
	name string
	char rune
}{{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}}

// entity reads the entity at the beginning of b and returns its length, 0 for
// one that XML does not have without a document type.
func entity(b []byte) (rune, int) {
	for _, e := range entities {
		if bytes.HasPrefix(b, []byte(e.name)) {
			return e.char, len(e.name)
		}
	}
	end := bytes.IndexByte(b[:min(len(b), 12)], ';')
	if end < 3 || b[1] != '#' {
		return 0, 0
	}
	digits, base := b[2:end], 10
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(string(digits), base, 32)
	if err != nil || !xmlChar(rune(n)) {
		return 0, 0
	}
	return rune(n), end + 1
}

func xmlChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= utf8.MaxRune
}
