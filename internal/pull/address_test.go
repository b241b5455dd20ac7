package pull

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pricemanager/internal/envelope"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

const keyed = "https://files.example.com/d/k3yInThePath/prices.csv?key=k3yInTheQuery"

// everything is all that rests, as text.
func (w *world) everything() string {
	var out strings.Builder
	w.db.Each(func(_ tenant.ID, _ store.Table, item store.Item) bool {
		for name, v := range item.Attrs {
			fmt.Fprintf(&out, "%s %s=%s\n", item.SK, name, v)
		}
		return true
	})
	return out.String()
}

// The address of a file may be the key to it: nothing of it but the host rests in
// clear, whatever becomes of the source, and yet the file is fetched from there.
func TestTheAddressOfAFileRestsSealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.web.files[keyed] = "sku;price\nA;1,50\n"
	src := hourly()
	src.URL, src.ChecksumURL = keyed, ""
	p := w.create(src)
	clean := func(after string) {
		t.Helper()
		all := w.everything()
		if strings.Contains(all, "k3yInThe") || strings.Contains(all, "/d/") || !strings.Contains(all, "https://files.example.com/[hidden]") {
			t.Errorf("after %s the table has %s", after, all)
		}
	}
	clean("setting it")
	if p.URL != keyed || w.get(p.ID).URL != keyed {
		t.Errorf("who set it sees %s", w.get(p.ID).URL)
	}
	w.goes(p.ID, Planned)
	if len(w.web.asked) != 1 || w.web.asked[0].URL != keyed {
		t.Errorf("asked for %+v", w.web.asked)
	}
	clean("fetching it")
	src.ChecksumURL = keyed + ".sha256"
	if _, err := w.store.Change(t.Context(), owner, p.ID, By{Actor: "key:bob"}, src, 1); err != nil || w.get(p.ID).ChecksumURL != src.ChecksumURL {
		t.Fatal(w.get(p.ID), err)
	}
	clean("changing it")
	if err := w.store.Delete(t.Context(), owner, p.ID, "key:bob", 2); err != nil {
		t.Fatal(err)
	}
	it, err := w.db.Get(t.Context(), owner, store.Offers, itemKey(p.ID))
	if err != nil || it.Bytes(aAddress) != nil {
		t.Errorf("a deleted source keeps its address, sealed: %v, %v", it, err)
	}
	clean("deleting it")
}

// An address opens for its own source alone: who can write to the table cannot
// have another tenant's, or another source's, fetched.
func TestAnAddressIsOfItsSourceAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.create(hourly()), w.create(hourly())
	theirs, err := w.store.Create(t.Context(), stranger, By{Actor: "key:eve"}, hourly(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for owned, id := range map[tenant.ID]string{owner: b.ID, stranger: theirs.ID} {
		from, err := w.db.Get(t.Context(), owned, store.Offers, itemKey(id))
		if err != nil {
			t.Fatal(err)
		}
		sealed := from.Bytes(aAddress)
		if bytes.Contains(sealed, []byte("files.example.com")) {
			t.Error("the address is not sealed")
		}
		if _, err := w.db.Update(t.Context(), owner, store.Offers, itemKey(a.ID), store.Update{Set: map[string]any{aAddress: sealed}}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.store.Get(t.Context(), owner, a.ID); !errors.Is(err, envelope.ErrOpen) {
			t.Errorf("the address of %s opened as that of %s: %v", id, a.ID, err)
		}
		if out, err := w.run.Run(t.Context(), owner, a.ID, w.clock.Now().Add(1e9)); !errors.Is(err, envelope.ErrOpen) && out != Nothing || len(w.web.asked) != 0 {
			t.Errorf("it was fetched: %s, %v", out, err)
		}
	}
}
