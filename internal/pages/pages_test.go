package pages

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/web"
)

// served are the pages by path, and the assets' route.
func served(t *testing.T) (pages map[string]string, assets web.Handler) {
	t.Helper()
	routes, err := Routes()
	if err != nil {
		t.Fatal(err)
	}
	pages = map[string]string{}
	for _, r := range routes {
		if r.Scope != web.Public || r.Method != http.MethodGet {
			t.Errorf("%s %s with scope %q", r.Method, r.Pattern, r.Scope)
		}
		if strings.Contains(r.Pattern, "{") {
			assets = r.Handler
			continue
		}
		resp, err := r.Handler(t.Context(), &web.Request{Method: r.Method, Path: r.Pattern})
		if err != nil {
			t.Fatal(err)
		}
		pages[r.Pattern] = string(resp.Body)
	}
	if len(pages) != len(all) || assets == nil {
		t.Fatalf("%d pages", len(pages))
	}
	return pages, assets
}

func source(t *testing.T, file string) string {
	t.Helper()
	text, err := files.ReadFile("html/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func found(text, form string) (out []string) {
	for _, m := range regexp.MustCompile(form).FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}

func TestPagesHoldNoScriptNoStyleAndNothingOfOtherSites(t *testing.T) {
	t.Parallel()
	pages, _ := served(t)
	for path, page := range pages {
		for _, forbidden := range []string{
			`(<style)`, `(<script>)`, `<script[^>]*>([^<])`, `(\sstyle=)`, `(\son[a-z]+=)`, `(javascript:)`, `(//[a-z])`, `(<iframe|<object|<embed|<base)`, `(http-equiv)`,
		} {
			if bad := found(page, forbidden); len(bad) > 0 {
				t.Errorf("%s has %q", path, bad)
			}
		}
		if n := strings.Count(page, "<h1"); n < 1 || !strings.HasPrefix(page, "<!doctype html>\n<html lang=\"en\">") || strings.Contains(page, "<no value>") {
			t.Errorf("%s has %d headings", path, n)
		}
	}
	// Nor does the script make any: Trusted Types would stop it, and only where there are any.
	if bad := found(source(t, "pages.js"), `(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|setAttribute\('on|https?:)`); len(bad) > 0 {
		t.Errorf("the script has %q", bad)
	}
}

// A form that is sent without the script sends nothing by its address: no password gets
// into a history or a log.
func TestFormsWithoutTheScriptPutNothingIntoAnAddress(t *testing.T) {
	t.Parallel()
	pages, _ := served(t)
	for path, page := range pages {
		for _, form := range found(page, `<form([^>]*)>`) {
			if form != ` method="dialog"` && !regexp.MustCompile(`^ method="post" action="/[a-z/-]+"( data-form="[A-Za-z]+")?$`).MatchString(form) {
				t.Errorf("%s: <form%s>", path, form)
			}
		}
	}
}

func TestEveryFieldHasALabelAndEveryFormAPlaceForErrors(t *testing.T) {
	t.Parallel()
	pages, _ := served(t)
	for path, page := range pages {
		ids := found(page, `\sid="([^"]+)"`)
		if sorted := slices.Sorted(slices.Values(ids)); len(slices.Compact(sorted)) != len(ids) {
			t.Errorf("%s has an id twice: %v", path, ids)
		}
		for _, field := range found(page, `<(?:input|textarea|select)([^>]*)>`) {
			id := found(field, `\sid="([^"]+)"`)
			if len(id) == 0 {
				if !strings.Contains(page, "<label>New role\n<select"+field) {
					t.Errorf("%s: a field without an id: %s", path, field)
				}
				continue
			}
			if !strings.Contains(page, `<label for="`+id[0]+`">`) {
				t.Errorf("%s: no label for %s", path, id[0])
			}
		}
		for _, of := range slices.Concat(found(page, `for="([^"]+)"`), found(page, `(?:aria-describedby|aria-labelledby|data-shows)="([^"]+)"`)) {
			if !slices.Contains(ids, of) {
				t.Errorf("%s speaks of %s, which is not there", path, of)
			}
		}
		posts := strings.Count(page, `<form method="post"`)
		if n := strings.Count(page, `<p class="error" role="alert"`); n != posts+1 {
			t.Errorf("%s: %d places for errors, %d forms", path, n, posts)
		}
		for _, password := range found(page, `<input([^>]*type="password"[^>]*)>`) {
			if !regexp.MustCompile(`autocomplete="(current|new)-password"`).MatchString(password) {
				t.Errorf("%s: password managers do not know %s", path, password)
			}
		}
	}
}

// What pages name, the script has; what the script looks for, some page has.
func TestTheScriptAndThePagesKnowEachOther(t *testing.T) {
	t.Parallel()
	pages, _ := served(t)
	script := source(t, "pages.js")
	var everything strings.Builder
	for path, page := range pages {
		everything.WriteString(page)
		for _, name := range found(page, `data-(?:form|do)="([^"]+)"`) {
			if !regexp.MustCompile(`(?m)^  ` + name + `: `).MatchString(script) {
				t.Errorf("%s wants %s done, which the script does not know", path, name)
			}
		}
		for _, to := range found(page, `href="(/[^"]*)"`) {
			if _, ok := pages[to]; !ok && !strings.HasPrefix(to, assetsPath) {
				t.Errorf("%s leads to %s, which is not there", path, to)
			}
		}
	}
	text := everything.String()
	for _, to := range found(script, `location\.(?:replace|assign)\('([^']+)'\)`) {
		if _, ok := pages[to]; !ok {
			t.Errorf("the script leads to %s, which is not there", to)
		}
	}
	for _, id := range found(script, `\$\('#([a-z-]+)[' ]`) {
		if !strings.Contains(text, `id="`+id+`"`) {
			t.Errorf("the script looks for #%s, which no page has", id)
		}
	}
	for _, name := range found(script, `step\('([a-z-]+)'`) {
		if !strings.Contains(text, `data-step="`+name+`"`) {
			t.Errorf("the script goes to the step %s, which no page has", name)
		}
	}
}

func TestEveryRoleAndScopeIsSaidInWords(t *testing.T) {
	t.Parallel()
	var named []identity.Role
	for i, r := range roles {
		named = append(named, r.Role)
		if r.Words == "" || r.Least != (i == len(roles)-1) {
			t.Errorf("%+v", r)
		}
	}
	if !slices.Equal(named, identity.MemberRoles()) {
		t.Errorf("roles %v", named)
	}
	for _, s := range scopes() {
		if s.Words == "" {
			t.Errorf("%s has no words", s.Scope)
		}
	}
	if len(scopeWords) != len(identity.Scopes()) {
		t.Error("there are words for a scope that no key can have")
	}
	// What the words of a role say is what the role's table allows.
	for role, can := range map[identity.Role][3]bool{ // members, approvals, sending
		identity.Owner: {true, true, true}, identity.Approver: {false, true, false}, identity.Editor: {false, false, true}, identity.Viewer: {},
	} {
		if got := [3]bool{role.Allows(identity.MembersWrite), role.Allows(identity.ApprovalsWrite), role.Allows(identity.BatchesWrite)}; got != can {
			t.Errorf("%s may %v", role, got)
		}
	}
}

func TestAnAssetIsKeptByANameThatChangesWithIt(t *testing.T) {
	t.Parallel()
	pages, assets := served(t)
	for path, page := range pages {
		names := found(page, `(?:href|src)="(`+assetsPath+`[^"]+)"`)
		if len(names) != 2 {
			t.Fatalf("%s loads %v", path, names)
		}
		for _, name := range names {
			if resp, err := assets(t.Context(), &web.Request{Path: name}); err != nil || len(resp.Body) == 0 {
				t.Errorf("%s loads %s: %v", path, name, err)
			}
		}
	}
	for _, name := range []string{"pages.js", "000000000000-pages.js", "layout.html", "..", ""} {
		if _, err := assets(context.Background(), &web.Request{Path: assetsPath + name}); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestColoursHaveContrast: WCAG 2.2, 1.4.3 and 1.4.11, by its own formula.
func TestColoursHaveContrast(t *testing.T) {
	t.Parallel()
	style := source(t, "pages.css")
	sets := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(style, -1)
	if len(sets) != 2 {
		t.Fatalf("%d sets of colours", len(sets))
	}
	for i, set := range sets {
		colour := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`).FindAllStringSubmatch(set[1], -1) {
			colour[m[1]] = luminance(t, m[2])
		}
		for pair, least := range map[string]float64{
			"ink paper": 4.5, "ink shade": 4.5, "soft paper": 4.5, "soft shade": 4.5, "deed paper": 4.5, "deed shade": 4.5, "on-deed deed": 4.5, "bad paper": 4.5, "line paper": 3,
		} {
			var a, b string
			if _, err := fmt.Sscan(pair, &a, &b); err != nil || colour[a] == 0 && colour[b] == 0 {
				t.Fatalf("%s: %v in %v", pair, err, colour)
			}
			if got := (max(colour[a], colour[b]) + 0.05) / (min(colour[a], colour[b]) + 0.05); got < least {
				t.Errorf("set %d: %s has a contrast of %.2f, want %.1f", i, pair, got, least)
			}
		}
	}
}

func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
