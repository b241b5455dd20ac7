package account

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"pricemanager/internal/fault"
	"pricemanager/internal/secret"
)

var owner = []string{"karla.kolumna@rossmann-trading.example", "Karla Kolumna de la Ró", "Rossmann Trading GmbH"}

func TestPasswordsThatAreTriedFirstAreRefused(t *testing.T) {
	t.Parallel()
	for want, texts := range map[string][]string{
		"too short":        {"", "Vb7#kqLw92x", "Häßlich#1éñ"},
		"too long":         {strings.Repeat("x7#Kq", 26), strings.Repeat("äÖß€ 1", 13) + "xxx"},
		"cannot be typed":  {"Abc-1\x00defghijklm", "Line-1\nbreak in it", "Bad-1 \xff utf-8 here"},
		"begins or ends":   {" Karpfen-im-Teich1", "Karpfen-im-Teich1\u00a0"},
		"needs a capital":  {"vierzig-nasse-elche4", "VIERZIG-NASSE-ELCHE4", "Vierzig-nasse-Elche", "Vierzig4nasse4Elche", "Über4alle4Berge€", "4ALLE-BERGEß-ÜBÄ"},
		"repeats itself":   {"aA1-aA1-aA1-aA1-", "7Kq#L7Kq#L7Kq#", "Qwertyuiop12345!", "1234567890Ab!", "Abcdefghijkl1!", "Aa1!Aa1!Aa1!"},
		"found in a leak":  {"Password1234!", "Justinbieber1!", "P@ssw0rd1234", "P4ssw0rd!!!!", "Liverpool2019!", "2024Sunshine!!", "Password!12345678", "!!!!Football77", "Administrator1?", "L1verp00l-2019", "M0nk3y!!2024"},
		"part of your nam": {"Kolumna-im-Baum7", "Rossmann-Baum-77", "7-Blaue-Trading", "Price-Elefant-77", "Elefant.example7", "7-gmbh-Elefanten", "Elefant7.kaRLA.x"},
	} {
		for _, text := range texts {
			err := CheckPassword(secret.New(text), owner...)
			var f *fault.Fault
			if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Type != "password" || !strings.Contains(f.Public, want) {
				t.Errorf("%q: %v, want %q", text, err, want)
			} else if len(text) > 3 && strings.Contains(err.Error(), text) {
				t.Errorf("%q is quoted", text)
			}
		}
	}
}

func TestShortNamesCountWhereTheyStandAlone(t *testing.T) {
	t.Parallel()
	if CheckPassword(secret.New("Blaue-Tom-Elefanten7"), "tom@x.example", "Tom") == nil {
		t.Error("a name of three letters passed")
	}
	if err := CheckPassword(secret.New("Blaue-Tomaten-Elch7"), "tom@x.example", "Tom"); err != nil {
		t.Error(err)
	}
}

func TestGoodPasswordsPass(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"Vb7#kqLw92xT", "Vierzig nasse Elche, 4", "correct-Horse-battery-zebra7", "おはようございます今日は元気 aB3!", "Internationale Spedition Ost 9.",
		"0f9B1c7d3e5a-", "Wir essen gern 3 x Quittengelee!", "7 passwords are Useful!",
	} {
		if err := CheckPassword(NormalPassword(secret.New(text)), owner...); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAPasswordTypedInPiecesIsTheSame(t *testing.T) {
	t.Parallel()
	composed, pieces := "caf\u00e9 am R\u00e4ngsdorf", "cafe\u0301 am Ra\u0308ngsdorf"
	if a, b := NormalPassword(secret.New(composed)).Reveal(), NormalPassword(secret.New(pieces)).Reveal(); a != b || a != composed {
		t.Fatalf("%q and %q", a, b)
	}
}

func TestWhatPassesIsWithinTheLimits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-zA-Z0-9!@ é]{8,140}`)).Draw(t, "text")
		if err := CheckPassword(secret.New(text), owner...); err != nil {
			return
		}
		if n := utf8.RuneCountInString(text); n < 12 || len(text) > 128 || !utf8.ValidString(text) || strings.TrimSpace(text) != text ||
			!strings.ContainsAny(text, "0123456789") || strings.ToLower(text) == text || strings.ToUpper(text) == text {
			t.Fatalf("%q passed", text)
		}
	})
}

func TestPasswordsOfAManagerPass(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		// Sixteen different characters and one of each kind: as a password manager
		// makes them. Half of the alphabet, so that no row of four comes about.
		text := string(rapid.SliceOfNDistinct(rapid.SampledFrom([]byte("bdfhjlnprtvxzBDFHJLNPRTVXZ2468")), 16, 16, rapid.ID[byte]).Draw(t, "text")) + "-cC3"
		if err := CheckPassword(secret.New(text), owner...); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
	})
}
