package store

import "strings"

// Brief reports whether an object is kept for a week and not for the month that its
// bucket has: price files as they were uploaded, and with a column of what is wrong,
// since they may have columns that are nobody's business here. The bucket's
// lifecycle goes by the tag that such objects are stored with.
func Brief(bucket Bucket, name string) bool {
	return bucket == Files && (strings.HasPrefix(name, "uploads/") ||
		strings.HasPrefix(name, "plans/") && (strings.HasSuffix(name, "/file") || strings.HasSuffix(name, "/marked.csv")))
}

// BriefTag and BriefValue are the tag.
const (
	BriefTag   = "keep"
	BriefValue = "week"
)
