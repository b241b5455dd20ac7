package fetch

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"pricemanager/internal/fault"
)

func TestAddressesAreKeptInOneSpelling(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://files.example.com/prices.csv":          "https://files.example.com/prices.csv",
		"HTTPS://Files.EXAMPLE.com/Prices.csv?key=A%2F": "https://files.example.com/Prices.csv?key=A%2F",
		"https://files.example.com:443/p":               "https://files.example.com/p",
		"https://xn--mnchen-3ya.example/p":              "https://xn--mnchen-3ya.example/p",
		"https://a.xn--p1ai":                            "https://a.xn--p1ai",
		"https://1.2.3.4.example.com/@x:80/":            "https://1.2.3.4.example.com/@x:80/",
		"https://127.0.0.1.nip.io/":                     "https://127.0.0.1.nip.io/", // its address is what gives it away
	} {
		if got, err := (&Client{}).Check(raw); err != nil || got != want {
			t.Errorf("%s is kept as %s, %v", raw, got, err)
		}
	}
}

func TestNoTrickMakesAnAddressPass(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"", "prices.csv", "//files.example.com/p", "https:", "https:///p", "https://", "https:files.example.com/p", "https://:443/p",
		"http://files.example.com/p", "ftp://files.example.com/p", "file:///etc/passwd", "gopher://files.example.com/", "httpss://files.example.com/",
		// Users, fragments, and what readers disagree about.
		"https://user@files.example.com/p", "https://user:pass@files.example.com/p", "https://@files.example.com/p", "https://files.example.com@127.0.0.1/",
		"https://files.example.com#@127.0.0.1/", "https://127.0.0.1#@files.example.com/", "https://files.example.com/p#", `https://127.0.0.1\@files.example.com/`, `https://files.example.com/a\b`,
		"https://files.example.com\t/p", "https://files.example.com /p", "https://files.example.com/p\r\nHost: x", " https://files.example.com/p", "https://files.example.com/\x00",
		"https://files.example.com%2f@127.0.0.1/", "https://127.0.0.1%23.example.com/", "https://files.example.com%00.local/", "https://files%2eexample.com/",
		// Ports.
		"https://files.example.com:80/p", "https://files.example.com:8443/p", "https://files.example.com:/p", "https://files.example.com:0443/p", "https://files.example.com:443:80/p", "https://files.example.com:https/",
		// IP addresses in every spelling.
		"https://127.0.0.1/", "https://127.1/", "https://0/", "https://2130706433/", "https://0x7f000001/", "https://0x7f.1/", "https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://017700000001/",
		"https://127.0.0.0x1/", "https://127.0.0.1./", "https://169.254.169.254/latest/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[fe80::1%25eth0]/",
		"https://[64:ff9b::7f00:1]/", "https://[2606:4700::1111]/", "https://8.8.8.8/", "https://[::]:443/", "https://files.example.com]/", "https://①②⑦.⓪.⓪.①/", "https://127。0。0。1/",
		// Names that are none, or of no public network.
		"https://localhost/", "https://LOCALHOST/", "https://a.localhost/", "https://router/", "https://files.example.com./", "https://.example.com/", "https://files..example.com/", "https://-a.example.com/", "https://a-.example.com/",
		"https://a_b.example.com/", "https://*.example.com/", "https://printer.local/", "https://ip-10-0-0-1.ec2.internal/", "https://metadata.google.internal/", "https://1.0.0.127.in-addr.arpa/", "https://x.onion/",
		"https://münchen.example/", "https://ⅼocalhost/", "https://example.c0m/", "https://example.1com/",
		"https://" + strings.Repeat("a", 64) + ".com/", "https://" + strings.Repeat("a.", 130) + "com/", "https://files.example.com/" + strings.Repeat("a", MaxURL),
	} {
		got, err := (&Client{}).Check(raw)
		if err == nil {
			t.Errorf("%q passes as %s", raw, got)
			continue
		}
		if fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), "user:pass") {
			t.Errorf("%q gives %v", raw, err)
		}
	}
}

