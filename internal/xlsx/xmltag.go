package xlsx

import (
	"bytes"
	"unicode/utf8"
)

// tag brings a whole tag into the window and returns it without < and >.
func (s *scanner) tag() ([]byte, error) {
	quote, at := byte(0), 1
	for {
		w := s.buf[s.pos:s.end]
		for ; at < len(w); at++ {
			c := w[at]
			switch {
			case quote != 0:
				if c == quote {
					quote = 0
				}
			case c == '"' || c == '\'':
				quote = c
			case c == '>':
				s.pos += at + 1
				return w[1:at], nil
			case c == '<':
				return nil, s.fail("a tag is not closed.")
			}
		}
		if !s.more() {
			if s.end-s.pos == len(s.buf) {
				return nil, s.fail("a tag is longer than %d bytes.", window)
			}
			if err := s.ended(); err != nil {
				return nil, err
			}
			return nil, s.fail("the XML ends in the middle.")
		}
	}
}

func (s *scanner) endTag() error {
	t, err := s.tag()
	if err != nil {
		return err
	}
	name := bytes.TrimRight(t[1:], " \t\r\n")
	if len(s.marks) == 0 || !bytes.Equal(name, s.names[s.marks[len(s.marks)-1]:]) {
		return s.fail("the end tag %q fits no start.", shown(name))
	}
	s.pop()
	return nil
}

func (s *scanner) pop() {
	for n := len(s.bound); n > 0 && s.bound[n-1].depth == len(s.marks); n-- {
		s.bound = s.bound[:n-1]
	}
	last := len(s.marks) - 1
	s.names = s.names[:s.marks[last]]
	s.marks = s.marks[:last]
	s.cr = false
}

func (s *scanner) startTag() error {
	t, err := s.tag()
	if err != nil {
		return err
	}
	switch {
	case len(s.marks) == 0 && s.rooted:
		return s.fail("the XML has a second root.")
	case len(s.marks) == maxDepth:
		return s.fail("elements are nested deeper than %d.", maxDepth)
	}
	s.rooted, s.cr = true, false
	if len(t) > 0 && t[len(t)-1] == '/' {
		s.closing, t = true, t[:len(t)-1]
	}
	end := 0
	for end < len(t) && !blank(t[end]) {
		end++
	}
	name := t[:end]
	if end == 0 || bytes.ContainsAny(name, "=\"'&/") || !utf8.Valid(name) {
		return s.fail("%q is no tag.", shown(t))
	}
	s.marks = append(s.marks, len(s.names))
	s.names = append(s.names, name...)
	if err := s.attributes(t[end:]); err != nil {
		return err
	}
	var prefix []byte
	prefix, s.local = cutPrefix(name)
	s.space = s.resolve(prefix)
	return nil
}

func blank(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

func cutPrefix(name []byte) (prefix, local []byte) {
	if i := bytes.IndexByte(name, ':'); i >= 0 {
		return name[:i], name[i+1:]
	}
	return nil, name
}

// attributes takes the attributes of a tag apart and notes the namespaces that
// they declare. Values are left as they are written; see value.
func (s *scanner) attributes(t []byte) error {
	s.attrs = s.attrs[:0]
	for {
		before := len(t)
		for len(t) > 0 && blank(t[0]) {
			t = t[1:]
		}
		if len(t) == 0 {
			return nil
		}
		equals := bytes.IndexByte(t, '=')
		if before == len(t) || equals <= 0 || len(s.attrs) == maxAttrs {
			return s.fail("the attributes %q cannot be read.", shown(t))
		}
		name, rest := bytes.TrimRight(t[:equals], " \t\r\n"), bytes.TrimLeft(t[equals+1:], " \t\r\n")
		if len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
			return s.fail("the attribute %q has no value.", shown(name))
		}
		end := bytes.IndexByte(rest[1:], rest[0])
		if end < 0 || len(name) == 0 || bytes.ContainsAny(name, "\"' \t\r\n") {
			return s.fail("the attributes %q cannot be read.", shown(t))
		}
		a := attr{value: rest[1 : end+1]}
		a.prefix, a.local = cutPrefix(name)
		for _, other := range s.attrs {
			if bytes.Equal(a.local, other.local) && bytes.Equal(a.prefix, other.prefix) {
				return s.fail("the attribute %q is given twice.", shown(name))
			}
		}
		s.attrs = append(s.attrs, a)
		switch {
		case len(a.prefix) == 0 && string(a.local) == "xmlns":
			s.bound = append(s.bound, binding{"", namespaces[string(a.value)], len(s.marks)})
		case string(a.prefix) == "xmlns":
			s.bound = append(s.bound, binding{string(a.local), namespaces[string(a.value)], len(s.marks)})
		}
		t = rest[end+2:]
	}
}

func (s *scanner) resolve(prefix []byte) namespace {
	for i := len(s.bound) - 1; i >= 0; i-- {
		if s.bound[i].prefix == string(prefix) {
			return s.bound[i].space
		}
	}
	if len(prefix) == 0 {
		return spaceNone
	}
	return spaceOther
}

// is reports whether the current start tag is that element of the namespace.
func (s *scanner) is(space namespace, local string) bool {
	return s.space == space && string(s.local) == local
}

// attr returns the value of an attribute without a namespace, "" when it is not
// there. The entities in it have been replaced.
func (s *scanner) attr(local string) ([]byte, error) {
	for _, a := range s.attrs {
		if len(a.prefix) == 0 && string(a.local) == local {
			return s.value(a.value)
		}
	}
	return nil, nil
}

// relation returns the value of the attribute r:id, whatever r is called here.
func (s *scanner) relation() ([]byte, error) {
	for _, a := range s.attrs {
		if string(a.local) == "id" && len(a.prefix) > 0 && s.resolve(a.prefix) == spaceRels {
			return s.value(a.value)
		}
	}
	return nil, nil
}

func (s *scanner) value(v []byte) ([]byte, error) {
	if bytes.IndexByte(v, '&') < 0 {
		return v, nil
	}
	out := make([]byte, 0, len(v))
	for len(v) > 0 {
		if v[0] != '&' {
			out, v = append(out, v[0]), v[1:]
			continue
		}
		r, n := entity(v)
		if n == 0 {
			return nil, s.fail("it uses the entity %q, which is not read.", shown(v))
		}
		out, v = utf8.AppendRune(out, r), v[n:]
	}
	return out, nil
}

// skip reads to the end of the element that has just started.
func (s *scanner) skip() error {
	depth := len(s.marks) - 1
	for len(s.marks) > depth {
		if _, err := s.next(); err != nil {
			return err
		}
	}
	return nil
}

// root reads to the start of the root element, which has to be this one.
func (s *scanner) root(space namespace, local string) error {
	if t, err := s.next(); err != nil {
		return err
	} else if t != tokenStart || !s.is(space, local) {
		return s.fail("it is not a %s part.", local)
	}
	return nil
}
