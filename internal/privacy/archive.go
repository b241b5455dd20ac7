package privacy

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"time"

	"pricemanager/internal/privacy/locked"
	"pricemanager/internal/secret"
)

// archive gathers files and makes one locked zip of them. Every file is compressed
// on its own as it is written, so that several can be open at once. Memory holds
// held bytes of each; the rest is in the temporary file, in whatever order it came.
type archive struct {
	at     time.Time
	member string // whose it is, when it is of one member alone
	files  []*file
	names  map[string]bool
	temp   Temp
	used   int64 // of temp
}

// held is how much of one file's compressed content memory holds, in bytes.
const held = 128 << 10

// Temp is a temporary file that is gone when it is closed.
type Temp interface {
	io.Writer
	io.ReaderAt
	io.Closer
}

func newArchive(at time.Time, temp Temp) *archive {
	return &archive{at: at.UTC(), temp: temp, names: map[string]bool{}}
}

// file is one file of an archive.
type file struct {
	name string
	rows int64
	size int64
	sum  hash.Hash
	raw  spool
	z    *flate.Writer
	end  func() error // writes what is left, before the file is closed
}

// spool is compressed content: pieces of the archive's temporary file, and then what
// memory holds.
type spool struct {
	archive *archive
	pieces  []piece
	tail    bytes.Buffer
	size    int64
}

type piece struct{ from, size int64 }

func (s *spool) Write(p []byte) (int, error) {
	s.size += int64(len(p))
	n, err := s.tail.Write(p)
	if err != nil || s.tail.Len() < held {
		return n, err
	}
	size, err := s.tail.WriteTo(s.archive.temp)
	s.pieces = append(s.pieces, piece{s.archive.used, size})
	s.archive.used += size
	return n, err
}

// WriteTo writes all of it, once.
func (s *spool) WriteTo(w io.Writer) (n int64, err error) {
	for _, p := range s.pieces {
		m, err := io.Copy(w, io.NewSectionReader(s.archive.temp, p.from, p.size))
		n += m
		if err != nil {
			return n, err
		}
	}
	m, err := s.tail.WriteTo(w)
	return n + m, err
}

func (a *archive) create(name string) (*file, error) {
	if a.names[name] {
		return nil, fmt.Errorf("privacy: two files called %s", name)
	}
	a.names[name] = true
	f := &file{name: name, raw: spool{archive: a}, sum: sha256.New()}
	var err error
	if f.z, err = flate.NewWriter(&f.raw, flate.DefaultCompression); err != nil {
		return nil, fmt.Errorf("privacy: compress %s: %w", name, err)
	}
	a.files = append(a.files, f)
	return f, nil
}

func (f *file) Write(p []byte) (int, error) {
	f.size += int64(len(p))
	_, _ = f.sum.Write(p) // a hash takes everything
	return f.z.Write(p)
}

// add writes a whole file.
func (a *archive) add(name string, content []byte) error {
	f, err := a.create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return err
}

// manifest lists the files of an archive with what proves that they are whole.
type manifest struct {
	Format    string          `json:"format"`
	Tenant    string          `json:"tenant"`
	Member    string          `json:"member,omitempty"` // whose it is alone; "" for everything of the tenant
	Export    string          `json:"export"`
	Requested time.Time       `json:"requestedAt"`
	Created   time.Time       `json:"createdAt"`
	Files     []manifestEntry `json:"files"`
}

type manifestEntry struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	Rows   int64  `json:"rows"`
	SHA256 string `json:"sha256"`
}

const (
	manifestName   = "manifest.json"
	manifestFormat = "pricemanager-export-1"
)

// finish closes the files, adds the manifest m completed with them, and writes
// the zip, locked under the password. It returns how many files are in it.
func (a *archive) finish(w io.Writer, m manifest, password secret.Value, random io.Reader) (int, error) {
	for _, f := range a.files {
		if err := f.close(); err != nil {
			return 0, err
		}
		m.Files = append(m.Files, manifestEntry{
			Name: f.name, Bytes: f.size, Rows: f.rows, SHA256: hex.EncodeToString(f.sum.Sum(nil)),
		})
	}
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return 0, fmt.Errorf("privacy: manifest: %w", err)
	}
	if err := a.add(manifestName, append(b, '\n')); err != nil {
		return 0, err
	}
	if err := a.files[len(a.files)-1].close(); err != nil {
		return 0, err
	}
	z := zip.NewWriter(w)
	if err := z.SetComment(comment); err != nil {
		return 0, fmt.Errorf("privacy: write archive: %w", err)
	}
	for _, f := range a.files {
		if err := f.lock(z, a.at, password, random); err != nil {
			return 0, fmt.Errorf("privacy: write %s: %w", f.name, err)
		}
	}
	if err := z.Close(); err != nil {
		return 0, fmt.Errorf("privacy: write archive: %w", err)
	}
	return len(a.files), nil
}

// comment is what anybody can read who finds the archive.
const comment = "Price Manager export. Locked with AES-256: 7-Zip, WinZip or Keka open it, with the password that stands beside its link."

// lock writes the file into the zip.
func (f *file) lock(z *zip.Writer, at time.Time, password secret.Value, random io.Reader) error {
	h := zip.FileHeader{
		Name: f.name, Method: zip.Deflate, Modified: at,
		CompressedSize64: uint64(f.raw.size) + locked.Overhead, UncompressedSize64: uint64(f.size),
	}
	locked.Header(&h)
	to, err := z.CreateRaw(&h)
	if err != nil {
		return err
	}
	out, err := locked.NewWriter(to, password, random)
	if err != nil {
		return err
	}
	if _, err := f.raw.WriteTo(out); err != nil {
		return err
	}
	return out.Close()
}

func (f *file) close() error {
	if f.end != nil {
		if err := f.end(); err != nil {
			return fmt.Errorf("privacy: end %s: %w", f.name, err)
		}
	}
	if err := f.z.Close(); err != nil {
		return fmt.Errorf("privacy: end %s: %w", f.name, err)
	}
	return nil
}
