package main

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pricemanager/internal/pages"
	"pricemanager/internal/web"
	"pricemanager/test/browser"
)

// TestTheRecordedAssetIsTheOneThatPagesLoad: its name changes with its content.
func TestTheRecordedAssetIsTheOneThatPagesLoad(t *testing.T) {
	t.Parallel()
	routes, err := pages.Routes()
	if err != nil {
		t.Fatal(err)
	}
	page, err := routes[0].Handler(t.Context(), &web.Request{})
	if err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`/assets/[0-9a-f]+-pages\.css`).FindString(string(page.Body))
	recorded, err := os.ReadFile(filepath.Join("..", "..", "events", "account", "success-asset.json"))
	if err != nil {
		t.Fatal(err)
	}
	if want == "" || !strings.Contains(string(recorded), `"path": "`+want+`"`) {
		t.Errorf("pages load %s: have events/account/success-asset.json ask for it", want)
	}
}

// TestEveryFormAndLinkLeadsSomewhere: what pages ask for is there, and so is where mails lead.
func TestEveryFormAndLinkLeadsSomewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	there := map[string]bool{}
	for _, r := range w.h.router.Routes() {
		there[r.Method+" "+r.Pattern] = true
	}
	ours, err := pages.Routes()
	w.ok(err)
	forms := 0
	for _, r := range ours {
		page, err := r.Handler(t.Context(), &web.Request{Path: r.Pattern})
		if err != nil {
			continue // the route of what pages load
		}
		for _, action := range regexp.MustCompile(`action="([^"]+)" data-form="([A-Za-z]+)"`).FindAllStringSubmatch(string(page.Body), -1) {
			forms++
			if !there["POST "+action[1]] && action[2] != "setRole" {
				t.Errorf("%s: nothing takes the form of %s", r.Pattern, action[1])
			}
		}
	}
	script, err := os.ReadFile(filepath.Join("..", "..", "internal", "pages", "html", "pages.js"))
	w.ok(err)
	calls := regexp.MustCompile("ask\\('([A-Z]+)', ['`]([^'`]+)['`]( \\+ enc)?").FindAllStringSubmatch(string(script), -1)
	for _, call := range calls {
		path := regexp.MustCompile(`\$\{[^}]*\}`).ReplaceAllString(call[2], "{id}")
		if call[3] != "" {
			path += "{id}"
		}
		if !there[call[1]+" "+path] {
			t.Errorf("the script asks for %s %s, which is not there", call[1], path)
		}
	}
	if forms < 15 || len(calls) < 12 {
		t.Errorf("only %d forms and %d calls were found", forms, len(calls))
	}
	letters, err := filepath.Glob(filepath.Join("..", "..", "internal", "account", "*.go"))
	w.ok(err)
	links := 0
	for _, file := range letters {
		text, err := os.ReadFile(file)
		w.ok(err)
		for _, m := range regexp.MustCompile(`(?:base|URL) ?\+ ?"(/[a-z-]*)"|Page += "(/[a-z-]+)"`).FindAllStringSubmatch(string(text), -1) {
			links++
			if to := m[1] + m[2]; !there["GET "+to] {
				t.Errorf("%s: a mail leads to %s, which is not there", file, to)
			}
		}
	}
	if links < 6 {
		t.Errorf("only %d links of mails were found", links)
	}
}

func TestPagesAreTheOnlyAnswersThatMayRunOurScript(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	srv := browser.Serve(t, w.h.router, w.serve)
	for path, script := range map[string]bool{"/sign-in": true, "/me": true, "/account": false, "/assets/nothing.js": false, "/nowhere": false} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.Replace(srv, "localhost", "127.0.0.1", 1)+path, http.NoBody)
		w.ok(err)
		res, err := http.DefaultClient.Do(req)
		w.ok(err)
		res.Body.Close()
		if policy := res.Header.Get("Content-Security-Policy"); strings.Contains(policy, "script-src 'self'") != script || !strings.Contains(policy, "default-src 'none'") {
			t.Errorf("%s: %s", path, policy)
		}
	}
}
