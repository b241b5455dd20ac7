package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/ledger"
	"pricemanager/internal/privacy"
	"pricemanager/internal/secret"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

const owner tenant.ID = "t_aaaaaa"

// kit are the files that a seller has.
type kit struct {
	dir, zip, jsonl, since, key, password string
	log                                   *ledger.Log
}

func newKit(t *testing.T) kit {
	t.Helper()
	ctx := context.Background()
	clk := clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	db := memory.New(clk)
	blobs := memory.NewBlobs(clk)
	signer, err := ledger.NewSigner(secret.New("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	sealer := envelope.New(memkms.New(rand.Reader), db, clk)
	log := ledger.New(db, sealer, clk, rand.Reader).
		WithSigner(func(context.Context) (*ledger.Signer, error) { return signer, nil })
	record := func(key string) {
		if err := log.AppendDirect(ctx, owner, key, ledger.Event{Type: ledger.TokenIssued, At: clk.Now(), Target: key, Batch: "bat_1"}); err != nil {
			t.Fatal(err)
		}
	}
	k := kit{dir: t.TempDir(), key: signer.VerifierKey(), log: log}
	record("one")
	since, err := log.Checkpoint(ctx, owner)
	if err != nil {
		t.Fatal(err)
	}
	record("two")
	record("three")
	x := privacy.Exports{DB: db, Blobs: blobs, Objects: blobs, Sealer: sealer, Queue: memory.NewQueue(clk), Ledger: log, Clock: clk, Rand: rand.Reader,
		Spool: func() (privacy.Temp, error) { return os.CreateTemp(k.dir, "spool") }}
	e, err := x.Request(ctx, owner, "key:1", "r", "")
	if err == nil {
		err = x.Run(ctx, owner, e.ID)
	}
	if err == nil {
		e, err = x.Get(ctx, owner, e.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	handed, err := x.Hand(ctx, owner, e, "key:1")
	if err != nil {
		t.Fatal(err)
	}
	_, archive, err := blobs.Follow(handed.URL)
	if err != nil {
		t.Fatal(err)
	}
	var lines bytes.Buffer
	if _, err := log.WriteExport(ctx, owner, &lines); err != nil {
		t.Fatal(err)
	}
	k.zip = k.file(t, "export.zip", archive)
	k.password = k.file(t, "export.password", []byte(handed.Password.Reveal()+"\n"))
	k.jsonl = k.file(t, "ledger.jsonl", lines.Bytes())
	k.since = k.file(t, "checkpoint.txt", []byte(since))
	return k
}

func (k kit) file(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(k.dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func pmctl(args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = run(context.Background(), args, &o, &e)
	return code, o.String(), e.String()
}

func TestLedgerVerifySaysGoodInOneLine(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	for _, args := range [][]string{
		{k.zip, "--password-file", k.password, "--key", k.key, "--since", k.since},
		{"--key=" + k.key, k.jsonl, "--since", k.since},
		{"--since", k.since, k.zip, "--password-file", k.password},
		{k.jsonl},
	} {
		code, out, errs := pmctl(append([]string{"ledger", "verify"}, args...)...)
		if code != 0 || errs != "" || strings.Count(out, "\n") != 1 || !strings.HasPrefix(out, "GOOD: all 3 entries of t_aaaaaa") {
			t.Errorf("%v: %d\n%s%s", args, code, out, errs)
		}
		given := strings.Contains(strings.Join(args, " "), "--key")
		if strings.Contains(out, "compare it with") == given {
			t.Errorf("%v: where the key is from is not said rightly: %s", args, out)
		}
	}
}

func TestLedgerVerifyNamesTheFirstBadEntryAndEndsWithOne(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	whole, err := os.ReadFile(k.jsonl)
	if err != nil {
		t.Fatal(err)
	}
	forged := k.file(t, "forged.jsonl", bytes.Replace(whole, []byte(`"target":"two"`), []byte(`"target":"2wo"`), 1))
	code, out, _ := pmctl("ledger", "verify", forged, "--key", k.key)
	if code != 1 || !strings.HasPrefix(out, "BAD: entry 1 (line 3): ") {
		t.Errorf("%d %s", code, out)
	}
	archive, err := os.ReadFile(k.zip)
	if err != nil {
		t.Fatal(err)
	}
	archive[len(archive)/2] ^= 1
	if code, out, _ := pmctl("ledger", "verify", k.file(t, "broken.zip", archive), "--key", k.key); code != 1 || !strings.HasPrefix(out, "BAD: ") {
		t.Errorf("%d %s", code, out)
	}
	if code, out, _ := pmctl("ledger", "verify", k.jsonl, "--key", "x+"+k.key); code != 1 || !strings.HasPrefix(out, "BAD: ") {
		t.Errorf("another key: %d %s", code, out)
	}
}

func TestWrongUseEndsWithTwo(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	for _, args := range [][]string{
		nil, {"ledger"}, {"ledgerverify"}, {"ledger", "verify"}, {"ledger", "verify", k.zip, k.zip},
		{"ledger", "verify", "--help"}, {"ledger", "verify", "--unknown", k.zip},
		{"ledger", "verify", filepath.Join(k.dir, "missing")}, {"ledger", "verify", k.zip, "--since", filepath.Join(k.dir, "missing")},
	} {
		if code, out, errs := pmctl(args...); code != 2 || out != "" || errs == "" {
			t.Errorf("%v: %d %q %q", args, code, out, errs)
		}
	}
}
