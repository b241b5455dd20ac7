// Package breached knows passwords that were found in leaks, offline: every one of
// them that is long enough to be chosen, and some ten thousand common words. NOTICE.txt
// says where they come from, infra/breached how the list is made. It is one list of
// 2015 and one of 2019: in production Cognito's threat protection knows newer ones.
package breached

import (
	"crypto/sha256"
	_ "embed"
	"sort"
	"strings"
)

//go:embed list.bin
var list string

// width is the length of an entry: the first bytes of a SHA-256.
const width = 5

// Has reports whether a text is in the list, in whatever case. Of texts that are in no
// list one in 15 million (74,128 of 2^40) is taken for one that is.
func Has(text string) bool {
	sum := sha256.Sum256([]byte(strings.ToLower(text)))
	want := string(sum[:width])
	n := len(list) / width
	i := sort.Search(n, func(i int) bool { return list[i*width:(i+1)*width] >= want })
	return i < n && list[i*width:(i+1)*width] == want
}
