package personal

import (
	"slices"
	"strings"
	"testing"

	"pricemanager/internal/privacy/kept"
)

// unread are the places whose keys are those of others, with the reason.
var unread = map[string]string{
	"internal/store":     "the store itself, which knows no kinds",
	"internal/limit.":    "counters, of the table that holds nothing else",
	"internal/envelope.": "sealed fields of any kind: internal/personal.Places",
	"internal/audit.":    "looks at items of other rooms",
}

func undeclared(t *testing.T, patterns ...string) (missing []Key, seen []string) {
	t.Helper()
	all, err := Keys(root(t), patterns...)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range all {
		seen = append(seen, k.Name)
		if slices.ContainsFunc(reasons(), func(where string) bool { return strings.HasPrefix(k.Where, where) }) {
			continue
		}
		if !slices.ContainsFunc(kept.Kinds(), func(x kept.Kind) bool { return x.Table != "" && x.Name != "*" && (x.Name == k.Name || x.Fits(k.Name)) }) {
			missing = append(missing, k)
		}
	}
	return missing, seen
}

func reasons() (where []string) {
	for w := range unread {
		where = append(where, w)
	}
	return where
}

// TestEveryKindOfItemIsInTheExportOrLeftOutForAReason: a room that begins to keep
// something new has to say where the export has it.
func TestEveryKindOfItemIsInTheExportOrLeftOutForAReason(t *testing.T) {
	t.Parallel()
	missing, seen := undeclared(t, "./internal/...", "./functions/...")
	for _, k := range missing {
		t.Errorf("%s: items of this kind are not in internal/privacy/kept: say where the export has them, or why it has not", k)
	}
	for _, k := range kept.Kinds() {
		if k.Table != "" && k.Name != "*" && !slices.ContainsFunc(seen, func(s string) bool { return k.Name == s || k.Fits(s) }) {
			t.Errorf("%s %s is in internal/privacy/kept and nothing makes such a key", k.Table, k.Name)
		}
		if (len(k.Files) == 0) == (k.Why == "") {
			t.Errorf("%s%s %s: want either files of the export or a reason", k.Table, k.Bucket, k.Name)
		}
	}
}

func TestAKindThatNobodyDeclaredIsFound(t *testing.T) {
	t.Parallel()
	missing, _ := undeclared(t, "./test/personal/testdata/kinds")
	var names []string
	for _, k := range missing {
		names = append(names, k.Name)
	}
	slices.Sort(names)
	if want := []string{"*", "computed#*", "diary", "letters#*", "notes#*"}; !slices.Equal(names, want) {
		t.Errorf("found %q, want %q", names, want)
	}
}
