package ledger_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
)

// Every archived checkpoint is listed once, the newest first, whatever the pages; each
// is good for --since; another tenant's are not there.
func TestArchivedCheckpointsAreListedAndGoodForSince(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	blobs := memory.NewBlobs(w.clock)
	archive := ledger.Archive{Log: w.log(), Blobs: blobs}
	for i := range 7 {
		w.clock.Advance(time.Hour)
		err := w.log().AppendDirect(t.Context(), tenantA, fmt.Sprint(i), ledger.Event{Type: ledger.TenantCreated, At: w.clock.Now()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Run(t.Context(), tenantA); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.log().AppendDirect(t.Context(), tenantB, "x", ledger.Event{Type: ledger.TenantCreated, At: w.clock.Now()}); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Run(t.Context(), tenantB); err != nil {
		t.Fatal(err)
	}
	var export bytes.Buffer
	if _, err := w.log().WriteExport(t.Context(), tenantA, &export); err != nil {
		t.Fatal(err)
	}
	for page := 1; page <= 8; page++ {
		var sizes []int64
		after := ""
		for {
			list, next, err := archive.Checkpoints(t.Context(), tenantA, after, page)
			if err != nil || len(list) > page {
				t.Fatal(len(list), err)
			}
			for _, c := range list {
				sizes = append(sizes, c.Size)
				r, err := ledger.Verify(bytes.NewReader(export.Bytes()), ledger.VerifyOpts{Key: w.signer.VerifierKey(), Since: c.Signed})
				if err != nil || r.Since.Size != c.Size || !r.Since.At.Equal(c.At) {
					t.Errorf("size %d: %+v, %v", c.Size, r.Since, err)
				}
			}
			if after = next; after == "" {
				break
			}
		}
		if want := []int64{7, 6, 5, 4, 3, 2, 1}; !slices.Equal(sizes, want) {
			t.Errorf("pages of %d: %v, want %v", page, sizes, want)
		}
	}
	if list, next, err := archive.Checkpoints(t.Context(), tenantB, "", 10); err != nil || next != "" || len(list) != 1 {
		t.Errorf("%v, %q, %v", list, next, err)
	}
	if err := blobs.Put(t.Context(), tenantB, store.Archive, "checkpoints/000000000000005.note", "text/plain", []byte(newest(t, archive))); err != nil {
		t.Fatal(err)
	}
	if list, _, err := archive.Checkpoints(t.Context(), tenantB, "", 10); err == nil {
		t.Errorf("somebody else's was listed: %+v", list)
	}
}

func newest(t *testing.T, a ledger.Archive) string {
	t.Helper()
	list, _, err := a.Checkpoints(t.Context(), tenantA, "", 1)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	return list[0].Signed
}
