package envelope

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

// hexBytes is bytes as hexadecimal in JSON.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// TestWycheproof: the primitive takes every valid vector with our sizes and
// refuses every other one.
func TestWycheproof(t *testing.T) {
	t.Parallel()
	f, err := os.Open("testdata/wycheproof_aes256gcm.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	valid, invalid := 0, 0
	for d := json.NewDecoder(f); ; {
		var v struct {
			ID                         int
			Comment                    string
			Key, IV, AAD, Msg, CT, Tag hexBytes
			Valid                      bool
		}
		if err := d.Decode(&v); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		aead, err := newAEAD(v.Key)
		if err != nil {
			t.Fatalf("vector %d: %v", v.ID, err)
		}
		// As in a frame: nonce, ciphertext, tag.
		body := bytes.Join([][]byte{v.IV, v.CT, v.Tag}, nil)
		plain, err := aead.Open(nil, nil, body, v.AAD)
		switch {
		case !v.Valid && err == nil:
			t.Errorf("vector %d (%s) was opened", v.ID, v.Comment)
		case v.Valid && (err != nil || !bytes.Equal(plain, v.Msg)):
			t.Errorf("vector %d (%s): %x, %v; want %x", v.ID, v.Comment, plain, err, v.Msg)
		case v.Valid:
			valid++
		default:
			invalid++
		}
	}
	if valid != 39 || invalid != 27 {
		t.Errorf("%d valid and %d invalid vectors passed, want 39 and 27", valid, invalid)
	}
}

// frame is one sealed field of testdata/frames.json and what went into it.
type frame struct {
	About, Tenant, Purpose, Table, PK, SK, Field string
	Version                                      uint32
	Key, Nonce, Plain, AAD, Sealed               hexBytes
}

func frames(t testing.TB) []frame {
	t.Helper()
	text, err := os.ReadFile("testdata/frames.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []frame
	if err := json.Unmarshal(text, &all); err != nil || len(all) == 0 {
		t.Fatalf("%d frames, %v", len(all), err)
	}
	return all
}

func (f frame) where() Where {
	return Where{Table: store.Table(f.Table), Key: store.Key{PK: f.PK, SK: f.SK}, Field: f.Field}
}

// TestFieldsSealedLongAgoOpen: the bytes of the frame and of what it is bound to
// are fixed for ever. Another implementation made these.
func TestFieldsSealedLongAgoOpen(t *testing.T) {
	t.Parallel()
	for _, f := range frames(t) {
		id, p := tenant.ID(f.Tenant), Purpose(f.Purpose)
		if got := aad(id, p, f.where(), header(f.Version)); !bytes.Equal(got, f.AAD) {
			t.Errorf("%s: bound to\n%x, want\n%x", f.About, got, []byte(f.AAD))
		}
		clk := clock.NewManual(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
		db := memory.New(clk)
		r := ring{id, p}
		// plainKMS wraps nothing, so the wrapped key is the key.
		if err := db.Put(t.Context(), id, store.Keys, store.Item{Key: r.key(f.Version), Attrs: map[string]any{
			attrWrapped: []byte(f.Key), attrKMSKey: "plain", attrCreated: store.Millis(clk.Now()),
		}}); err != nil {
			t.Fatal(err)
		}
		s := New(&plainKMS{}, db, clk)
		got, err := s.Open(t.Context(), id, p, f.where(), f.Sealed)
		if err != nil || !bytes.Equal(got, f.Plain) {
			t.Errorf("%s: opened %x, %v; want %x", f.About, got, err, []byte(f.Plain))
		}
		for i := range f.Sealed {
			bad := bytes.Clone(f.Sealed)
			bad[i] ^= 1
			if _, err := s.Open(t.Context(), id, p, f.where(), bad); err != ErrOpen { //nolint:errorlint // the very sentinel: nothing may be wrapped in it
				t.Errorf("%s, byte %d changed: %v", f.About, i, err)
			}
		}
	}
}

// FuzzParse: no input makes the frame's parser panic, allocate or accept what
// header and sizes do not allow.
func FuzzParse(f *testing.F) {
	for _, v := range frames(f) {
		f.Add([]byte(v.Sealed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		version, body, ok := parse(b)
		if !ok {
			return
		}
		head := header(version)
		if version == 0 || !bytes.Equal(b, append(head[:], body...)) || len(body) < gcmSize || len(body) > gcmSize+MaxPlaintext {
			t.Errorf("took %x as version %d with %d bytes", b, version, len(body))
		}
	})
}
