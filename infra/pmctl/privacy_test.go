package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/ledger"
	"pricemanager/internal/privacy"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

func TestReplayDeletesWhatHasATombstoneAndSaysHowMuch(t *testing.T) {
	t.Parallel()
	ctx, clk := context.Background(), clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	db, blobs := memory.New(clk), memory.NewBlobs(clk)
	const gone, alive tenant.ID = "t_aaaaaa", "t_aaaaaaa"
	for _, id := range []tenant.ID{gone, alive} {
		if err := db.Put(ctx, id, store.Offers, store.Item{Key: store.Key{PK: "stop", SK: "tenant"}}); err != nil {
			t.Fatal(err)
		}
		if err := db.Put(ctx, id, store.Identity, store.Item{Key: store.Key{PK: "tenant", SK: "tenant"}}); err != nil {
			t.Fatal(err)
		}
	}
	tombstone := `{"tenant":"t_aaaaaa","erasure":"era_x","startedAt":"2026-02-01T00:00:00Z","erasedAt":"2026-02-01T03:00:00Z"}`
	if err := blobs.Put(ctx, store.Directory, store.Archive, "tombstones/t_aaaaaa.json", "application/json", []byte(tombstone)); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := replay(ctx, db, db, blobs, &out); err != nil || !strings.Contains(out.String(), "t_aaaaaa: 2 items") || !strings.Contains(out.String(), "1 tombstones replayed, 2 items") {
		t.Errorf("%v: %s", err, &out)
	}
	left := 0
	doors := privacy.Doors{DB: db}.Open(gone)
	db.Each(func(owner tenant.ID, table store.Table, it store.Item) bool {
		// The marks stay: that no key is made, and that the erasure has begun.
		if owner == gone && table != store.Keys && (table != doors.Table || it.Key != doors.Key) {
			t.Errorf("left in %s: %s", table, it.Key)
		} else if owner == alive {
			left++
		}
		return true
	})
	if left != 2 {
		t.Errorf("the other tenant has %d items left", left)
	}
	// One that is not what its name says deletes nothing and is told.
	if err := blobs.Put(ctx, store.Directory, store.Archive, "tombstones/t_aaaaaaa.json", "application/json", []byte(tombstone)); err != nil {
		t.Fatal(err)
	}
	if err := replay(ctx, db, db, blobs, &out); err == nil || !strings.Contains(err.Error(), "t_aaaaaaa.json") {
		t.Errorf("a forged tombstone: %v", err)
	}
}

func TestReplayWantsEveryStore(t *testing.T) {
	t.Parallel()
	err := runPrivacyReplay(context.Background(), []string{"--archive", "a", "--offers", "o"}, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "keeps what was erased") {
		t.Error(err)
	}
}

func TestAHoldIsSetAndLifted(t *testing.T) {
	t.Parallel()
	ctx, clk := context.Background(), clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	db := memory.New(clk)
	x := &privacy.Erasures{DB: db, Clock: clk}
	held := func() (n int) {
		db.Each(func(tenant.ID, store.Table, store.Item) bool { n++; return true })
		return n
	}
	var out bytes.Buffer
	if err := hold(ctx, x, "set", "t_aaaaaa", "operator:x", &out); err != nil || held() != 1 {
		t.Errorf("set: %v, %d", err, held())
	}
	if err := hold(ctx, x, "lift", "t_aaaaaa", "operator:x", &out); err != nil || held() != 0 {
		t.Errorf("lift: %v, %d", err, held())
	}
	for _, bad := range [][2]string{{"set", "T"}, {"drop", "t_aaaaaa"}} {
		if err := hold(ctx, x, bad[0], bad[1], "operator:x", &out); err == nil {
			t.Errorf("%v: accepted", bad)
		}
	}
}

func TestAReceiptIsToldFromWhatIsNone(t *testing.T) {
	t.Parallel()
	signer, err := ledger.NewSigner(secret.New("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	signed, err := privacy.Receipt{Tenant: "t_aaaaaa", Erasure: "era_x", Requested: at, Started: at, Erased: at, KeysGone: at.AddDate(0, 0, 7), AllGone: at.AddDate(0, 0, 35)}.Sign(signer)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		content string
		code    int
		says    string
	}{
		{signed, 0, "everything of t_aaaaaa was erased on 2026-03-01 12:00 UTC; no backup has its keys from 2026-03-08"},
		{strings.Replace(signed, "t_aaaaaa", "t_bbbbbb", 1), 1, "not a receipt of ours"},
		{"everything was erased, trust us\n", 1, "not a receipt of ours"},
	} {
		file := filepath.Join(t.TempDir(), "receipt.txt")
		if err := os.WriteFile(file, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		code := run(context.Background(), []string{"privacy", "receipt", file, "--key", signer.VerifierKey()}, &out, &out)
		if code != c.code || !strings.Contains(out.String(), c.says) {
			t.Errorf("code %d: %s", code, &out)
		}
	}
}
