package identity

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// Hashes are the keyed hashes of a text under each pepper, the newest first: 16
// bytes in hexadecimal. They name network addresses in logs and in the list of
// those that are blocked. A pepper is kept for longer than a year after it was
// replaced. Without one the fault is Unavailable.
func (k *Keys) Hashes(ctx context.Context, text string) ([]string, error) {
	peppers, err := k.usable(ctx, false)
	if err != nil {
		return nil, err
	}
	all := make([]string, len(peppers))
	for i, p := range peppers {
		h := hmac.New(sha256.New, []byte(p.Reveal()))
		h.Write([]byte("address/1/" + text))
		all[i] = hex.EncodeToString(h.Sum(nil)[:16])
	}
	return all, nil
}
