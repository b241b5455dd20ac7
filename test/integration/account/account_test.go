// Package account_test has people come to the whole product as the README tells them:
// every function a process of its own on the local AWS, deployed from template.yaml,
// every call checked against the role that the template gives, and mail read from the
// mailbox of the local SES.
package account_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"pricemanager/infra/local/stack"
	"pricemanager/internal/clock"
	"pricemanager/internal/ledger"
	"pricemanager/internal/secret"
	"pricemanager/internal/signin/totp"
	"pricemanager/internal/store"
	"pricemanager/internal/store/dynamo"
	"pricemanager/internal/tenant"
)

const (
	annsPhrase = "Vineyard copper-lantern 41"
	bobsPhrase = "Harbour violet-mandolin 77"
)

// product is the running product and its mailbox.
type product struct {
	*stack.Stack
	mails map[string]int // how many of an address were read
}

func start(t *testing.T, parameters ...string) *product {
	t.Helper()
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]string{"LimitAllow": "127.0.0.1"}
	for i := 0; i < len(parameters); i += 2 {
		set[parameters[i]] = parameters[i+1]
	}
	s, err := stack.Up(t.Context(), stack.Options{
		StateDir: filepath.Join(dir, "state"), Log: log, EnforceIAM: true, Speed: 20, Parameters: set,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			text, _ := os.ReadFile(filepath.Join(dir, "log"))
			for line := range strings.Lines(string(text)) {
				if strings.Contains(line, `"cause"`) || strings.Contains(line, "AccessDenied") {
					t.Log(line)
				}
			}
		}
		if err := errors.Join(s.Close(), log.Close()); err != nil {
			t.Error(err)
		}
	})
	return &product{s, map[string]int{}}
}

// ticket is the one in the next mail to the address.
func (p *product) ticket(t *testing.T, to string) string {
	t.Helper()
	form := regexp.MustCompile(`ticket=([A-Za-z0-9_.]+)`)
	for limit := time.Now().Add(20 * time.Second); time.Now().Before(limit); _ = (clock.Real{}).Sleep(t.Context(), 200*time.Millisecond) {
		mails := p.mailbox(t, to)
		for ; p.mails[to] < len(mails); p.mails[to]++ {
			if found := form.FindStringSubmatch(mails[p.mails[to]]); found != nil {
				p.mails[to]++
				return found[1]
			}
		}
	}
	t.Fatalf("no mail with a ticket came to %s", to)
	return ""
}

