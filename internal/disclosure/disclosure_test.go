package disclosure

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var config = Config{URL: "https://api.example.com", Contact: "mailto:security@example.com", Key: "openpgp4fpr:5f2de5521c63a801ab59ccb603d49de44b29100f"}

var now = time.Date(2026, 11, 22, 23, 59, 59, 0, time.FixedZone("", -3600))

// fields reads security.txt; each field may occur once here.
func fields(t interface{ Fatalf(string, ...any) }, text string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(line, ": ")
		if !ok || all[name] != "" || !strings.HasSuffix(value, "\n") {
			t.Fatalf("line %q of %s", line, text)
		}
		all[name] = strings.TrimSpace(value)
	}
	return all
}

func TestSecurityTxtSaysWhatIsConfigured(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"Contact": config.Contact, "Encryption": config.Key, "Preferred-Languages": "en",
		"Expires":         "2027-05-22T00:00:00Z",
		"Canonical":       "https://api.example.com/.well-known/security.txt",
		"Policy":          "https://api.example.com/security/policy",
		"Acknowledgments": "https://api.example.com/security/acknowledgments",
	}
	if d := cmp.Diff(want, fields(t, config.Text(now))); d != "" {
		t.Error(d)
	}
}

// TestNoFieldHasAnAddressThatRFC9116Forbids: a local stack has no https address, and
// an operator need not have a key.
func TestNoFieldHasAnAddressThatRFC9116Forbids(t *testing.T) {
	t.Parallel()
	c := Config{URL: "http://localhost:8080", Contact: "https://example.com/report"}
	got := slices.Sorted(maps.Keys(fields(t, c.Text(now))))
	if d := cmp.Diff([]string{"Contact", "Expires", "Preferred-Languages"}, got); d != "" {
		t.Error(d)
	}
}

func TestSecurityTxtIsNeverExpiredNorValidForAYear(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(1_700_000_000, 7_000_000_000).Draw(t, "second"), 0)
		expires, err := time.Parse(time.RFC3339, fields(t, config.Text(at))["Expires"])
		if err != nil || expires.Before(at.AddDate(0, 0, 90)) || !expires.Before(at.AddDate(1, 0, 0)) {
			t.Fatalf("at %s it is valid until %s, %v", at, expires, err)
		}
	})
}

func TestAConfigurationThatReachesNobodyIsRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"no contact":            func(c *Config) { c.Contact = "" },
		"a bare address":        func(c *Config) { c.Contact = "security@example.com" },
		"nobody":                func(c *Config) { c.Contact = "mailto:" },
		"plain HTTP":            func(c *Config) { c.Contact = "http://example.com/report" },
		"two lines":             func(c *Config) { c.Contact = "mailto:a@example.com\nContact: mailto:b@example.net" },
		"a script":              func(c *Config) { c.Contact = "javascript:alert(1)" },
		"a key as itself":       func(c *Config) { c.Key = "-----BEGIN PGP PUBLIC KEY BLOCK-----" },
		"a key in plain HTTP":   func(c *Config) { c.Key = "http://example.com/key.asc" },
		"no public address":     func(c *Config) { c.URL = "" },
		"a public address with": func(c *Config) { c.URL = "https://api.example.com/" },
	} {
		c := config
		change(&c)
		if c.Validate() == nil {
			t.Errorf("%s was taken", name)
		}
	}
	for _, contact := range []string{"mailto:security@example.com", "tel:+1-201-555-0123", "https://example.com/report"} {
		c := config
		c.Contact, c.Key = contact, ""
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", contact, err)
		}
	}
}

func TestThePolicySaysWhereToWriteAndHowToHideIt(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{config.Key: config.Key, "": "ask there for a key"} {
		c := config
		c.Key = key
		page, err := c.Policy()
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{want, `<a href="mailto:security@example.com">security@example.com</a>`, FindersPath} {
			if !strings.Contains(string(page), text) {
				t.Errorf("key %q: the policy lacks %q:\n%s", key, text, page)
			}
		}
	}
}

func TestFindersAreThankedByTheNameTheyGave(t *testing.T) {
	t.Parallel()
	if _, err := config.Finders(); err != nil {
		t.Errorf("finders.txt: %v", err)
	}
	all, err := parseFinders("2026-11\tAnn <b>Finder</b>\n\n2026-10\tBob\n")
	if err != nil || !slices.Equal(all, []finder{{"2026-11", "Ann <b>Finder</b>"}, {"2026-10", "Bob"}}) {
		t.Errorf("read %v, %v", all, err)
	}
	got, err := page(findersPage, struct {
		Policy string
		All    []finder
	}{PolicyPath, all})
	if err != nil || !strings.Contains(string(got), "<li>Ann &lt;b&gt;Finder&lt;/b&gt; (2026-11)</li>") {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := parseFinders("Ann"); err == nil {
		t.Error("a line without a month was taken")
	}
}
