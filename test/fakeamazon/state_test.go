package fakeamazon_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/test/fakeamazon"
)

// restart closes the fake and opens another on the same state file.
func (w *world) restart() {
	w.t.Helper()
	w.must(w.fake.Close())
	w.open()
}

func TestEverythingSurvivesARestart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state.json")
	w := newWorld(t, func(c *fakeamazon.Config) { c.StateFile = file })
	w.must(w.fake.AddListings(price.EU, alice, []fakeamazon.Listing{{Marketplace: de, SKU: "A/ü", Price: "0.10", B2B: "0.09", Tiers: []fakeamazon.Tier{{From: 2, Price: "0.08"}}, Automated: true,
		Sale: &fakeamazon.Sale{Price: "0.07", Start: "2026-11-23", End: "2026-11-24"}}}))
	before := w.listing(de, "A/ü")
	refresh, err := w.fake.Authorize(price.EU, alice)
	w.must(err)
	code := w.code(consentURL()).Get("spapi_oauth_code")
	w.patch("S1", de, ourPrice("24.90")) // accepted, not yet visible
	report := w.createReport()
	first := w.fake.Requests(fakeamazon.Query{Op: "patchListingsItem"})[0].SubmissionID

	w.restart()

	if d := cmp.Diff(before, w.listing(de, "A/ü")); d != "" {
		t.Error(d)
	}
	if l := w.listing(de, "S1"); l.Price != "19.99" {
		t.Errorf("the pending price shows at once: %s", l.Price)
	}
	w.clock.Advance(time.Minute)
	if l := w.listing(de, "S1"); l.Price != "24.90" || l.Min != "10" {
		t.Errorf("the pending price is lost: %+v", l)
	}
	if got := w.call("GET", itemPath("S1")+"?marketplaceIds="+string(de), ""); got.Code != 200 {
		t.Errorf("the access token is lost: %d %s", got.Code, got.Body)
	}
	if status, got := w.grant("grant_type", "refresh_token", "refresh_token", refresh.Reveal()); status != 200 {
		t.Errorf("the refresh token is lost: %v", got)
	}
	if status, got := w.grant("grant_type", "authorization_code", "code", code, "redirect_uri", back); status != 200 {
		t.Errorf("the code is lost: %v", got)
	}
	if got := w.report(report)["processingStatus"]; got != "DONE" {
		t.Errorf("the report: %v", got)
	}
	// The change that took effect before is known: repeating it is noticed.
	w.accepted("S1", de, ourPrice("24.90"))
	w.clean("double-effect")
	if again := w.fake.Requests(fakeamazon.Query{Op: "patchListingsItem"})[0].SubmissionID; again == first {
		t.Error("a submission id came twice")
	}
}

func TestStateIsWrittenWithinASecondOfAnEffect(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state.json")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *fakeamazon.Config) { c.StateFile = file })
		onDisk := func(text string) bool {
			synctest.Wait()
			w.clock.Advance(time.Second)
			synctest.Wait()
			raw, err := os.ReadFile(file)
			return err == nil && strings.Contains(string(raw), text)
		}
		if !onDisk(alice) {
			t.Error("the seller is not in the file after a second")
		}
		w.patch("S1", de, ourPrice("24.90"))
		if !onDisk("24.90") {
			t.Error("the accepted price is not in the file after a second")
		}
	})
}

func TestStateFileHoldsNoTokenAndNoSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "state.json")
	w := newWorld(t, func(c *fakeamazon.Config) { c.StateFile = file })
	refresh, err := w.fake.Authorize(price.EU, alice)
	w.must(err)
	w.fake.RotateSecret(secret.New("the-next-secret"))
	w.must(w.fake.Close())
	raw, err := os.ReadFile(file)
	w.must(err)
	for _, s := range []string{w.token, refresh.Reveal(), hidden, "the-next-secret", "Atza", "Atzr"} {
		if strings.Contains(string(raw), s) {
			t.Errorf("the state file holds %q", s)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v %v", entries, err)
	}
	w.open()
	if status, _ := w.grant("grant_type", "refresh_token", "refresh_token", refresh.Reveal(), "client_secret", "the-next-secret"); status != 200 {
		t.Error("the rotated secret is lost")
	}
}

func TestBrokenStateFileIsRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state.json")
	w := newWorld(t)
	for _, content := range []string{"{", `{"version":99}`} {
		w.must(os.WriteFile(file, []byte(content), 0o600))
		w.cfg.StateFile = file
		if _, err := fakeamazon.New(w.cfg); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", content, err)
		}
	}
}
