package ledger

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// SigningKey is a public key of the ledger with the time in which it signed. A zero
// time is no bound.
type SigningKey struct {
	Key   string    `json:"key"` // verifier key of signed notes
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// ErrKeyOver: a signature is good, of a key that was not ours at the time it names.
var ErrKeyOver = errors.New("ledger: the key that signed was not in use at that time")

// At is nil when the key was in use at the time, else ErrKeyOver.
func (k SigningKey) At(at time.Time) error {
	if !k.From.IsZero() && at.Before(k.From) || !k.Until.IsZero() && at.After(k.Until) {
		return fmt.Errorf("%w: it signed from %s until %s, this is of %s", ErrKeyOver, moment(k.From), moment(k.Until), moment(at))
	}
	return nil
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "any time"
	}
	return t.UTC().Format(time.RFC3339)
}

// ParseKeys reads what a verifying side trusts: one verifier key, or the whole answer
// of GET /ledger/key, which has those that signed earlier too.
func ParseKeys(text string) ([]SigningKey, error) {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "{") {
		return []SigningKey{{Key: text}}, nil
	}
	var doc struct {
		Keys []SigningKey `json:"keys"`
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil || len(doc.Keys) == 0 {
		return nil, errors.New("ledger: the keys are neither a verifier key nor an answer of GET /ledger/key")
	}
	return doc.Keys, nil
}

// trusts reports whether key is one of those in text.
func trusts(text, key string) (bool, error) {
	keys, err := ParseKeys(text)
	return slices.ContainsFunc(keys, func(k SigningKey) bool { return k.Key == key }), err
}

// OpenNote checks a note that one of the keys has signed, and says which. Exactly one
// form is accepted: no second signature, no other spelling of the same.
func OpenNote(signed string, keys []SigningKey) (text string, by SigningKey, err error) {
	verifiers := make([]note.Verifier, len(keys))
	for i, k := range keys {
		if verifiers[i], err = note.NewVerifier(k.Key); err != nil {
			return "", SigningKey{}, fmt.Errorf("ledger: the verifier key is not one: %w", err)
		}
	}
	n, err := note.Open([]byte(signed), note.VerifierList(verifiers...))
	if err != nil {
		return "", SigningKey{}, fmt.Errorf("ledger: signature: %w", err)
	}
	if len(n.Sigs) != 1 || len(n.UnverifiedSigs) != 0 {
		return "", SigningKey{}, errors.New("ledger: a note with more than one signature")
	}
	if _, err := base64.StdEncoding.Strict().DecodeString(n.Sigs[0].Base64); err != nil {
		return "", SigningKey{}, fmt.Errorf("ledger: signature: %w", err)
	}
	i := slices.IndexFunc(verifiers, func(v note.Verifier) bool { return v.Name() == n.Sigs[0].Name && v.KeyHash() == n.Sigs[0].Hash })
	return n.Text, keys[i], nil
}
