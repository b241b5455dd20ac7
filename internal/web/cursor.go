package web

import (
	"encoding/base64"
	"strconv"
	"unicode/utf8"

	"pricemanager/internal/fault"
)

// maxCursor bounds what a caller can hand back as a cursor, in bytes.
const maxCursor = 2048

// Cursor makes an opaque cursor of the key to continue after; "" stays "",
// which says that there is no more. It hides the form of keys, not their
// content: whoever reads on is checked again, so it needs no signature.
func Cursor(after string) string {
	if after == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte("1" + after))
}

// Page reads the query's after and limit: the key to continue after ("" is the
// beginning) and how many entries to return, def when not given, at most most.
func (r *Request) Page(def, most int) (after string, limit int, err error) {
	limit = def
	if s := r.Query.Get("limit"); s != "" {
		if limit, err = strconv.Atoi(s); err != nil || limit < 1 || limit > most {
			return "", 0, fault.New(fault.Invalid, "limit", "limit must be a number from 1 to %d.", most)
		}
	}
	c := r.Query.Get("after")
	if c == "" {
		return "", limit, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(c)
	if err != nil || len(c) > maxCursor || len(b) < 2 || b[0] != '1' || !utf8.Valid(b) {
		return "", 0, fault.New(fault.Invalid, "cursor", "after must be the value of next from the page before, unchanged.")
	}
	return string(b[1:]), limit, nil
}
