// Package kinds makes keys of kinds that nobody declared, in every way in which the
// product's code writes them.
package kinds

import (
	"fmt"

	"pricemanager/internal/store"
)

const diaryPK, notesPK = "diary", "notes#"

func lettersPK(to string) string { return "letters#" + to }

// Keys are five that are not declared and one that is.
func Keys(to string) []store.Key {
	return []store.Key{
		{PK: diaryPK, SK: "1"}, {PK: notesPK + to, SK: "1"}, {PK: lettersPK(to), SK: "1"},
		{PK: fmt.Sprintf("computed#%s", to), SK: "1"}, {PK: to, SK: "1"}, {PK: "plans", SK: to},
	}
}
