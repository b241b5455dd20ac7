package locked_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"testing"

	"pgregory.net/rapid"

	"pricemanager/internal/privacy/locked"
	"pricemanager/internal/secret"
)

// lock is a zip of one locked file.
func lock(t interface{ Fatal(...any) }, name string, content []byte, password secret.Value) []byte {
	var packed, out bytes.Buffer
	z, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	_, werr := z.Write(content)
	if err := errors.Join(werr, z.Close()); err != nil {
		t.Fatal(err)
	}
	h := zip.FileHeader{Name: name, Method: zip.Deflate, UncompressedSize64: uint64(len(content)), CompressedSize64: uint64(packed.Len() + locked.Overhead)}
	locked.Header(&h)
	archive := zip.NewWriter(&out)
	to, err := archive.CreateRaw(&h)
	if err != nil {
		t.Fatal(err)
	}
	w, err := locked.NewWriter(to, password, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, werr = packed.WriteTo(w)
	if err := errors.Join(werr, w.Close(), archive.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func open(body []byte, password string) ([]byte, error) {
	z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return nil, err
	}
	in, err := locked.Open(z.File[0], secret.New(password))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(in)
}

func TestWhatIsLockedOpensWithItsPasswordAlone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		content := bytes.Repeat(rapid.SliceOf(rapid.Byte()).Draw(rt, "content"), rapid.IntRange(1, 2000).Draw(rt, "times"))
		body := lock(rt, "x.csv", content, secret.New("right"))
		if got, err := open(body, "right"); err != nil || !bytes.Equal(got, content) {
			rt.Fatalf("%d bytes of %d, %v", len(got), len(content), err)
		}
		if _, err := open(body, rapid.StringMatching("[a-z]{1,9}").Filter(func(s string) bool { return s != "right" }).Draw(rt, "wrong")); !errors.Is(err, locked.ErrOpen) {
			rt.Fatalf("opened with another password: %v", err)
		}
		if len(content) > 64 && bytes.Contains(body, content[:64]) {
			rt.Fatal("the content stands in the archive")
		}
	})
}

func TestEveryChangedByteOfALockedFileIsFound(t *testing.T) {
	t.Parallel()
	content := []byte("sku;price\nA;1,00\nB;2,00\n")
	body := lock(t, "x", content, secret.New("p"))
	z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	from, err := z.File[0].DataOffset()
	if err != nil {
		t.Fatal(err)
	}
	for i := range z.File[0].CompressedSize64 {
		bad := bytes.Clone(body)
		bad[from+int64(i)] ^= 1
		if got, err := open(bad, "p"); !errors.Is(err, locked.ErrOpen) {
			t.Errorf("byte %d of the file: %q, %v", i, got, err)
		}
	}
}

// TestAnArchiveOfAnotherToolOpens: testdata/other.zip was made by pyzipper 0.4.0,
// an implementation that shares nothing with this one.
func TestAnArchiveOfAnotherToolOpens(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("testdata/other.zip")
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Repeat([]byte("sku,price\nA-1,19.99\n"), 50)
	if got, err := open(body, "correct horse"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(lock(f, "x", []byte("content"), secret.New("p")))
	f.Fuzz(func(_ *testing.T, body []byte) {
		_, _ = open(body, "p") // neither panics nor hangs
	})
}

func TestPasswordsAreRandomAndNotShown(t *testing.T) {
	t.Parallel()
	a, err := locked.NewPassword(rand.Reader)
	b, err2 := locked.NewPassword(rand.Reader)
	if err := errors.Join(err, err2); err != nil || a.Reveal() == b.Reveal() || len(a.Reveal()) != 32 {
		t.Errorf("%d characters, %v", len(a.Reveal()), err)
	}
	if _, err := locked.NewPassword(bytes.NewReader(nil)); err == nil {
		t.Error("a password of nothing")
	}
}
