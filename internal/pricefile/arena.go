package pricefile

import "strings"

// arenaBytes is how much text is allocated at a time: some hundred SKUs. Who
// keeps one of them keeps all.
const arenaBytes = 8 << 10

// arena turns bytes into strings, many in one allocation.
type arena struct{ text strings.Builder }

func (a *arena) string(b []byte) string {
	if a.text.Cap()-a.text.Len() < len(b) {
		a.text = strings.Builder{}
		a.text.Grow(max(arenaBytes, len(b)))
	}
	from := a.text.Len()
	a.text.Write(b) // never grows: what was given out stays as it is
	return a.text.String()[from:]
}
