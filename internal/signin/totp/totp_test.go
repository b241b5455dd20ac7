package totp

import (
	"encoding/base32"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pricemanager/internal/secret"
)

// The key of both RFCs' tables for SHA-1.
const rfcKey = "12345678901234567890"

// TestHOTPVectors: RFC 4226 appendix D.
func TestHOTPVectors(t *testing.T) {
	t.Parallel()
	for counter, want := range []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"} {
		if got := hotp([]byte(rfcKey), int64(counter), 6); got != want {
			t.Errorf("counter %d: %s, want %s", counter, got, want)
		}
	}
}

// TestTOTPVectors: RFC 6238 appendix B, the rows for SHA-1, and their last six digits.
func TestTOTPVectors(t *testing.T) {
	t.Parallel()
	for at, want := range map[int64]string{
		59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924", 2000000000: "69279037", 20000000000: "65353130",
	} {
		if got := hotp([]byte(rfcKey), Step(time.Unix(at, 0)), 8); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
		got, err := Code(Encode([]byte(rfcKey)), time.Unix(at, 0))
		if err != nil || got != want[2:] {
			t.Errorf("at %d: %s, %v; want %s", at, got, err, want[2:])
		}
	}
}

func TestACodeIsTakenOneStepEarlyOrLateAndNoMore(t *testing.T) {
	t.Parallel()
	key := Encode([]byte(rfcKey))
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(100, 1<<33).Draw(t, "at"), 0)
		off := rapid.Int64Range(-4, 4).Draw(t, "off")
		code, err := Code(key, at.Add(time.Duration(off)*Period))
		if err != nil {
			t.Fatal(err)
		}
		step, ok := Match(key, code, at)
		if near := off >= -1 && off <= 1; ok != near && (!ok || !coincides(key, code, at)) {
			t.Fatalf("%d steps off: %v", off, ok)
		}
		if !ok {
			return
		}
		if back, _ := Code(key, time.Unix(step*int64(Period/time.Second), 0)); back != code || step < Step(at)-1 || step > Step(at)+1 {
			t.Fatalf("step %d at step %d, whose code is %s", step, Step(at), back)
		}
	})
}

// coincides: of a million codes two in a row are the same now and then.
func coincides(key secret.Value, code string, at time.Time) bool {
	for off := -1; off <= 1; off++ {
		if c, _ := Code(key, at.Add(time.Duration(off)*Period)); c == code {
			return true
		}
	}
	return false
}

func TestSecretsAreReadAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	want, err := Code(Encode([]byte(rfcKey)), time.Unix(59, 0))
	if err != nil {
		t.Fatal(err)
	}
	text := Encode([]byte(rfcKey)).Reveal()
	for _, as := range []string{strings.ToLower(text), " " + text[:4] + " " + text[4:] + "\n", text[:8] + "-" + text[8:], text + "===="} {
		if got, err := Code(secret.New(as), time.Unix(59, 0)); err != nil || got != want {
			t.Errorf("%q: %s, %v", as, got, err)
		}
	}
	for _, bad := range []string{"", "====", "0189", "GEZDGNBVGY3TQOJ!", "ä"} {
		if _, err := Code(secret.New(bad), time.Unix(59, 0)); !errors.Is(err, ErrSecret) || bad != "" && strings.Contains(fmt.Sprint(err), bad) {
			t.Errorf("%q: %v", bad, err)
		}
		if _, ok := Match(secret.New(bad), want, time.Unix(59, 0)); ok {
			t.Errorf("%q has a code", bad)
		}
	}
}

func TestOnlySixDigitsAreACode(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"123456": true, "000000": true, "": false, "12345": false, "1234567": false, "12345a": false, " 12345": false, "+12345": false, "١٢٣": false} {
		if WellFormed(text) != want {
			t.Errorf("%q", text)
		}
	}
}

func TestTheURIIsReadBack(t *testing.T) {
	t.Parallel()
	key := Encode([]byte(rfcKey))
	u, err := url.Parse(URI("Price Manager", "karla+eu@example.com", key).Reveal())
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/Price Manager:karla+eu@example.com" ||
		q.Get("secret") != key.Reveal() || q.Get("issuer") != "Price Manager" || q.Get("digits") != "6" || q.Get("period") != "30" || q.Get("algorithm") != "SHA1" {
		t.Errorf("%s", u)
	}
	if strings.Contains(u.String(), "issuer=Price+Manager") {
		t.Error("authenticators show the + of a form")
	}
}

func FuzzAnySecretIsReadOrRefused(f *testing.F) {
	f.Add(base32.StdEncoding.EncodeToString([]byte(rfcKey)), int64(59))
	f.Add("a b-c=", int64(-1))
	f.Fuzz(func(t *testing.T, text string, at int64) {
		code, err := Code(secret.New(text), time.Unix(at, 0))
		if err == nil != WellFormed(code) {
			t.Fatalf("%q: %q, %v", text, code, err)
		}
	})
}
