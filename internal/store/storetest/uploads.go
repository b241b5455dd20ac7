package storetest

import (
	"errors"
	"io"
	"maps"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/store"
)

// Uploads holds a backend to the promises of Form and Read. submit sends a form
// as a browser does; it returns an error when that is refused.
func Uploads(t *testing.T, b store.Blobs, submit func(f store.Form, body []byte) error) {
	id := newTenant()
	const name = "uploads/a b+c.csv"
	u := store.Upload{ContentType: "text/csv", Min: 2, Max: 1000, Valid: time.Minute}
	form, err := b.Form(t.Context(), id, store.Files, name, u)
	if err != nil {
		t.Fatal(err)
	}
	with := func(field, value string) store.Form {
		f := store.Form{URL: form.URL, Fields: maps.Clone(form.Fields)}
		f.Fields[field] = value
		return f
	}
	for what, c := range map[string]struct {
		form store.Form
		size int
	}{
		"too small":            {form, 1},
		"too large":            {form, 1001},
		"another content type": {with("Content-Type", "text/html"), 10},
		"another name":         {with("key", string(id)+"/plans/x"), 10},
		"another tenant":       {with("key", string(newTenant())+"/"+name), 10},
	} {
		if err := submit(c.form, []byte(strings.Repeat("x", c.size))); err == nil {
			t.Errorf("%s: the upload was taken", what)
		}
	}
	if names, err := b.List(t.Context(), id, store.Files, ""); err != nil || len(names) != 0 {
		t.Fatalf("after refused uploads there is %q, %v", names, err)
	}
	if _, _, err := b.Read(t.Context(), id, store.Files, name); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Read of nothing: %v, want ErrNotFound", err)
	}
	content := strings.Repeat("y", 1000)
	if err := submit(form, []byte(content)); err != nil {
		t.Fatal(err)
	}
	body, size, err := b.Read(t.Context(), id, store.Files, name)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(body)
	if err = errors.Join(err, body.Close()); err != nil || string(got) != content || size != 1000 {
		t.Errorf("Read brings %d of %d bytes, %v", len(got), size, err)
	}
	if _, _, err := b.Read(t.Context(), newTenant(), store.Files, name); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another tenant's Read: %v, want ErrNotFound", err)
	}
	for what, bad := range map[string]store.Upload{
		"no type":   {Max: 1, Valid: time.Minute},
		"no bound":  {ContentType: "text/csv", Valid: time.Minute},
		"too long":  {ContentType: "text/csv", Max: 1, Valid: store.MaxLink + time.Second},
		"no time":   {ContentType: "text/csv", Max: 1},
		"backwards": {ContentType: "text/csv", Min: 3, Max: 2, Valid: time.Minute},
	} {
		if _, err := b.Form(t.Context(), id, store.Files, name, bad); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", what, err)
		}
	}
}
