package deploy

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"pricemanager/infra/local/flock"
)

// Archive is the deployment package of one function.
type Archive struct {
	Path string // the zip file
	Key  string // its name in a bucket: changes exactly when the content does
}

// Build compiles the functions, root/functions/<name>, and the other commands
// named by their package for this machine into out, and packs the functions.
// What did not change since the last time is neither linked nor packed again.
// The flags are those of `sam build` (see the Makefile), but for the
// architecture. Several processes may build into the same directory: each waits
// for the one before.
func Build(ctx context.Context, root, out string, functions []Function, others ...string) (map[string]Archive, error) {
	unlock, err := flock.Lock(ctx, filepath.Join(out, "lock"))
	if err != nil {
		return nil, fmt.Errorf("deploy: %w", err)
	}
	defer unlock()
	packages := slices.Clone(others)
	for _, f := range functions {
		packages = append(packages, "./functions/"+f.Name)
	}
	// One call for all: the go command shares the work and builds in parallel.
	// It names each binary after its directory.
	args := append([]string{"build", "-trimpath", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", out + string(filepath.Separator)}, packages...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("deploy: go build: %w\n%s", err, output)
	}
	archives := make([]Archive, len(functions))
	var group errgroup.Group
	for i, f := range functions {
		group.Go(func() (err error) {
			archives[i], err = Pack(filepath.Join(out, f.Name))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	byID := make(map[string]Archive, len(functions))
	for i, f := range functions {
		byID[f.ID] = archives[i]
	}
	return byID, nil
}

// Pack zips a binary as the bootstrap of a custom runtime, next to it and named
// after its content; an archive of the same content is used as it is.
func Pack(binary string) (Archive, error) {
	content, err := os.ReadFile(binary)
	if err != nil {
		return Archive{}, fmt.Errorf("deploy: %w", err)
	}
	sum := sha256.Sum256(content)
	key := filepath.Base(binary) + "-" + hex.EncodeToString(sum[:8]) + ".zip"
	a := Archive{Path: filepath.Join(filepath.Dir(binary), key), Key: key}
	if _, err := os.Stat(a.Path); err == nil {
		return a, nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return Archive{}, fmt.Errorf("deploy: %w", err)
	}
	if err := dropOld(binary); err != nil {
		return Archive{}, err
	}
	zipped, err := bootstrapZip(content)
	if err != nil {
		return Archive{}, err
	}
	// Renamed into place: an archive of that name is always a whole one.
	tmp := a.Path + ".new"
	if err := os.WriteFile(tmp, zipped, 0o600); err != nil {
		return Archive{}, fmt.Errorf("deploy: %w", err)
	}
	if err := os.Rename(tmp, a.Path); err != nil {
		return Archive{}, fmt.Errorf("deploy: %w", err)
	}
	return a, nil
}

// dropOld removes the archives of earlier builds of a binary, so that they do
// not pile up.
func dropOld(binary string) error {
	const hash = "????????????????"
	old, err := filepath.Glob(binary + "-" + hash + ".zip")
	if err != nil {
		return fmt.Errorf("deploy: %w", err)
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("deploy: %w", err)
		}
	}
	return nil
}

// bootstrapZip is a zip with one executable file named bootstrap. Without a time of
// its own the same content always gives the same bytes.
func bootstrapZip(content []byte) ([]byte, error) {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	// Fast rather than small: these archives travel nowhere.
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) { return flate.NewWriter(out, flate.BestSpeed) })
	h := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
	h.SetMode(0o755)
	f, err := w.CreateHeader(h)
	if err == nil {
		_, err = f.Write(content)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, fmt.Errorf("deploy: zip: %w", err)
	}
	return buf.Bytes(), nil
}
