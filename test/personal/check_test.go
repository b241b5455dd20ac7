package personal

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pricemanager/infra/local/localaws"
)

// allowed are the findings that stay, by rule and place, with the reason: how the
// value is kept out of the stores, or why it may be in one.
var allowed = map[string]string{
	"field internal/fetch.Client.Local":   "addresses of stand-ins for other people's servers, a setting of the local stack",
	"field internal/limit.Limits.allow":   "a setting: addresses that may ask more often",
	"field internal/web.Request.SourceIP": "in memory while a request is served, for limits and sealed ledger events",

	"field functions/account.config.MailFrom": "our own address",

	"reveal functions/account.shown.MarshalJSON":     "to whom it is about, or to members of the same company",
	"reveal functions/account.showKey":               "taken apart, and shown to the company's owners",
	"reveal functions/account.handler.makeKey":       "on the way into the sealer",
	"reveal internal/account.same":                   "compared",
	"reveal internal/account.clean":                  "made of one form, and wrapped again",
	"reveal internal/account.cleanName":              "made of one form, and wrapped again",
	"reveal internal/account.acceptable":             "passwords are not made of it",
	"reveal internal/account.invited":                "into a mail, to whom the company asked to join",
	"reveal internal/account.invitedElsewhere":       "into a mail, to whom the company asked to join",
	"reveal internal/account.GuardMails.who":         "into a mail, to owners of the same company",
	"reveal internal/account.Service.locate":         "into a keyed hash",
	"reveal internal/account.Service.Accept":         "whether there is one",
	"reveal internal/account.Service.CompleteSignUp": "on the way into the sealer",
	"reveal internal/account.Service.Enrol":          "into the name of an authenticator, shown to its owner",
	"reveal internal/account.Service.ListSessions":   "taken apart, and wrapped again",
	"reveal internal/identity.Tenants.Change":        "made of one form, and wrapped again",
	"seal internal/account.Service.draw":             "the provider's challenge, in personal.Places",

	"reveal internal/personal.Seal":             "on the way into the sealer",
	"reveal internal/identity.Members.Join":     "into the keyed hash by which an address is found",
	"reveal internal/identity.Members.SetEmail": "into the keyed hash by which an address is found",

	"attribute internal/identity.Members.Join[mail]":              "that keyed hash, under a key that stays in KMS",
	"attribute internal/identity.Members.SetEmail[mail]":          "that keyed hash, under a key that stays in KMS",
	"attribute internal/identity.Members.SetEmail[mailChangedBy]": "the opaque id of a member",
	"reveal internal/ledger.Pump.locate":                          "into the ledger, where all of an event is sealed",
	"reveal internal/mail/ses.Sender.Send":                        "into a mail to whom it is about",
	"field functions/gdpr-export.memberRow.Email":                 "in the archive alone, which is locked",
	"reveal functions/gdpr-export.companyFile.export":             "into the export of the company whose name it is",
	"reveal functions/gdpr-export.memberList.export":              "into the export of the company whose members they are, or their own",
	"reveal functions/gdpr-export.apiKeys.export":                 "into the export of the company whose keys they are",

	"seal internal/personal.Seal":          "the way of declared fields",
	"seal internal/privacy.Exports.make":   "passwords of archives, in personal.Places",
	"seal internal/pull.Store.kept":        "where price files are, in personal.Places",
	"seal internal/connect.Shared.keep":    "access tokens, in personal.Places",
	"seal internal/envelope.Sealer.Reseal": "what was sealed before",
	"seal internal/ledger.Log.build":       "ledger.events and seen, both in personal.Places",
	"seal internal/ledger.Log.erased":      "nothing is stored: it asks whether the tenant's keys are gone",
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := localaws.ProjectRoot()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestNoPersonalValueReachesAStoreInClear(t *testing.T) {
	t.Parallel()
	found, err := Check(root(t), "./internal/...", "./functions/...")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, f := range found {
		id := f.Rule + " " + f.Where
		if allowed[id] == "" {
			t.Error(f)
		}
		used[id] = true
	}
	for id := range allowed {
		if !used[id] {
			t.Errorf("%s is allowed and not there any more: take it off the list", id)
		}
	}
}

// TestEveryWayIntoAStoreIsFound: the rules see what they are there for, and
// nothing else, in a package that breaks them all.
func TestEveryWayIntoAStoreIsFound(t *testing.T) {
	t.Parallel()
	dir := root(t)
	found, err := Check(dir, "./test/personal/testdata/leaky")
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, f := range found {
		got = append(got, fmt.Sprintf("line %d: %s", f.At.Line, f.Rule))
	}
	src, err := os.Open(filepath.Join(dir, "test/personal/testdata/leaky/leaky.go"))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	for n, lines := 1, bufio.NewScanner(src); lines.Scan(); n++ {
		if _, rules, ok := strings.Cut(lines.Text(), "// want "); ok {
			for _, rule := range strings.Fields(rules) {
				want = append(want, fmt.Sprintf("line %d: %s", n, rule))
			}
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestNamesAreReadByTheirWords(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"email": true, "EMail": true, "BuyerEmail": true, "buyer_email": true, "sourceIp": true, "SourceIP": true, "IPBlock": true,
		"ship": false, "zip": false, "zipCode": true, "Tip": false, "recipe": false, "Recipients": false, "street1": false,
		"Street": true, "memberName": true, "name": false, "firstName": true, "x-forwarded-ip": true,
	} {
		if got := personalName(name); got != want {
			t.Errorf("%q: %t, want %t", name, got, want)
		}
	}
}
