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
	"hash/crc32"
	"io"
	"time"
)

// archive gathers files and makes one zip of them. Every file is compressed on
// its own as it is written, so that several can be open at once and memory holds
// only what is compressed.
type archive struct {
	at    time.Time
	files []*file
	names map[string]bool
}

func newArchive(at time.Time) *archive { return &archive{at: at.UTC(), names: map[string]bool{}} }

// file is one file of an archive.
type file struct {
	name string
	rows int64
	size int64
	crc  hash.Hash32
	sum  hash.Hash
	raw  bytes.Buffer
	z    *flate.Writer
	end  func() error // writes what is left, before the file is closed
}

func (a *archive) create(name string) (*file, error) {
	if a.names[name] {
		return nil, fmt.Errorf("privacy: two files called %s", name)
	}
	a.names[name] = true
	f := &file{name: name, crc: crc32.NewIEEE(), sum: sha256.New()}
	var err error
	if f.z, err = flate.NewWriter(&f.raw, flate.DefaultCompression); err != nil {
		return nil, fmt.Errorf("privacy: compress %s: %w", name, err)
	}
	a.files = append(a.files, f)
	return f, nil
}

func (f *file) Write(p []byte) (int, error) {
	f.size += int64(len(p))
	// Hashes take everything.
	_, _ = f.crc.Write(p)
	_, _ = f.sum.Write(p)
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
// the zip. It returns how many files are in it.
func (a *archive) finish(w io.Writer, m manifest) (int, error) {
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
	for _, f := range a.files {
		out, err := z.CreateRaw(&zip.FileHeader{
			Name: f.name, Method: zip.Deflate, Modified: a.at, CRC32: f.crc.Sum32(),
			CompressedSize64: uint64(f.raw.Len()), UncompressedSize64: uint64(f.size),
		})
		if err == nil {
			_, err = f.raw.WriteTo(out)
		}
		if err != nil {
			return 0, fmt.Errorf("privacy: write %s: %w", f.name, err)
		}
	}
	if err := z.Close(); err != nil {
		return 0, fmt.Errorf("privacy: write archive: %w", err)
	}
	return len(a.files), nil
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
