package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Blobs holds a backend to the promises of store.Blobs. follow does what a
// browser does with a link; it returns an error when that brings no object.
func Blobs(t *testing.T, blobs store.Blobs, follow func(link string) (contentType string, body []byte, err error)) {
	for name, test := range map[string]func(*testing.T, store.Blobs){
		"objects come back as they were":   blobsComeBack,
		"lists are sorted and complete":    listsAreComplete,
		"tenants and buckets never meet":   blobsStayApart,
		"malformed names are refused":      badNamesAreRefused,
		"hostile names stay what they are": hostileNames,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, blobs)
		})
	}
	t.Run("links let their holder download", func(t *testing.T) {
		t.Parallel()
		linksDownload(t, blobs, follow)
	})
}

func mustPut(t *testing.T, b store.Blobs, id tenant.ID, bucket store.Bucket, name, body string) {
	t.Helper()
	if err := b.Put(t.Context(), id, bucket, name, "text/plain", []byte(body)); err != nil {
		t.Fatal(err)
	}
}

func blobIs(t *testing.T, b store.Blobs, id tenant.ID, name, want string) {
	t.Helper()
	got, err := b.Get(t.Context(), id, store.Files, name)
	if err != nil || string(got) != want {
		t.Errorf("Get %q = %d bytes, %v; want %d bytes", name, len(got), err, len(want))
	}
}

func noBlob(t *testing.T, b store.Blobs, id tenant.ID, bucket store.Bucket, name string) {
	t.Helper()
	if got, err := b.Get(t.Context(), id, bucket, name); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get %q = %d bytes, %v; want ErrNotFound", name, len(got), err)
	}
}

func blobsComeBack(t *testing.T, b store.Blobs) {
	id := newTenant()
	big := strings.Repeat("\x00\xff line\r\n", 200_000) // not text, and 1.8 MB
	mustPut(t, b, id, store.Files, "a/b.bin", big)
	mustPut(t, b, id, store.Files, "empty", "")
	blobIs(t, b, id, "a/b.bin", big)
	blobIs(t, b, id, "empty", "")
	mustPut(t, b, id, store.Files, "a/b.bin", "new")
	blobIs(t, b, id, "a/b.bin", "new")

	body := []byte("mine")
	if err := b.Put(t.Context(), id, store.Files, "own", "", body); err != nil {
		t.Fatal(err)
	}
	body[0] = 'X'
	got, err := b.Get(t.Context(), id, store.Files, "own")
	if err != nil {
		t.Fatal(err)
	}
	got[0] = 'Y'
	blobIs(t, b, id, "own", "mine")

	for range 2 { // the second time there is nothing to remove
		if err := b.Delete(t.Context(), id, store.Files, "a/b.bin"); err != nil {
			t.Fatal(err)
		}
		noBlob(t, b, id, store.Files, "a/b.bin")
	}
}

func listsAreComplete(t *testing.T, b store.Blobs) {
	id := newTenant()
	names := []string{"plans/2/x", "plans/10/x", "plans/1/x", "plans", "planson", "a", "plans/1/y", "é", "Z"}
	for _, n := range names {
		mustPut(t, b, id, store.Files, n, n)
	}
	slices.Sort(names)
	for _, prefix := range []string{"", "plans", "plans/", "plans/1", "plans/1/", "none", "é"} {
		var want []string
		for _, n := range names {
			if strings.HasPrefix(n, prefix) {
				want = append(want, n)
			}
		}
		got, err := b.List(t.Context(), id, store.Files, prefix)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("List %q = %q, %v; want %q", prefix, got, err, want)
		}
	}
}

