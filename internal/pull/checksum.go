package pull

import (
	"net/url"
	"path"
	"regexp"
	"strings"

	"pricemanager/internal/fault"
)

// A line of a checksum file: as sha256sum writes it, with a backslash in front when
// the name holds odd characters and a star before that of a binary file, or the digits
// alone; and as BSD, openssl and sha256sum --tag do.
var (
	sumFirst = regexp.MustCompile(`^\\?([0-9A-Fa-f]{64})(?:[ \t]+\*?(.*))?$`)
	sumLast  = regexp.MustCompile(`^(?:SHA256|SHA2-256) ?\((.*)\) ?= ?([0-9A-Fa-f]{64})$`)
)

// checksum returns the SHA-256, in lower case, that a checksum file says of the file
// at an address: the only one it has, or the one that goes with the file's name.
func checksum(text, address string) (string, error) {
	bad := func(why string) error {
		return fault.New(fault.Invalid, "pull-checksum", "What is at checksumUrl %s. It has to be a SHA-256 of 64 hexadecimal digits, as sha256sum writes it.", why)
	}
	u, err := url.Parse(address)
	if err != nil { // it was checked
		return "", bad("is of no address")
	}
	name, of := path.Base(u.Path), map[string]string{}
	only, lines := "", 0
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		var sum, file string
		if m := sumFirst.FindStringSubmatch(line); m != nil {
			sum, file = m[1], m[2]
		} else if m := sumLast.FindStringSubmatch(line); m != nil {
			sum, file = m[2], m[1]
		} else {
			return "", bad("has a line that is none")
		}
		only, lines = strings.ToLower(sum), lines+1
		if file != "" {
			of[path.Base(file)] = only
		}
	}
	switch sum, ok := of[name]; {
	case lines == 0:
		return "", bad("is empty")
	case lines == 1:
		return only, nil
	case ok:
		return sum, nil
	}
	return "", bad("is of several files, and none of them is called like the one that is fetched")
}
