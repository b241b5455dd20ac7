package store

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"pricemanager/internal/tenant"
)

// Limits that every backend enforces. They are DynamoDB's, S3's and SQS's as of
// 2026 unless a comment says otherwise.
const (
	MaxTransact      = 100     // writes in one transaction
	MaxTransactBytes = 4 << 20 // items of one transaction together

	MaxItem = 400 << 10 // bytes of one item as Size counts them
	MaxPage = 1 << 20   // bytes after which a page ends
	// DefaultLimit is how many items a Query without Limit returns; ours.
	DefaultLimit = 1000

	MaxSK = 1024 // bytes
	// MaxPK is DynamoDB's 2,048 bytes less the longest tenant id and a separator.
	MaxPK   = 2048 - 34 - 1
	MaxAttr = 255 // bytes of an attribute's name; ours, far below DynamoDB's

	// MaxName is S3's 1,024 bytes less the longest tenant id and a slash.
	MaxName = 1024 - 34 - 1
	MaxLink = 7 * 24 * time.Hour // a signed URL's longest life

	MaxMessage = 256 << 10 // ours: a doorbell names work, it does not carry it
	MaxDelay   = 900 * time.Second
)

// Size is how many bytes DynamoDB counts for the item: the names and values of
// all attributes and of the key, in which the tenant is part of pk.
func Size(t tenant.ID, it Item) int {
	n := KeySize(t, it.Key)
	for name, v := range it.Attrs {
		n += len(name) + ValueSize(v)
	}
	return n
}

// KeySize is the part of Size that the key takes.
func KeySize(t tenant.ID, k Key) int { return len("pk#sk") + len(t) + len(k.PK) + len(k.SK) }

// ValueSize is the part of Size that an attribute's value takes.
func ValueSize(v any) int {
	switch v := v.(type) {
	case string:
		return len(v)
	case []byte:
		return len(v)
	case int64:
		return numberSize(v)
	default:
		return 1
	}
}

// numberSize is a byte for each two significant digits, one more, and one for
// a minus.
func numberSize(n int64) int {
	size := 1
	if n < 0 {
		size++
	}
	for n != 0 && n%10 == 0 {
		n /= 10
	}
	digits := 0
	for ; n != 0; n /= 10 {
		digits++
	}
	return size + (digits+1)/2
}

// Units are DynamoDB's units of cost.
type Units struct {
	Read  int64 // of 4 KB, strongly consistent
	Write int64 // of 1 KB; a transaction's count twice
}

// Plus adds two counts.
func (u Units) Plus(v Units) Units { return Units{u.Read + v.Read, u.Write + v.Write} }

// Minus is how much u is beyond v.
func (u Units) Minus(v Units) Units { return Units{u.Read - v.Read, u.Write - v.Write} }

// ReadUnits is the cost of reading so many bytes at once; nothing costs one.
func ReadUnits(bytes int) int64 { return int64(max(1, (bytes+4095)/4096)) }

// WriteUnits is the cost of writing, or of failing to write, one item of so
// many bytes; nothing costs one.
func WriteUnits(bytes int) int64 { return int64(max(1, (bytes+1023)/1024)) }

// CheckName refuses a blob's name that breaks the rules of Blobs.
func CheckName(t tenant.ID, b Bucket, name string) error {
	if err := checkBucket(t, b); err != nil {
		return err
	}
	if len(name) > MaxName {
		return invalid("blob name of %d bytes: at most %d", len(name), MaxName)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return invalid("blob name with an empty, . or .. part")
		}
	}
	return checkText(name, "blob name")
}

// CheckPrefix refuses what cannot begin a name. "" begins all of them.
func CheckPrefix(t tenant.ID, b Bucket, prefix string) error {
	if err := checkBucket(t, b); err != nil {
		return err
	}
	if len(prefix) > MaxName {
		return invalid("blob prefix of %d bytes: at most %d", len(prefix), MaxName)
	}
	return checkText(prefix, "blob prefix")
}

// CheckLink refuses a time of validity that cannot be signed.
func CheckLink(valid time.Duration) error {
	if valid < time.Second || valid > MaxLink {
		return invalid("link valid for %s: want 1s to %s", valid, MaxLink)
	}
	return nil
}

func checkBucket(t tenant.ID, b Bucket) error {
	if !t.Valid() {
		return fmt.Errorf("%w: %w", ErrInvalid, tenant.ErrInvalid)
	}
	switch b {
	case Files, Exports, Archive, History, Downloads:
		return nil
	}
	return invalid("unknown bucket %q", string(b))
}

func checkText(s, what string) error {
	if !utf8.ValidString(s) {
		return invalid("%s is not UTF-8", what)
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return invalid("%s with a control character", what)
	}
	return nil
}

// CheckMessage refuses a message that breaks the rules of Queue, and returns
// its delay in whole seconds, rounded up so that none comes early.
func CheckMessage(body []byte, delay time.Duration) (seconds int32, err error) {
	switch {
	case len(body) > MaxMessage:
		return 0, invalid("message of %d bytes: at most %d", len(body), MaxMessage)
	case !json.Valid(body) || !utf8.Valid(body):
		return 0, invalid("message is not JSON in UTF-8")
	case delay < 0 || delay > MaxDelay:
		return 0, invalid("delay of %s: want 0 to %s", delay, MaxDelay)
	}
	return int32((delay + time.Second - 1) / time.Second), nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}
