package canary

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf16"
)

// Needle is something to look for: any of its texts, in any form.
type Needle struct {
	Name  string // what it is, without saying it
	texts []string
}

// Text is a needle for texts of at least six bytes.
func Text(name string, texts ...string) Needle { return Needle{name, texts} }

// Secret is a needle for the second half of a secret: enough to tell it from
// anything else, and it finds one that lost its prefix.
func Secret(name, secret string) Needle { return Needle{name, []string{secret[len(secret)/2:]}} }

// form is one way of writing a needle.
type form struct {
	needle int
	how    string
	bytes  []byte
}

// forms are the ways to write a text so that everybody can read it.
func forms(needle int, text string) (all []form) {
	seen := map[string]bool{}
	add := func(how, written string) {
		if !seen[written] && len(written) >= prefix {
			seen[written] = true
			all = append(all, form{needle, how, []byte(written)})
		}
	}
	add("in clear", text)
	quoted, _ := json.Marshal(text) // a string always can be
	add("in JSON", string(quoted[1:len(quoted)-1]))
	add("in JSON", strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(quoted[1:len(quoted)-1])))
	add("in ASCII JSON", ascii(text))
	add("escaped for a URL", url.QueryEscape(text))
	add("escaped for a URL", url.PathEscape(text))
	add("in hexadecimal", hex.EncodeToString([]byte(text)))
	add("in hexadecimal", strings.ToUpper(hex.EncodeToString([]byte(text))))
	for shift := range 3 {
		// The letters that depend on the text alone, not on what surrounds it.
		coded := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), text...))
		from, to := (shift*8+5)/6, (shift+len(text))*8/6
		add("in base64", coded[from:to])
		add("in base64", strings.NewReplacer("+", "-", "/", "_").Replace(coded[from:to]))
	}
	return all
}

// ascii is the text as JSON writers for ASCII alone have it.
func ascii(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r < 0x80:
			b.WriteRune(r)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		}
	}
	return b.String()
}

// prefix is how many bytes of a form lead to it.
const prefix = 4

// index finds all forms of all needles in one pass.
type index struct {
	may   [1 << 16]bool // the first two bytes of any form
	forms map[uint32][]form
}

func newIndex(needles []Needle) *index {
	ix := &index{forms: map[uint32][]form{}}
	for n, needle := range needles {
		for _, text := range needle.texts {
			if len(text) < 6 {
				panic("canary: " + needle.Name + " is too short to look for")
			}
			for _, f := range forms(n, text) {
				ix.may[binary.BigEndian.Uint16(f.bytes)] = true
				at := binary.BigEndian.Uint32(f.bytes)
				ix.forms[at] = append(ix.forms[at], f)
			}
		}
	}
	return ix
}

// each calls found for every form in content.
func (ix *index) each(content []byte, found func(f form, at int)) {
	for i := 0; i+prefix <= len(content); i++ {
		if !ix.may[uint16(content[i])<<8|uint16(content[i+1])] {
			continue
		}
		for _, f := range ix.forms[binary.BigEndian.Uint32(content[i:])] {
			if len(content)-i >= len(f.bytes) && string(content[i:i+len(f.bytes)]) == string(f.bytes) {
				found(f, i)
			}
		}
	}
}
