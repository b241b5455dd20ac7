package privacy

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"pricemanager/internal/ledger"
	"pricemanager/internal/privacy/locked"
	"pricemanager/internal/secret"
)

// ErrNoLedger is returned for the export of one member, whose files are as its
// manifest says and which has no ledger that could be verified.
var ErrNoLedger = errors.New("privacy: an export of one member has no ledger; its files are as its manifest says, which nobody signed")

// entry is a file of an archive with what opens it.
type entry struct {
	*zip.File
	password secret.Value
}

// Open returns its content.
func (e *entry) Open() (io.ReadCloser, error) { return locked.Open(e.File, e.password) }

// maxManifest bounds what Verify reads into memory, in bytes.
const maxManifest = 1 << 20

// Verify checks an archive from its bytes alone: every file against the
// manifest, no file more or less, and the ledger in it as ledger.Verify does.
// Only the ledger is signed: somebody who rewrites another file and the manifest
// with it is found by the archive's digest in the ledger's export.completed
// event. The error Is ledger.ErrBad: what cannot be read is as bad as what is
// wrong. A locked archive needs its password; of one member's export only the files
// are checked, and the error is ErrNoLedger when they are right.
func Verify(r io.ReaderAt, size int64, password secret.Value, opts ledger.VerifyOpts) (ledger.Report, error) {
	var report ledger.Report
	bad := func(format string, args ...any) (ledger.Report, error) {
		return report, &ledger.Problem{Index: -1, Reason: fmt.Sprintf(format, args...)}
	}
	z, err := zip.NewReader(r, size)
	if err != nil {
		return bad("not an export archive: %v", err)
	}
	files := map[string]*entry{}
	for _, f := range z.File {
		if files[f.Name] != nil {
			return bad("the archive has two files called %q", f.Name)
		}
		files[f.Name] = &entry{f, password}
	}
	m, err := readManifest(files[manifestName])
	if err != nil {
		return bad("%v", err)
	}
	if len(files) != len(m.Files)+1 {
		return bad("the archive has %d files, the manifest lists %d", len(files)-1, len(m.Files))
	}
	if m.Member != "" {
		for _, e := range m.Files {
			if err := checkFile(files[e.Name], e); err != nil {
				return bad("%v", err)
			}
			files[e.Name] = nil // listed twice is as bad as missing
		}
		return report, ErrNoLedger
	}
	if files[ledgerName] == nil || files[checkpointName] == nil {
		return bad("the archive lacks %s or %s", ledgerName, checkpointName)
	}
	// The ledger first: it can name the entry that was changed, the manifest only
	// the file.
	in, err := files[ledgerName].Open()
	if err != nil {
		return bad("%s: %v", ledgerName, err)
	}
	defer in.Close()
	report, err = ledger.Verify(in, opts)
	if errors.Is(err, ledger.ErrBad) {
		return report, fmt.Errorf("%s: %w", ledgerName, err)
	}
	if err != nil {
		return bad("%s: %v", ledgerName, err)
	}
	if string(report.Tenant) != m.Tenant {
		return bad("the manifest is of %q, the ledger of %q", m.Tenant, report.Tenant)
	}
	signed, err := readAll(files[checkpointName])
	if err != nil {
		return bad("%s: %v", checkpointName, err)
	}
	if c, err := ledger.OpenCheckpoint(string(signed), report.Key); err != nil || c != report.Checkpoint {
		return bad("%s is not the checkpoint of the ledger beside it", checkpointName)
	}
	for _, e := range m.Files {
		if err := checkFile(files[e.Name], e); err != nil {
			return bad("%v", err)
		}
		files[e.Name] = nil // listed twice is as bad as missing
	}
	return report, nil
}

func readManifest(f *entry) (manifest, error) {
	if f == nil {
		return manifest{}, fmt.Errorf("the archive has no %s", manifestName)
	}
	b, err := readAll(f)
	if err != nil {
		return manifest{}, fmt.Errorf("%s: %w", manifestName, err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var m manifest
	if err := d.Decode(&m); err != nil {
		return manifest{}, fmt.Errorf("%s: %w", manifestName, err)
	}
	if m.Format != manifestFormat {
		return manifest{}, fmt.Errorf("%s: the format is %q, want %q", manifestName, m.Format, manifestFormat)
	}
	return m, nil
}

func checkFile(f *entry, e manifestEntry) error {
	if f == nil {
		return fmt.Errorf("the manifest lists %q, which is missing", e.Name)
	}
	in, err := f.Open()
	if err != nil {
		return fmt.Errorf("%s: %w", e.Name, err)
	}
	defer in.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(in, e.Bytes+1))
	if err != nil {
		return fmt.Errorf("%s: %w", e.Name, err)
	}
	if n != e.Bytes || hex.EncodeToString(sum.Sum(nil)) != e.SHA256 {
		return fmt.Errorf("%s was changed: it is not the file that the manifest describes", e.Name)
	}
	return nil
}

func readAll(f *entry) ([]byte, error) {
	in, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	b, err := io.ReadAll(io.LimitReader(in, maxManifest+1))
	if err == nil && len(b) > maxManifest {
		err = fmt.Errorf("more than %d bytes", maxManifest)
	}
	return b, err
}