// mailbox is what the local SES was given for the address, the oldest first.
func (p *product) mailbox(t *testing.T, to string) (bodies []string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, *p.Config().BaseEndpoint+"/_ministack/ses/messages", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var out struct {
		Messages map[string][]struct {
			To   []string
			Body string `json:"BodyText"`
		} `json:"messages"` // by account
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for _, m := range slices.Concat(slices.Collect(maps.Values(out.Messages))...) {
		if len(m.To) == 1 && m.To[0] == to {
			bodies = append(bodies, m.Body)
		}
	}
	return bodies
}

// person is somebody at a browser, or a machine with a key.
type person struct {
	p      *product
	cookie string
	key    string
	totp   secret.Value
	used   int64 // the step of the last code
}

// ask asks the product, and keeps the session's cookie as browsers do.
func (a *person) ask(t *testing.T, want int, method, path string, body any, headers ...string) map[string]any {
	t.Helper()
	var content []byte
	contentType := "application/json"
	switch b := body.(type) {
	case nil:
	case string:
		content, contentType = []byte(b), "text/csv"
	default:
		var err error
		if content, err = json.Marshal(b); err != nil {
			t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), method, a.p.URL+path, bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", "a browser")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	if a.cookie != "" {
		req.AddCookie(&http.Cookie{Name: "__Host-pm-session", Value: a.cookie})
	}
	if a.key != "" {
		req.Header.Set("Authorization", "Bearer "+a.key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != want {
		t.Fatalf("%s %s: %d, want %d: %s", method, path, res.StatusCode, want, text)
	}
	for _, c := range res.Cookies() {
		if c.Name == "__Host-pm-session" {
			a.cookie = c.Value
		}
	}
	out := map[string]any{}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/") {
		if err := json.Unmarshal(text, &out); err != nil {
			t.Fatalf("%s %s: %v: %s", method, path, err, text)
		}
	}
	if tag := res.Header.Get("ETag"); tag != "" {
		out["etag"] = tag
	}
	return out
}

type object map[string]any

// code is a code that was not used yet; codes change every half minute.
func (a *person) code(t *testing.T) string {
	t.Helper()
	for totp.Step(time.Now()) <= a.used {
		if err := (clock.Real{}).Sleep(t.Context(), 200*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	a.used = totp.Step(now)
	code, err := totp.Code(a.totp, now)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// enrol sets up an authenticator.
func (a *person) enrol(t *testing.T, email, password string) []any {
	t.Helper()
	if step := a.ask(t, 200, "POST", "/account/sign-in", object{"email": email, "password": password}); step["needs"] != "enrolment" {
		t.Fatalf("signing in without an authenticator needs %v", step["needs"])
	}
	a.ask(t, 403, "GET", "/members", nil) // nothing but one's own account yet
	shown := a.ask(t, 201, "POST", "/account/authenticator", object{"password": password})
	a.totp = secret.New(shown["secret"].(string))
	codes := a.ask(t, 200, "POST", "/account/authenticator/confirm", object{"code": a.code(t)})
	return codes["recoveryCodes"].([]any)
}

// TestPeopleComeByMailAndStayByTheirCodes is the README's way, from an empty machine.
func TestPeopleComeByMailAndStayByTheirCodes(t *testing.T) {
	p := start(t)
	ann := &person{p: p}
	ann.ask(t, 202, "POST", "/account/sign-up", object{"email": "ann@example.com", "name": "Ann", "company": "Lantern Trading"})
	ticket := p.ticket(t, "ann@example.com")
	joined := ann.ask(t, 201, "POST", "/account/sign-up/confirm", object{"ticket": ticket, "password": annsPhrase})
	ann.ask(t, 410, "POST", "/account/sign-up/confirm", object{"ticket": ticket, "password": annsPhrase})
	recovery := ann.enrol(t, "ann@example.com", annsPhrase)
	if len(recovery) != 10 {
		t.Errorf("%d recovery codes", len(recovery))
	}
	if self := ann.ask(t, 200, "GET", "/account", nil); self["company"] != "Lantern Trading" {
		t.Errorf("signed in as %v", self)
	}

	told := guardsChanged(t, ann) // by a mail that takes a minute: it is looked for at the end

	t.Run("AnInvitedMemberJoinsAndIsHeldToTheirRole", func(t *testing.T) {
		ann.ask(t, 201, "POST", "/invitations", object{"email": "bob@example.com", "name": "Bob", "role": "viewer"})
		bob := &person{p: p}
		j := bob.ask(t, 201, "POST", "/account/invitation", object{"ticket": p.ticket(t, "bob@example.com"), "password": bobsPhrase})
		if j["tenant"] != joined["tenant"] {
			t.Errorf("joined %v", j)
		}
		bob.enrol(t, "bob@example.com", bobsPhrase)
		bob.ask(t, 200, "GET", "/guards", nil)                                 // another function takes the session too
		bob.ask(t, 403, "GET", "/members", nil)                                // a viewer
		bob.ask(t, 403, "POST", "/connections", object{"region": "EU"})        // and here
		ann.ask(t, 201, "POST", "/connections", object{"region": "EU"})        // the owner may, with a code of just now
		got := ann.ask(t, 200, "GET", "/members/"+j["member"].(string), nil)   // what the owner sees
		path := "/members/" + j["member"].(string)                             //
		ann.ask(t, 409, "DELETE", path, nil, "If-Match", `"77"`)               //
		ann.ask(t, 200, "DELETE", path, nil, "If-Match", got["etag"].(string)) // removed:
		bob.ask(t, 401, "GET", "/guards", nil)                                 // out with the next request
		(&person{p: p}).ask(t, 401, "POST", "/account/sign-in", object{"email": "bob@example.com", "password": bobsPhrase})
	})

	t.Run("ARevokedSessionIsOut", func(t *testing.T) {
		phone := &person{p: p, totp: ann.totp, used: ann.used}
		step := phone.ask(t, 200, "POST", "/account/sign-in", object{"email": "ann@example.com", "password": annsPhrase})
		code := phone.code(t)
		phone.ask(t, 200, "POST", "/account/sign-in/code", object{"attempt": step["attempt"], "code": code})
		ann.used = phone.used
		step = phone.ask(t, 200, "POST", "/account/sign-in", object{"email": "ann@example.com", "password": annsPhrase})
		phone.ask(t, 403, "POST", "/account/sign-in/code", object{"attempt": step["attempt"], "code": code}) // a code works once
		ended := 0
		for _, s := range ann.ask(t, 200, "GET", "/account/sessions", nil)["items"].([]any) {
			if s := s.(map[string]any); s["current"] == false {
				ann.ask(t, 200, "DELETE", "/account/sessions/"+s["id"].(string), nil)
				ended++
			}
		}
		if ended != 1 {
			t.Errorf("%d other sessions", ended)
		}
		phone.ask(t, 401, "GET", "/account", nil)
		ann.ask(t, 200, "GET", "/account", nil)
	})

	t.Run("AnAPIKeyUploadsAFileAndEndsWhenRevoked", func(t *testing.T) {
		made := ann.ask(t, 201, "POST", "/keys", object{"name": "ERP", "scopes": []string{"plans:write", "plans:read", "offers:read"}})
		erp := &person{p: p, key: made["key"].(string)}
		erp.ask(t, 201, "POST", "/uploads", object{"file": "prices.csv"})
		erp.ask(t, 403, "GET", "/guards", nil) // a scope that it lacks
		elsewhere := ann.ask(t, 201, "POST", "/keys", object{"name": "office", "scopes": []string{"offers:read"}, "from": []string{"192.0.2.0/24"}})
		(&person{p: p, key: elsewhere["key"].(string)}).ask(t, 401, "GET", "/mappings", nil)
		ann.ask(t, 200, "DELETE", "/keys/"+made["id"].(string), nil)
		erp.ask(t, 401, "POST", "/uploads", object{"file": "prices.csv"})
	})

	t.Run("NobodyReleasesWhatTheirKeyBrought", func(t *testing.T) {
		made := ann.ask(t, 201, "POST", "/keys", object{"name": "ERP", "scopes": []string{"plans:write", "plans:read"}})
		ann.ask(t, 400, "POST", "/keys", object{"name": "second hands", "scopes": []string{"releases:write"}})
		erp := &person{p: p, key: made["key"].(string)}
		path := "/plans/" + erp.ask(t, 201, "POST", "/plans?file=prices.csv&marketplace=DE", "sku,price\nA-1,1.00\n")["id"].(string) + "/releases"
		refused := func(who *person, status int, why string) {
			t.Helper()
			if got := who.ask(t, status, "POST", path, object{}); got["type"] != "/problems/"+why {
				t.Errorf("%v, want %s", got, why)
			}
		}
		refused(erp, 403, "scope")
		refused(ann, 409, "too-early") // alone: a quarter of an hour after the plan was made
		ann.ask(t, 201, "POST", "/invitations", object{"email": "carol@example.com", "name": "Carol", "role": "approver"})
		carol := &person{p: p}
		carol.ask(t, 201, "POST", "/account/invitation", object{"ticket": p.ticket(t, "carol@example.com"), "password": bobsPhrase})
		carol.enrol(t, "carol@example.com", bobsPhrase)
		refused(ann, 403, "plan-own")
		refused(carol, 409, "row-not-held") // she may, and there is nothing to release
	})

	t.Run("AStepUpGivesTheSessionAnotherSecret", func(t *testing.T) {
		before := ann.cookie
		ann.ask(t, 200, "POST", "/account/step-up", object{"password": annsPhrase, "code": ann.code(t)})
		(&person{p: p, cookie: before}).ask(t, 401, "GET", "/account", nil)
	})

	t.Run("ARecoveryCodeTakesTheAuthenticatorAway", func(t *testing.T) {
		lost := &person{p: p}
		step := lost.ask(t, 200, "POST", "/account/sign-in", object{"email": "ann@example.com", "password": annsPhrase})
		lost.ask(t, 200, "POST", "/account/sign-in/code", object{"attempt": step["attempt"], "recoveryCode": recovery[0], "password": annsPhrase})
		lost.ask(t, 403, "GET", "/members", nil)
		ann.ask(t, 401, "GET", "/account", nil) // sessions from before ended
		again := &person{p: p}
		again.enrol(t, "ann@example.com", annsPhrase)
		again.ask(t, 200, "GET", "/members", nil)
	})

	t.Run("AForgottenPasswordIsReplacedByMail", func(t *testing.T) {
		somebody := &person{p: p}
		somebody.ask(t, 202, "POST", "/account/password-reset", object{"email": "ann@example.com"})
		ticket := p.ticket(t, "ann@example.com")
		somebody.ask(t, 200, "POST", "/account/password-reset/confirm", object{"ticket": ticket, "password": bobsPhrase})
		if step := somebody.ask(t, 200, "POST", "/account/sign-in", object{"email": "ann@example.com", "password": bobsPhrase}); step["needs"] != "code" {
			t.Errorf("a new password alone needs %v", step["needs"])
		}
	})

	t.Run("ThePagesLeadThereToo", func(t *testing.T) { byThePages(t, p) })

	t.Run("TheLedgerHasAllOfIt", func(t *testing.T) {
		want := []ledger.Type{
			ledger.TenantCreated, ledger.MemberJoined, ledger.MemberEnrolled, ledger.SessionBegun, ledger.SessionElevated, ledger.InvitationMade,
			ledger.MemberRemoved, ledger.CodeRefused, ledger.SessionEnded, ledger.APIKeyCreated, ledger.APIKeyRevoked, ledger.RecoveryMade,
			ledger.RecoveryUsed, ledger.MemberUnenrolled, ledger.PasswordChanged,
		}
		db := dynamo.New(dynamodb.NewFromConfig(p.Config()), map[store.Table]string{store.Ledger: p.Outputs["LedgerTableName"]})
		log := ledger.New(db, p.Sealer(), clock.Real{}, rand.Reader)
		for limit := time.Now().Add(30 * time.Second); ; _ = (clock.Real{}).Sleep(t.Context(), 300*time.Millisecond) {
			leaves, err := log.Events(t.Context(), tenant.ID(joined["tenant"].(string)), 0, 500)
			if err != nil {
				t.Fatal(err)
			}
			var missing []ledger.Type
			for _, typ := range want {
				if !slices.ContainsFunc(leaves, func(l ledger.Leaf) bool { return bytes.Contains(l.Event, []byte(`"type":"`+typ+`"`)) }) {
					missing = append(missing, typ)
				}
			}
			if len(missing) == 0 {
				break
			}
			if time.Now().After(limit) {
				t.Fatalf("of %d events there is none of %v", len(leaves), missing)
			}
		}
	})

	t.Run("TheOwnerIsMailedOnceWhoChangedTheGuards", told)

	t.Run("TriesThatFailHaveToWait", func(t *testing.T) {
		thief := &person{p: p}
		for range 5 {
			thief.ask(t, 401, "POST", "/account/sign-in", object{"email": "nobody@example.com", "password": annsPhrase})
		}
		thief.ask(t, 429, "POST", "/account/sign-in", object{"email": "nobody@example.com", "password": annsPhrase})
	})
}
