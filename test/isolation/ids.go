package isolation

import (
	"fmt"
	"regexp"
	"strings"
)

// ids are what is random in names: long enough that nobody guesses one, and longer
// than any word of an answer.
// So is the port of a server of the test's own.
var ids = regexp.MustCompile(`[A-Za-z0-9]{15,}|127\.0\.0\.1:[0-9]+`)

const alphabet = "abcdefghijklmnopqrstuvwxyz234567" // base32, as ids are written

// another returns the text with every id in it turned into one that nobody has, of the
// same length and letters, and how many there were.
func another(text string) (string, int) {
	n := 0
	out := ids.ReplaceAllStringFunc(text, func(id string) string {
		if strings.Trim(id, "0123456789") == "" { // a running number
			n++
			return strings.Map(func(r rune) rune { return '9' - r + '0' }, id)
		}
		if strings.Trim(id, alphabet) != "" {
			return id // a name that has a meaning, such as a marketplace's
		}
		n++
		// The first letter may tell the kind. Steps of four keep an id valid whose last
		// letter has less than five bits.
		return id[:1] + strings.Map(func(r rune) rune { return rune(alphabet[(strings.IndexRune(alphabet, r)+4)%len(alphabet)]) }, id[1:])
	})
	return out, n
}

// anonymous numbers the ids in a text in the order in which they come: two texts are
// then equal if they differ in what is random alone.
func anonymous(text string) string {
	numbers := map[string]string{}
	return ids.ReplaceAllStringFunc(text, func(id string) string {
		if numbers[id] == "" {
			numbers[id] = fmt.Sprintf("#%d", len(numbers)+1)
		}
		return numbers[id]
	})
}
