package ledger

import (
	"context"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"pricemanager/internal/secret"
	"pricemanager/internal/tenant"
)

// KeyName is the name in the note key: it says whose signature it is.
const KeyName = "pricemanager.ledger"

const (
	signerInfo = "pricemanager ledger note signer 1"
	minSecret  = 32 // characters
)

// ErrNoSigner: this process was not given the signing key.
var ErrNoSigner = errors.New("ledger: no signer")

// Signer signs checkpoints with Ed25519. It is a note.Signer.
type Signer struct {
	key      ed25519.PrivateKey
	verifier note.Verifier
	text     string
	from     time.Time    // zero: always
	old      []SigningKey // that signed before, the newest first
}

var _ note.Signer = (*Signer)(nil)

// NewSigner derives the signing key from the first line of a generated secret, of at
// least 32 characters: HKDF-SHA256 without salt. The same secret gives the same key.
// Further lines are older public keys, see KeyRotation.
func NewSigner(s secret.Value) (*Signer, error) {
	first, rest, _ := strings.Cut(s.Reveal(), "\n")
	if len(first) < minSecret {
		return nil, fmt.Errorf("ledger: the signer secret has less than %d characters", minSecret)
	}
	out := &Signer{from: madeAt(first)}
	for _, line := range strings.Fields(rest) {
		k, err := parseOldKey(line)
		if err != nil {
			return nil, err
		}
		out.old = append(out.old, k)
	}
	seed, err := hkdf.Key(sha256.New, []byte(first), nil, signerInfo, ed25519.SeedSize)
	if err != nil {
		return nil, fmt.Errorf("ledger: derive signing key: %w", err)
	}
	key := ed25519.NewKeyFromSeed(seed)
	text, err := note.NewEd25519VerifierKey(KeyName, key.Public().(ed25519.PublicKey)) //nolint:forcetypeassert // as crypto/ed25519 documents
	if err != nil {
		return nil, fmt.Errorf("ledger: verifier key: %w", err)
	}
	v, err := note.NewVerifier(text)
	if err != nil {
		return nil, fmt.Errorf("ledger: verifier key: %w", err)
	}
	out.key, out.verifier, out.text = key, v, text
	return out, nil
}

// SignerFunc gives the signing key when it is needed: reading the secret at a
// function's start would slow every start and not all of them sign.
type SignerFunc func(context.Context) (*Signer, error)

// SignerFrom derives the signing key from the named secret on every call; hand
// it a getter that caches.
func SignerFrom(g secret.Getter, name string) SignerFunc {
	return func(ctx context.Context) (*Signer, error) {
		v, err := g.Get(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("ledger: signing key: %w", err)
		}
		return NewSigner(v)
	}
}

// VerifierKey is the public key in note's form, "name+hash+key", to hand out.
func (s *Signer) VerifierKey() string { return s.text }

// Keys are all public keys with the times in which they signed, this one first.
func (s *Signer) Keys() []SigningKey {
	return append([]SigningKey{{Key: s.text, From: s.from}}, s.old...)
}

// Name is the key's name.
func (s *Signer) Name() string { return s.verifier.Name() }

// KeyHash is the short id of the key.
func (s *Signer) KeyHash() uint32 { return s.verifier.KeyHash() }

// Sign signs the text of a note.
func (s *Signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }

// Checkpoint is a statement about a ledger at one time. Signed, it is a note:
//
//	pricemanager.ledger/<tenant>
//	<size, decimal>
//	<root, base64>
//	at <time, RFC 3339, UTC>
//
// which is the C2SP tlog-checkpoint form with the time as an extension line.
type Checkpoint struct {
	Tenant tenant.ID
	Size   int64
	Root   tlog.Hash
	At     time.Time // when it was signed, whole seconds
}

func (c Checkpoint) text() string {
	return fmt.Sprintf("%s/%s\n%d\n%s\nat %s\n", KeyName, c.Tenant, c.Size,
		base64.StdEncoding.EncodeToString(c.Root[:]), c.At.UTC().Format(time.RFC3339))
}

// Checkpoint signs the newest state of the tenant's ledger.
func (l *Log) Checkpoint(ctx context.Context, t tenant.ID) (string, error) {
	head, err := l.Head(ctx, t)
	if err != nil {
		return "", err
	}
	signed, _, err := l.sign(ctx, t, head)
	return signed, err
}

// sign returns the signed note and the verifier key it was signed under.
func (l *Log) sign(ctx context.Context, t tenant.ID, head Head) (signed, key string, err error) {
	if l.signer == nil {
		return "", "", ErrNoSigner
	}
	signer, err := l.signer(ctx)
	if err != nil {
		return "", "", err
	}
	c := Checkpoint{Tenant: t, Size: head.Size, Root: head.Root, At: l.clock.Now()}
	msg, err := note.Sign(&note.Note{Text: c.text()}, signer)
	if err != nil {
		return "", "", fmt.Errorf("ledger: sign checkpoint of %s: %w", t, err)
	}
	return string(msg), signer.VerifierKey(), nil
}

// OpenCheckpoint checks the signature and form of a signed checkpoint. keys is what
// ParseKeys reads; the key that signed has to have been in use when the checkpoint
// says that it was signed. Exactly one form is accepted: no second signature, no
// other spelling of the same.
func OpenCheckpoint(signed, keys string) (Checkpoint, error) {
	ring, err := ParseKeys(keys)
	if err != nil {
		return Checkpoint{}, err
	}
	text, by, err := OpenNote(signed, ring)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	c, err := parseCheckpoint(text)
	if err != nil {
		return Checkpoint{}, err
	}
	return c, by.At(c.At)
}

func parseCheckpoint(text string) (Checkpoint, error) {
	bad := errors.New("ledger: the note is signed but is no checkpoint")
	lines := strings.Split(text, "\n")
	if len(lines) != 5 {
		return Checkpoint{}, bad
	}
	origin, ok := strings.CutPrefix(lines[0], KeyName+"/")
	t, err := tenant.Parse(origin)
	if !ok || err != nil {
		return Checkpoint{}, bad
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 {
		return Checkpoint{}, bad
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return Checkpoint{}, bad
	}
	stamp, ok := strings.CutPrefix(lines[3], "at ")
	at, err := time.Parse(time.RFC3339, stamp)
	if !ok || err != nil {
		return Checkpoint{}, bad
	}
	c := Checkpoint{Tenant: t, Size: size, Root: root, At: at}
	if c.text() != text {
		return Checkpoint{}, bad
	}
	return c, nil
}
