package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/ledger"
	"pricemanager/internal/secret"
	vaults "pricemanager/internal/secret/memory"
	"pricemanager/internal/store/memory"
)

// What a seller kept from before a rotation still proves what it did.
func TestACheckpointFromBeforeARotationIsGoodForSince(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	const name = "pm-local/ledger-signer"
	clk := clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	db, vault := memory.New(clk), &vaults.Vault{}
	if err := vault.Put(ctx, name, secret.New("0123456789abcdef0123456789abcdef")); err != nil {
		t.Fatal(err)
	}
	log := ledger.New(db, envelope.New(memkms.New(rand.Reader), db, clk), clk, rand.Reader).WithSigner(ledger.SignerFrom(vault, name))
	record := func(key string) {
		if err := log.AppendDirect(ctx, owner, key, ledger.Event{Type: ledger.TokenIssued, At: clk.Now(), Target: key}); err != nil {
			t.Fatal(err)
		}
	}
	k := kit{dir: t.TempDir()}
	record("one")
	kept, err := log.Checkpoint(ctx, owner)
	if err != nil {
		t.Fatal(err)
	}
	clk.Advance(24 * time.Hour)
	var out bytes.Buffer
	if err := rotateSigner(ctx, vault, name, clk, &out); err != nil || !strings.Contains(out.String(), "signed until 2026-03-02T13:00:00Z") {
		t.Fatalf("%v\n%s", err, out.String())
	}
	record("two")
	var export bytes.Buffer
	if _, err := log.WriteExport(ctx, owner, &export); err != nil {
		t.Fatal(err)
	}
	signer, err := ledger.SignerFrom(vault, name)(ctx)
	if err != nil {
		t.Fatal(err)
	}
	published, err := json.Marshal(map[string]any{"key": signer.VerifierKey(), "keys": signer.Keys()})
	if err != nil {
		t.Fatal(err)
	}
	file, since, keys := k.file(t, "ledger.jsonl", export.Bytes()), k.file(t, "since.txt", []byte(kept)), k.file(t, "keys.json", published)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--keys", keys, "--since", since}, 0, "GOOD: all 2 entries"},
		{[]string{"--key", signer.VerifierKey(), "--since", since}, 1, "the older checkpoint"},
		{[]string{"--key", signer.VerifierKey(), "--keys", keys}, 2, ""},
		{[]string{"--keys", k.file(t, "empty", nil)}, 2, ""},
	} {
		code, out, errs := pmctl(append([]string{"ledger", "verify", file}, c.args...)...)
		if code != c.code || !strings.Contains(out, c.want) || c.code == 2 && errs == "" {
			t.Errorf("%v: %d %s%s", c.args, code, out, errs)
		}
	}
	if code, _, errs := pmctl("ledger", "rotate-key"); code != 2 || !strings.Contains(errs, "--stage") {
		t.Errorf("%d %s", code, errs)
	}
}
