package account

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"pricemanager/internal/account/breached"
	"pricemanager/internal/fault"
	"pricemanager/internal/secret"
)

// What a password has: length, kinds and nothing of a name come from Amazon's Data
// Protection Policy (1.4), which binds whoever shows sellers their data; the user pool
// asks for length and kinds again. The rest is what attackers try first.
const (
	minPassword = 12  // characters
	maxPassword = 128 // bytes; Cognito takes 256 characters
	// minAround is how many characters have to be around a word that is in every
	// list of passwords.
	minAround = 8
	// minDistinct is how many different characters there are at least.
	minDistinct = 5
	// signs are those that Cognito counts.
	signs = "^$*.[]{}()?-\"!@#%&/\\,><':;|_~`+="
)

// NormalPassword is the form in which a password goes to the provider, always: one
// that was typed on another keyboard or system is the same one (Unicode NFC).
func NormalPassword(p secret.Value) secret.Value { return secret.New(norm.NFC.String(p.Reveal())) }

// CheckPassword refuses a password that must not be chosen, in words that say what to
// do. It wants the normal form; about is what is known about its owner (address, name,
// company). The error is a fault.Invalid and quotes nothing of the password.
func CheckPassword(p secret.Value, about ...string) error {
	text := p.Reveal()
	lower := strings.ToLower(text)
	switch {
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		return weak("The password has characters that cannot be typed. Leave them out.")
	case utf8.RuneCountInString(text) < minPassword:
		return weak("The password is too short. Take at least %d characters; a few words in a row are easy to remember.", minPassword)
	case len(text) > maxPassword:
		return weak("The password is too long: at most %d bytes, which is %d letters without accents.", maxPassword, maxPassword)
	case strings.TrimSpace(text) != text:
		return weak("The password begins or ends with a space. Spaces are fine in between.")
	case !mixed(text):
		return weak("The password needs a capital letter, a small one, a digit and a sign such as %s", "- . ! ? # %")
	case distinct(lower) < minDistinct || repeated(lower) || row(lower):
		return weak("The password repeats itself or is a row of neighbours, which is tried first. Choose one with more different characters.")
	case known(lower):
		return weak("This password, or one that is almost the same, was found in a leak, so it is tried first. Choose another one; a few unusual words in a row are good.")
	case names(lower, about):
		return weak("The password has a part of your name, your address or your company's name in it, or ours. Leave it out.")
	}
	return nil
}

func weak(text string, args ...any) error {
	return fault.New(fault.Invalid, "password", text, args...)
}

// mixed reports whether s has one of each kind, as Cognito counts them.
func mixed(s string) bool {
	has := func(lo, hi rune) bool {
		return strings.ContainsFunc(s, func(r rune) bool { return lo <= r && r <= hi })
	}
	return has('a', 'z') && has('A', 'Z') && has('0', '9') && strings.ContainsAny(s, signs)
}

func distinct(s string) int {
	seen := map[rune]bool{}
	for _, r := range s {
		seen[r] = true
	}
	return len(seen)
}

// repeated reports whether s is one piece said at least twice, the last time perhaps
// not to its end.
func repeated(s string) bool {
	r := []rune(s)
	for n := 1; n <= len(r)/2; n++ {
		same := true
		for i := n; i < len(r) && same; i++ {
			same = r[i] == r[i-n]
		}
		if same {
			return true
		}
	}
	return false
}

// rows are neighbours: in the alphabet, in counting, on keyboards.
var rows = []string{"abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "zxcvbnm"}

// row reports whether s is little else than pieces of rows, forwards or backwards,
// each of four characters or more.
func row(s string) bool {
	rest := s
	for _, line := range rows {
		for _, line := range []string{line, reverse(line)} {
			for n := len(line); n >= 4; n-- {
				for i := 0; i+n <= len(line); i++ {
					rest = strings.ReplaceAll(rest, line[i:i+n], "\x00")
				}
			}
		}
	}
	return rest != s && utf8.RuneCountInString(strings.ReplaceAll(rest, "\x00", "")) < minPassword/2
}

func reverse(s string) string {
	b := []byte(s)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

// known reports whether s was found in a leak, or is such a word with little around
// it: digits and signs at its ends, fewer than minAround, or digits that are in the list too.
func known(s string) bool {
	if leaked(s) {
		return true
	}
	stem := strings.TrimFunc(s, func(r rune) bool { return !unicode.IsLetter(r) })
	if stem == s || utf8.RuneCountInString(stem) < 4 || !leaked(stem) {
		return false
	}
	front, back, _ := strings.Cut(s, stem)
	count := strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return r
		}
		return -1
	}, front+back)
	return utf8.RuneCountInString(front+back) < minAround || breached.Has(count)
}

// leaked reports whether s is in the list, as it is or with digits and signs taken
// back to the letters that they stand for.
func leaked(s string) bool { return breached.Has(s) || breached.Has(leet.Replace(s)) }

var leet = strings.NewReplacer("@", "a", "4", "a", "3", "e", "1", "i", "!", "i", "0", "o", "$", "s", "5", "s", "7", "t")

// names reports whether a word of about, or our own name, is in s: one of four letters
// anywhere, one of three between other characters.
func names(s string, about []string) bool {
	pieces := words(s)
	for _, text := range append([]string{"pricemanager price manager amazon"}, about...) {
		for _, w := range words(norm.NFC.String(strings.ToLower(text))) {
			n := utf8.RuneCountInString(w)
			if n >= 4 && strings.Contains(s, w) || n == 3 && slices.Contains(pieces, w) {
				return true
			}
		}
	}
	return false
}

func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) })
}
