package fetch

import "net/netip"

// Public reports whether an address is one of the public internet: a global
// unicast address in none of the special-purpose ranges.
func Public(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" {
		return false
	}
	// An IPv4 address in the clothes of IPv6 is what it is underneath; the other
	// clothes (NAT64, 6to4, Teredo) are ranges of the table.
	a = a.Unmap()
	if a.Is6() && !global6.Contains(a) {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// global6 is all that IANA gives out as IPv6 global unicast so far. What is outside
// it (loopback, ULA fc00::/7 with AWS's metadata at fd00:ec2::254, link-local
// fe80::/10, multicast ff00::/8, NAT64 64:ff9b::/96 and 64:ff9b:1::/48, discard
// 100::/64, SRv6 5f00::/16) needs no row of its own.
var global6 = netip.MustParsePrefix("2000::/3")

// special are the ranges of IANA's IPv4 and IPv6 Special-Purpose Address
// Registries, whether or not the registry calls them globally reachable: none
// holds a seller's web server. Multicast, and addresses of clouds' own services
// outside those ranges, are added.
var special = prefixes(
	"0.0.0.0/8",         // this network
	"10.0.0.0/8",        // private
	"100.64.0.0/10",     // carriers' NAT; Alibaba's metadata is in it
	"127.0.0.0/8",       // loopback
	"168.63.129.16/32",  // Azure's platform, a public address that is not
	"169.254.0.0/16",    // link-local: metadata of AWS, Google, Azure; Lambda's own runtime
	"172.16.0.0/12",     // private
	"192.0.0.0/24",      // protocol assignments; Oracle's metadata is in it
	"192.0.2.0/24",      // documentation
	"192.31.196.0/24",   // AS112
	"192.52.193.0/24",   // automatic multicast tunnelling
	"192.88.99.0/24",    // 6to4 relays
	"192.168.0.0/16",    // private
	"192.175.48.0/24",   // AS112
	"198.18.0.0/15",     // benchmarks
	"198.51.100.0/24",   // documentation
	"203.0.113.0/24",    // documentation
	"224.0.0.0/4",       // multicast
	"240.0.0.0/4",       // reserved, and broadcast
	"2001::/23",         // protocol assignments: Teredo, ORCHID, benchmarks
	"2001:db8::/32",     // documentation
	"2002::/16",         // 6to4
	"2620:4f:8000::/48", // AS112
	"3fff::/20",         // documentation
)

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}
