package identity

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"pricemanager/internal/edge"
	"pricemanager/internal/fault"
)

// maxFrom is how many addresses and prefixes a key may be bound to.
const maxFrom = 20

type addressKey struct{}

// At notes the network address that a request came from, as API Gateway saw it, for
// keys that work from some addresses only.
func At(ctx context.Context, address string) context.Context {
	return context.WithValue(ctx, addressKey{}, address)
}

// from is one address or prefix that a key works from, as a keyed hash: every function
// that checks keys can compare it, and the table does not say whose office it is.
type from struct {
	Hash string `json:"h"` // of the prefix
	Bits int    `json:"n"` // how long it is
	Six  bool   `json:"6,omitempty"`
}

// bind reads what a key is to be bound to. shown is the same as it is shown to owners.
func (k *Keys) bind(ctx context.Context, addresses []string) (kept []byte, shown string, err error) {
	if len(addresses) == 0 {
		return nil, "", nil
	}
	if len(addresses) > maxFrom {
		return nil, "", fault.New(fault.Invalid, "from", "A key can be bound to %d addresses and prefixes at most.", maxFrom)
	}
	var all []from
	var texts []string
	for _, a := range addresses {
		p, err := edge.Parse(strings.TrimSpace(a))
		if err != nil {
			return nil, "", fault.New(fault.Invalid, "from", "Give addresses such as 192.0.2.1, or prefixes of at least /16 (IPv4) or /32 (IPv6).").Because(err)
		}
		hashes, err := k.Hashes(ctx, p.String())
		if err != nil {
			return nil, "", err
		}
		all, texts = append(all, from{Hash: hashes[0], Bits: p.Bits(), Six: p.Addr().Is6()}), append(texts, p.String())
	}
	kept, err = json.Marshal(all)
	return kept, strings.Join(texts, " "), err
}

// admits reports whether a key bound as kept says works from where the request came.
// Where that is not known, it does not.
func (k *Keys) admits(ctx context.Context, kept []byte) (bool, error) {
	if len(kept) == 0 {
		return true, nil
	}
	var all []from
	if err := json.Unmarshal(kept, &all); err != nil {
		return false, fmt.Errorf("identity: what a key is bound to: %w", err)
	}
	text, _ := ctx.Value(addressKey{}).(string)
	a, err := netip.ParseAddr(text)
	if err != nil {
		return false, nil //nolint:nilerr // no address is none of those
	}
	a = a.WithZone("").Unmap()
	for _, f := range all {
		if a.Is6() != f.Six {
			continue
		}
		p, err := a.Prefix(f.Bits)
		if err != nil {
			continue
		}
		hashes, err := k.Hashes(ctx, p.String())
		if err != nil {
			return false, err
		}
		if slices.Contains(hashes, f.Hash) {
			return true, nil
		}
	}
	return false, nil
}
