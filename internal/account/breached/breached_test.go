package breached

import (
	"strings"
	"testing"
)

func TestTheListIsSortedAndWhole(t *testing.T) {
	t.Parallel()
	if len(list)%width != 0 || len(list)/width < 70_000 {
		t.Fatalf("%d bytes", len(list))
	}
	for i := width; i < len(list); i += width {
		if list[i-width:i] >= list[i:i+width] {
			t.Fatalf("entry %d is not after the one before it", i/width)
		}
	}
}

func TestLeakedPasswordsAreKnownInAnyCase(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"password1234", "1q2w3e4r5t6y", "Qwerty123456", "JUSTINBIEBER", "administrator", "password", "monkey", "whateverthecleric"} {
		if !Has(s) {
			t.Errorf("%s is not known", s)
		}
	}
	for _, s := range []string{"", "correct horse staple", "Vb7#kqLw92xT", "vierzig nasse Elche", strings.Repeat("x", 1000)} {
		if Has(s) {
			t.Errorf("%s is known", s)
		}
	}
}
