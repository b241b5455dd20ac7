package ledger_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/ledger"
	"pricemanager/internal/secret"
	vaults "pricemanager/internal/secret/memory"
)

const signerName = "ledger-signer"

// rotating is a world whose signing key is in a vault.
type rotating struct {
	*world
	vault  *vaults.Vault
	rotate ledger.KeyRotation
}

func newRotating(t *testing.T) *rotating {
	t.Helper()
	w := newWorld(t)
	v := &vaults.Vault{}
	if err := v.Put(t.Context(), signerName, secret.New("0123456789abcdef0123456789abcdef")); err != nil {
		t.Fatal(err)
	}
	return &rotating{world: w, vault: v, rotate: ledger.KeyRotation{Vault: v, Name: signerName, Clock: w.clock, Random: rand.Reader}}
}

func (w *rotating) log() *ledger.Log {
	return ledger.New(w.db, w.sealer, w.clock, w.rand()).WithSigner(ledger.SignerFrom(w.vault, signerName))
}

func (w *rotating) keys(t *testing.T) (current *ledger.Signer, published string) {
	t.Helper()
	s, err := ledger.SignerFrom(w.vault, signerName)(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(map[string]any{"key": s.VerifierKey(), "keys": s.Keys()})
	if err != nil {
		t.Fatal(err)
	}
	return s, string(b)
}

func (w *rotating) append(t *testing.T, key string) {
	t.Helper()
	if err := w.log().AppendDirect(t.Context(), tenantA, key, ledger.Event{Type: ledger.TenantCreated, At: w.clock.Now()}); err != nil {
		t.Fatal(err)
	}
}

// What any key has signed in its time stays good, and is compared with what a later
// one signs; what it signs after its time is not.
func TestACheckpointIsGoodUnderTheKeyThatWasValidThen(t *testing.T) {
	t.Parallel()
	w := newRotating(t)
	first, _ := w.keys(t)
	w.append(t, "a")
	kept, err := w.log().Checkpoint(t.Context(), tenantA)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.clock.Advance(40 * 24 * time.Hour)
		if err := w.rotate.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.append(t, "b")
	current, published := w.keys(t)
	if n := len(current.Keys()); n != 4 || current.VerifierKey() == first.VerifierKey() {
		t.Fatalf("%d keys, current %s", n, current.VerifierKey())
	}
	if text, err := w.vault.Get(t.Context(), signerName); err != nil || strings.Contains(text.Reveal(), "0123456789abcdef") {
		t.Errorf("what an older key was made from is still there, %v", err)
	}
	var export bytes.Buffer
	if _, err := w.log().WriteExport(t.Context(), tenantA, &export); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		keys string
		ok   bool
	}{
		"all published keys": {published, true},
		"the newest alone":   {current.VerifierKey(), false}, // it cannot say anything about the older checkpoint
		"the first alone":    {first.VerifierKey(), false},
		"no JSON of ours":    {"{}", false},
	} {
		report, err := ledger.Verify(bytes.NewReader(export.Bytes()), ledger.VerifyOpts{Key: c.keys, Since: kept})
		if (err == nil) != c.ok || c.ok && (report.Checked != 2 || report.Since.Size != 1) {
			t.Errorf("%s: %+v, %v", name, report, err)
		}
	}
	// Somebody has got hold of the first key: what he signs is of today.
	forged := ledger.New(w.db, w.sealer, w.clock, w.rand()).WithSigner(func(context.Context) (*ledger.Signer, error) { return first, nil })
	late, err := forged.Checkpoint(t.Context(), tenantA)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.OpenCheckpoint(late, published); !errors.Is(err, ledger.ErrKeyOver) {
		t.Errorf("signed after its time: %v", err)
	}
	if c, err := ledger.OpenCheckpoint(kept, published); err != nil || c.Size != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}

// A function that has not heard of the new key signs with the old one for a while.
func TestAKeyThatWasReplacedSignsForAnHour(t *testing.T) {
	t.Parallel()
	w := newRotating(t)
	first, _ := w.keys(t)
	if err := w.rotate.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, published := w.keys(t)
	held := ledger.New(w.db, w.sealer, w.clock, w.rand()).WithSigner(func(context.Context) (*ledger.Signer, error) { return first, nil })
	for _, c := range []struct {
		after time.Duration
		want  error
	}{{time.Hour, nil}, {time.Second, ledger.ErrKeyOver}} {
		w.clock.Advance(c.after)
		signed, err := held.Checkpoint(t.Context(), tenantA)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ledger.OpenCheckpoint(signed, published); !errors.Is(err, c.want) {
			t.Errorf("after %s: %v, want %v", c.after, err, c.want)
		}
	}
}

var errDied = errors.New("died")

func TestARotationOfTheSigningKeyMayDieAnywhere(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"propose", "promote"} {
		for _, applied := range []bool{false, true} {
			w := newRotating(t)
			first, _ := w.keys(t)
			w.vault.Hook = func(op, _ string) (bool, error) {
				if op == step {
					return applied, errDied
				}
				return true, nil
			}
			if err := w.rotate.Rotate(t.Context()); !errors.Is(err, errDied) {
				t.Fatal(err)
			}
			w.vault.Hook = nil
			if s, _ := w.keys(t); len(s.Keys()) > 1 != (step == "promote" && applied) {
				t.Errorf("%s, applied %v: %d keys", step, applied, len(s.Keys()))
			}
			if err := w.rotate.Rotate(t.Context()); err != nil {
				t.Fatal(err)
			}
			s, _ := w.keys(t)
			if keys := s.Keys(); len(keys) < 2 || keys[len(keys)-1].Key != first.VerifierKey() {
				t.Errorf("%s, applied %v: the first key is lost", step, applied)
			}
		}
	}
}
