package ledger

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

const checkpoints = "checkpoints/"

// Archived is a checkpoint in the archive.
type Archived struct {
	Checkpoint

	Signed string // the note
}

// Checkpoints returns the archived checkpoints, the newest first, at most limit. after
// continues a list where next said; next is "" at the end. They come as they are kept:
// whoever uses one checks its signature.
func (a Archive) Checkpoints(ctx context.Context, t tenant.ID, after string, limit int) (list []Archived, next string, err error) {
	names, err := a.Blobs.List(ctx, t, store.Archive, checkpoints)
	if err != nil {
		return nil, "", fmt.Errorf("ledger: archived checkpoints of %s: %w", t, err)
	}
	slices.Reverse(names) // sizes have 15 digits: their order is that of their names
	for _, name := range names {
		size, ok := sizeOf(name)
		if !ok || after != "" && name >= archivedName(after) {
			continue
		}
		if len(list) == limit {
			return list, strconv.FormatInt(list[limit-1].Size, 10), nil
		}
		b, err := a.Blobs.Get(ctx, t, store.Archive, name)
		if err != nil {
			return nil, "", fmt.Errorf("ledger: archived checkpoint %d of %s: %w", size, t, err)
		}
		text, _, _ := strings.Cut(string(b), "\n\n")
		c, err := parseCheckpoint(text + "\n")
		if err != nil || c.Size != size || c.Tenant != t {
			return nil, "", fmt.Errorf("ledger: %s of %s in the archive is no checkpoint of that size", name, t)
		}
		list = append(list, Archived{c, string(b)})
	}
	return list, "", nil
}

func sizeOf(name string) (int64, bool) {
	digits, ok := strings.CutSuffix(strings.TrimPrefix(name, checkpoints), ".note")
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, ok && err == nil && n >= 0
}

// archivedName is the name of the checkpoint of a size in decimal digits; of anything
// else one before all.
func archivedName(size string) string {
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil || n < 0 {
		return ""
	}
	return fmt.Sprintf("%s%015d.note", checkpoints, n)
}
