package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The figures come from the log alone, so that it has to be read right, in
// whatever pieces it is written.
func TestTheJournalTellsRunsAndThoseThatWereCutOff(t *testing.T) {
	t.Parallel()
	log := strings.Join([]string{
		`2026-11-22 12:00:00,001 INFO aiohttp.access 127.0.0.1 "POST / HTTP/1.1" 200 686 "-" "Go"`,
		`{"time":"2026-11-22T12:00:01Z","level":"INFO","msg":"plan worked on","service":"price-plan","plan":"plan_a","done":false,"took":271500000000}`,
		`  {"time":"2026-11-22T12:00:02Z","level":"INFO","msg":"plan worked on","service":"price-plan","plan":"plan_a","done":true,"took":1200000000}`,
		`{"DriveTime":50040,"PricesSent":0,"_aws":{},"kind":"apply","service":"price-sync","stage":"local"}`,
		`{"DriveTime":99,"PricesSent":5,"_aws":{},"kind":"lane","service":"price-sync","stage":"local"}`,
		`{"msg":"plan worked on", cut`,
		``,
	}, "\n")
	path := filepath.Join(t.TempDir(), "log")
	j, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range log {
		if _, err := j.Write([]byte(log[i : i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if n, longest := j.of("plan"); n != 2 || longest != 271.5 {
		t.Errorf("%d runs planned, the longest %g s; want 2 and 271.5", n, longest)
	}
	if n, longest := j.of("apply"); n != 1 || longest != 50 {
		t.Errorf("%d runs applied, the longest %g s; want 1 and 50", n, longest)
	}
	if err := j.inTime(); err != nil {
		t.Errorf("nothing was cut off: %v", err)
	}
	if _, err := j.Write([]byte("2026-11-22 12:05:00 WARNING [lambda] Lambda pm-local-price-plan: Task timed out after 300.00 seconds\n")); err != nil {
		t.Fatal(err)
	}
	if err := j.inTime(); err == nil || !strings.Contains(err.Error(), "pm-local-price-plan") {
		t.Errorf("a run that was cut off: %v", err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(text), "aiohttp.access") || !strings.Contains(string(text), "plan_a") {
		t.Errorf("%v, kept: %s", err, text)
	}
}
