package edge

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Hashes gives the keyed hashes of a text, 16 bytes each in hexadecimal: under the
// key in use first, then under the earlier ones. identity.Keys has them.
type Hashes func(ctx context.Context, text string) ([]string, error)

// Widest prefixes that may be blocked: a typing error must not turn half the world away.
const widest4, widest6 = 16, 32

// ErrPrefix is returned for what is no address or prefix, or too wide a one.
var ErrPrefix = errors.New("edge: not an address or prefix that can be listed")

// Parse reads an address or a prefix.
func Parse(s string) (netip.Prefix, error) {
	bad := func() (netip.Prefix, error) {
		return netip.Prefix{}, fmt.Errorf("%w: %q; give an address such as 192.0.2.1, or a prefix of at least /%d (IPv4) or /%d (IPv6)", ErrPrefix, s, widest4, widest6)
	}
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return bad()
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() || p.Bits() < widest4 || p.Addr().Is6() && p.Bits() < widest6 {
		return bad()
	}
	return p.Masked(), nil
}

// sourceForm is what a hash begins with where an address is asked for.
const sourceForm = "source:"

// Target is what an entry is about.
type Target struct {
	sources []string // its hashes, the first one for new entries
	wide    string
	named   bool // by its hash, which is of no other prefix
}

func (t Target) is(e Entry) bool {
	for _, s := range t.sources {
		if e.Source == s && (t.named || e.Wide == t.wide) {
			return true
		}
	}
	return false
}

// String is how the target is told to people.
func (t Target) String() string { return Entry{Source: t.sources[0], Wide: t.wide}.String() }

// String names the entry as Target reads it, and its prefix's length.
func (e Entry) String() string {
	if e.Wide == "" {
		return sourceForm + e.Source
	}
	return sourceForm + e.Source + " (IPv" + e.Wide + ")"
}

// Target reads an address, a prefix, or the hash that logs call an address by, as
// source:0123...
func (l *List) Target(ctx context.Context, s string) (Target, error) {
	if hash, ok := strings.CutPrefix(s, sourceForm); ok {
		if b, err := hex.DecodeString(hash); err != nil || len(b) != 16 || hash != strings.ToLower(hash) {
			return Target{}, fmt.Errorf("%w: %q; a source is 32 hexadecimal digits, as in the logs", ErrPrefix, s)
		}
		return Target{sources: []string{hash}, named: true}, nil
	}
	p, err := Parse(s)
	if err != nil {
		return Target{}, err
	}
	t := Target{}
	if !p.IsSingleIP() {
		t.wide = wide(p)
	}
	t.sources, err = l.hashes(ctx, p.String())
	if err != nil || len(t.sources) == 0 {
		return Target{}, fmt.Errorf("edge: the address cannot be hashed: %w", err)
	}
	return t, nil
}

// Source is what logs call an address by: the text that Target reads, less what it
// begins with. What is no address has none.
func (l *List) Source(ctx context.Context, address string) string {
	all := l.Sources(ctx, address)
	if len(all) == 0 {
		return ""
	}
	return all[0]
}

// Sources are Source and what it was under older keys of the hashes, the newest first.
func (l *List) Sources(ctx context.Context, address string) []string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return nil
	}
	a = a.WithZone("").Unmap()
	all, err := l.hashes(ctx, netip.PrefixFrom(a, a.BitLen()).String())
	if err != nil {
		return nil
	}
	return all
}

func wide(p netip.Prefix) string {
	if p.Addr().Is4() {
		return fmt.Sprintf("4/%d", p.Bits())
	}
	return fmt.Sprintf("6/%d", p.Bits())
}

// around returns the prefix of the entry's length that the address is in.
func (e Entry) around(a netip.Addr) (netip.Prefix, bool) {
	if e.Wide == "" {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	var family, bits int
	if _, err := fmt.Sscanf(e.Wide, "%d/%d", &family, &bits); err != nil || a.Is4() != (family == 4) {
		return netip.Prefix{}, false
	}
	p, err := a.Prefix(bits)
	return p, err == nil
}
