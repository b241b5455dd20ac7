package contract_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/ledger"
	"pricemanager/internal/secret"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

// ledgers is a signer and what it signed.
type ledgers struct {
	log *ledger.Log
	clk *clock.Manual
	key string
}

func newLedgers(t *testing.T) ledgers {
	t.Helper()
	clk := clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	db := memory.New(clk)
	signer, err := ledger.NewSigner(secret.New("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	log := ledger.New(db, envelope.New(memkms.New(rand.Reader), db, clk), clk, rand.Reader).
		WithSigner(func(context.Context) (*ledger.Signer, error) { return signer, nil })
	return ledgers{log, clk, signer.VerifierKey()}
}

// grow records n more events and returns the export, and a checkpoint of then.
func (l ledgers) grow(t *testing.T, id tenant.ID, n int) (export []byte, checkpoint string) {
	t.Helper()
	for range n {
		l.clk.Advance(time.Second)
		e := ledger.Event{Type: ledger.ChangeObserved, At: l.clk.Now(), Target: "sku ü<&>\"", After: json.RawMessage(`{"our":"9.99 EUR"}`)}
		if err := l.log.AppendDirect(t.Context(), id, l.clk.Now().String(), e); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if _, err := l.log.WriteExport(t.Context(), id, &b); err != nil {
		t.Fatal(err)
	}
	checkpoint, err := l.log.Checkpoint(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), checkpoint
}

// goSays is the verdict of the product on an export, in the words of the script.
func goSays(t *testing.T, b []byte, opts ledger.VerifyOpts) string {
	t.Helper()
	report, err := ledger.Verify(bytes.NewReader(b), opts)
	var p *ledger.Problem
	switch {
	case err == nil:
		return fmt.Sprintf("GOOD %d", report.Checked)
	case errors.As(err, &p):
		return fmt.Sprintf("BAD %d", p.Index)
	}
	t.Fatal(err)
	return ""
}

// pythonSays gives the second verifier's verdicts.
func pythonSays(t *testing.T, exports [][]byte, flags ...string) (verdicts []string) {
	t.Helper()
	dir := t.TempDir()
	args := append([]string{"ledger_verify.py"}, flags...)
	for i, b := range exports {
		name := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, name)
	}
	cmd := exec.CommandContext(t.Context(), "python3", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if exit := (&exec.ExitError{}); err != nil && !errors.As(err, &exit) || stderr.Len() > 0 {
		t.Fatalf("python3: %v\n%s", err, &stderr)
	}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		verdicts = append(verdicts, words[0]+" "+words[1])
	}
	if bad := slices.ContainsFunc(verdicts, func(v string) bool { return v[0] == 'B' }); bad != (err != nil) || len(verdicts) != len(exports) {
		t.Fatalf("%d verdicts on %d exports, ended with %v:\n%s", len(verdicts), len(exports), err, out)
	}
	return verdicts
}

// damaged spoils one thing of an export at a place that the random numbers say.
func damaged(r *mathrand.Rand, good []byte) (name string, bad []byte) {
	lines := bytes.SplitAfter(bytes.Clone(good), []byte("\n"))
	lines = lines[:len(lines)-1]
	i := 1 + r.IntN(len(lines)-1)
	switch op := r.IntN(8); op {
	case 0:
		name, lines = "remove", slices.Delete(lines, i, i+1)
	case 1:
		j := 1 + (i+r.IntN(len(lines)-2))%(len(lines)-1)
		name, lines[i], lines[j] = "swap", lines[j], lines[i]
	case 2:
		name, lines = "duplicate", slices.Insert(lines, i, lines[i])
	case 3:
		name, lines = "end early", lines[:i]
	case 4:
		name, lines = "cut", append(lines[:i], lines[i][:1+r.IntN(len(lines[i])-1)])
	case 5:
		name = "header"
		lines[0][r.IntN(len(lines[0])-1)] ^= 1 << r.IntN(7)
	default:
		name = "flip"
		lines[i][r.IntN(len(lines[i]))] ^= 1 << r.IntN(8)
	}
	return name, bytes.Join(lines, nil)
}

func TestAnIndependentVerifierAgreesOnGoodAndDamagedLedgers(t *testing.T) {
	t.Parallel()
	l := newLedgers(t)
	r := mathrand.New(mathrand.NewPCG(1, 2)) // the same places in every run
	var names, want []string
	var exports [][]byte
	add := func(name string, b []byte) {
		names, exports = append(names, name), append(exports, b)
		want = append(want, goSays(t, b, ledger.VerifyOpts{Key: l.key}))
	}
	var largest []byte
	for range 12 {
		export, _ := l.grow(t, "t_aaaaaa", 1+r.IntN(9))
		add("good", export)
		largest = export
	}
	empty, _ := l.grow(t, "t_bbbbbb", 0)
	add("empty", empty)
	for range 150 {
		name, bad := damaged(r, largest)
		add(name, bad)
	}
	// The right entries, but of another tree than the one that was signed.
	other, _ := newLedgers(t).grow(t, "t_aaaaaa", bytes.Count(largest, []byte("\n"))-1)
	head, _, _ := bytes.Cut(largest, []byte("\n"))
	_, rest, _ := bytes.Cut(other, []byte("\n"))
	add("forged", slices.Concat(head, []byte("\n"), rest))

	for i, got := range pythonSays(t, exports, "--key", l.key) {
		good := names[i] == "good" || names[i] == "empty"
		if got != want[i] || strings.HasPrefix(got, "GOOD") != good {
			t.Errorf("%d, %s: the second verifier says %s, pmctl %s", i, names[i], got, want[i])
		}
	}
}

func TestAnIndependentVerifierAgreesOnOlderCheckpoints(t *testing.T) {
	t.Parallel()
	l, rewritten := newLedgers(t), newLedgers(t)
	short, first := l.grow(t, "t_aaaaaa", 5)
	long, last := l.grow(t, "t_aaaaaa", 8)
	other, _ := rewritten.grow(t, "t_aaaaaa", 13)
	_, foreign := l.grow(t, "t_bbbbbb", 2)
	for name, c := range map[string]struct {
		since string
		want  []string // of short, long and other
	}{
		"the first checkpoint": {first, []string{"GOOD 5", "GOOD 13", "BAD -1"}},
		"the last":             {last, []string{"BAD -1", "GOOD 13", "BAD -1"}},
		"another tenant's":     {foreign, []string{"BAD -1", "BAD -1", "BAD -1"}},
		"a spoilt one":         {strings.Replace(first, "\n5\n", "\n4\n", 1), []string{"BAD -1", "BAD -1", "BAD -1"}},
	} {
		file := filepath.Join(t.TempDir(), "since")
		if err := os.WriteFile(file, []byte(c.since), 0o600); err != nil {
			t.Fatal(err)
		}
		exports := [][]byte{short, long, other}
		if got := pythonSays(t, exports, "--since", file); !slices.Equal(got, c.want) {
			t.Errorf("%s: the second verifier says %q, want %q", name, got, c.want)
		}
		for i, b := range exports {
			if got := goSays(t, b, ledger.VerifyOpts{Since: c.since}); got != c.want[i] {
				t.Errorf("%s: pmctl says %s, want %s", name, got, c.want[i])
			}
		}
	}
}

// The signature check is written by hand: it has to take what Ed25519 signs and
// nothing next to it.
func TestTheIndependentSignatureCheckIsEd25519(t *testing.T) {
	t.Parallel()
	type vector struct {
		Public, Message, Signature string
		Good                       bool
	}
	r := mathrand.New(mathrand.NewPCG(3, 4))
	var vectors []vector
	for i := range 20 {
		public, private, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		message := bytes.Repeat([]byte{byte(i)}, i*7)
		signature := ed25519.Sign(private, message)
		add := func(p, m, s []byte) {
			vectors = append(vectors, vector{hex.EncodeToString(p), hex.EncodeToString(m), hex.EncodeToString(s), ed25519.Verify(p, m, s)})
		}
		add(public, message, signature)
		add(public, append(message, 'x'), signature)
		spoilt := bytes.Clone(signature)
		spoilt[r.IntN(64)] ^= 1 << r.IntN(8)
		add(public, message, spoilt)
		other := bytes.Clone(public)
		other[r.IntN(32)] ^= 1 << r.IntN(8)
		add(other, message, signature)
	}
	in, err := json.Marshal(vectors)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "python3", "-c", `
import json, sys
import ledger_verify as v
for i, c in enumerate(json.load(sys.stdin)):
    b = [bytes.fromhex(c[k]) for k in ("Public", "Message", "Signature")]
    if v.ed25519(*b) != c["Good"]:
        print(i, "should be", c["Good"])
`)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	cmd.Stdin = bytes.NewReader(in)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}