func TestOnlyAddressesOfThePublicInternetPass(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"8.8.8.8", "1.1.1.1", "99.255.255.255", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "169.253.255.255", "192.0.1.1", "223.255.255.255", "168.63.129.17", "::ffff:8.8.8.8", "2606:4700:4700::1111", "2a00:1450::1", "2001:200::1"} {
		if !Public(netip.MustParseAddr(s)) {
			t.Errorf("%s is refused", s)
		}
	}
	for _, s := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.0", "100.100.100.200", "100.127.255.255", "127.0.0.1", "127.255.255.255", "168.63.129.16", "169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.0", "172.31.255.255",
		"192.0.0.1", "192.0.0.192", "192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.0.1", "192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "100:0:0:1::1", "2001::1", "2001:1::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1",
		"2002:7f00:1::", "2620:4f:8000::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fd12:3456::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "4000::1", "2606:4700::1%eth0",
	} {
		if Public(netip.MustParseAddr(s)) {
			t.Errorf("%s passes", s)
		}
	}
	if Public(netip.Addr{}) {
		t.Error("no address passes")
	}
}

// What the standard library knows to be private or local never passes, in none of
// the clothes that IPv6 has for IPv4.
func TestNoPrivateAddressPassesInAnyClothes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var b [4]byte
		copy(b[:], rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "address"))
		b[0] = rapid.SampledFrom([]byte{b[0], 0, 10, 127, 169, 172, 192, 224}).Draw(t, "first")
		b[1] = rapid.SampledFrom([]byte{b[1], 16, 31, 168, 254}).Draw(t, "second")
		a := netip.AddrFrom4(b)
		if (a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified()) && Public(a) {
			t.Errorf("%s passes", a)
		}
		hex := fmt.Sprintf("%02x%02x:%02x%02x", b[0], b[1], b[2], b[3])
		if mapped := netip.MustParseAddr("::ffff:" + hex); Public(mapped) != Public(a) {
			t.Errorf("%s and %s differ", mapped, a)
		}
		for _, s := range []string{"64:ff9b::" + hex, "64:ff9b:1::" + hex, "2002:" + hex + "::1", "2001:0:" + hex + "::1", "::" + hex, "::ffff:0:" + hex} {
			if Public(netip.MustParseAddr(s)) {
				t.Errorf("%s, which leads to %s, passes", s, a)
			}
		}
	})
}

// FuzzCheck: what passes is https to a DNS name on port 443 for a second reader,
// stays as it is, and no error shows what was given.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{"https://files.example.com/p?q=1", "https://u:p@h.example.com:443#@x", "https://0x7f.1/", "https://[::ffff:127.0.0.1]/", `https://a\@b.com`, "https://a.b%41.com", "https://a.com:443/%zz", "https://a.com?b=/\x7f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		c := &Client{}
		got, err := c.Check(raw)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid || len(raw) > 30 && strings.Contains(err.Error(), raw) {
				t.Fatalf("%q gives %v", raw, err)
			}
			return
		}
		again, err := c.Check(got)
		if err != nil || again != got {
			t.Fatalf("%q is kept as %q, and that as %q, %v", raw, got, again, err)
		}
		u, err := url.Parse(got)
		if err != nil || u.Scheme != "https" || u.User != nil || u.Port() != "" || u.Fragment != "" || u.Host != u.Hostname() {
			t.Fatalf("%q passes as %q", raw, got)
		}
		if _, err := netip.ParseAddr(u.Host); err == nil || !strings.Contains(u.Host, ".") || !strings.HasPrefix(got, "https://"+u.Host) {
			t.Fatalf("%q passes with the host %q", raw, u.Host)
		}
		if _, err := json.Marshal(got); err != nil || len(got) > 3*MaxURL {
			t.Fatalf("%q becomes %d bytes, %v", raw, len(got), err)
		}
	})
}