func blobsStayApart(t *testing.T, b store.Blobs) {
	mine := newTenant()
	others := []tenant.ID{newTenant(), mine + "0"} // one id begins with the other
	mustPut(t, b, mine, store.Files, "secret", "mine")
	for _, other := range others {
		noBlob(t, b, other, store.Files, "secret")
		if names, err := b.List(t.Context(), other, store.Files, ""); err != nil || len(names) != 0 {
			t.Errorf("List = %q, %v; want nothing", names, err)
		}
		if err := b.Delete(t.Context(), other, store.Files, "secret"); err != nil {
			t.Error(err)
		}
		mustPut(t, b, other, store.Files, "secret", "theirs")
	}
	blobIs(t, b, mine, "secret", "mine")
	noBlob(t, b, mine, store.Exports, "secret")
	if names, err := b.List(t.Context(), mine, store.Files, ""); err != nil || !slices.Equal(names, []string{"secret"}) {
		t.Errorf("List = %q, %v; want the one object", names, err)
	}
}

func badNamesAreRefused(t *testing.T, b store.Blobs) {
	id := newTenant()
	type call struct {
		id     tenant.ID
		bucket store.Bucket
		name   string
	}
	calls := []call{{"", store.Files, "a"}, {"t_UPPER00", store.Files, "a"}, {id + "/x", store.Files, "a"}, {id, "", "a"}, {id, "unknown", "a"}}
	for _, name := range []string{"", "/", "/a", "a/", "a//b", ".", "..", "../x", "a/../../x", "a/./b", "a\x00", "a\nb", "\xff", strings.Repeat("n", store.MaxName+1)} {
		calls = append(calls, call{id, store.Files, name})
	}
	for _, c := range calls {
		_, getErr := b.Get(t.Context(), c.id, c.bucket, c.name)
		_, linkErr := b.Link(t.Context(), c.id, c.bucket, c.name, time.Minute)
		for what, err := range map[string]error{
			"Put": b.Put(t.Context(), c.id, c.bucket, c.name, "", nil), "Get": getErr, "Link": linkErr,
			"Delete": b.Delete(t.Context(), c.id, c.bucket, c.name),
		} {
			if !errors.Is(err, store.ErrInvalid) {
				t.Errorf("%s of %.20q in %q of %q: error is %v, want ErrInvalid", what, c.name, c.bucket, c.id, err)
			}
		}
	}
	for _, valid := range []time.Duration{0, -time.Minute, store.MaxLink + time.Second} {
		if _, err := b.Link(t.Context(), id, store.Files, "a", valid); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("Link for %s: error is %v, want ErrInvalid", valid, err)
		}
	}
	if names, err := b.List(t.Context(), id, store.Files, ""); err != nil || len(names) != 0 {
		t.Errorf("after refused calls: List = %q, %v", names, err)
	}
	if _, err := b.List(t.Context(), id, store.Files, "a\x00"); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("List of a malformed prefix: %v, want ErrInvalid", err)
	}
}

// hostileNames mean something to paths, URLs, XML or shells.
func hostileNames(t *testing.T, b store.Blobs) {
	id := newTenant()
	names := []string{
		"a b", "a+b", "a%20b", "a%2Fb", "a?b=c", "a#b", "a&b", "<a>", `"a"`, "a\\b", "...", "~", "a;b", "a:b", "*", "é/\U0001F600",
		strings.Repeat("n", store.MaxName),
	}
	for i, n := range names {
		mustPut(t, b, id, store.Files, n, fmt.Sprint(i))
	}
	for i, n := range names {
		blobIs(t, b, id, n, fmt.Sprint(i))
	}
	slices.Sort(names)
	if got, err := b.List(t.Context(), id, store.Files, ""); err != nil || !slices.Equal(got, names) {
		t.Errorf("List = %q, %v; want %q", got, err, names)
	}
}

func linksDownload(t *testing.T, b store.Blobs, follow func(string) (string, []byte, error)) {
	id := newTenant()
	const name = "exports/a b+c?.zip"
	mustPut(t, b, id, store.Exports, name, "the export")
	link, err := b.Link(t.Context(), id, store.Exports, name, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	contentType, body, err := follow(link)
	if err != nil || string(body) != "the export" || contentType != "text/plain" {
		t.Errorf("the link brings %q (%s), %v", body, contentType, err)
	}
	if err := b.Delete(t.Context(), id, store.Exports, name); err != nil {
		t.Fatal(err)
	}
	if _, body, err := follow(link); err == nil {
		t.Errorf("the link to a deleted object brings %q", body)
	}
}
