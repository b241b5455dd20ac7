package localaws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"pricemanager/infra/local/flock"
)

// ErrNoPython says that this machine cannot make a Python environment.
var ErrNoPython = errors.New("python3 (3.10 or newer, with its venv module) is needed for the local AWS: " +
	"install it, for example with: apt-get install python3 python3-venv, or: brew install python")

// Requirements is the file that pins the local AWS, relative to the project.
const Requirements = "infra/local/requirements.txt"

// EnsureVenv makes the Python environment of the local AWS under root, unless
// it is there already, and returns its interpreter. An empty root is
// <project>/.local/venv, shared by everything that runs from this checkout.
func EnsureVenv(ctx context.Context, root string, log io.Writer) (string, error) {
	return EnsureVenvFor(ctx, root, Requirements, log)
}

// EnsureVenvFor does the same for another requirements file, named relative to
// the project. Environments live in a directory named after the hash of their
// requirements: a new version is a new directory, and a cloud that runs from
// the old one is not disturbed. A second process that wants the same one waits
// for the first.
func EnsureVenvFor(ctx context.Context, root, requirements string, log io.Writer) (string, error) {
	project, err := ProjectRoot()
	if err != nil {
		return "", err
	}
	if root == "" {
		root = filepath.Join(project, ".local", "venv")
	}
	requirements = filepath.Join(project, requirements)
	text, err := os.ReadFile(requirements)
	if err != nil {
		return "", fmt.Errorf("localaws: %w", err)
	}
	sum := sha256.Sum256(text)
	dir := filepath.Join(root, hex.EncodeToString(sum[:6]))
	python := filepath.Join(dir, "bin", "python")
	stamp := filepath.Join(dir, "complete")
	if exists(stamp) {
		return python, nil
	}
	unlock, err := flock.Lock(ctx, dir+".lock")
	if err != nil {
		return "", fmt.Errorf("localaws: %w", err)
	}
	defer unlock()
	if exists(stamp) { // the one we waited for made it
		return python, nil
	}
	if err := makeVenv(ctx, dir, python, requirements, log); err != nil {
		return "", err
	}
	// Last of all: a directory without the stamp is a half-made one and is
	// thrown away by the next who comes.
	if err := os.WriteFile(stamp, nil, 0o600); err != nil {
		return "", fmt.Errorf("localaws: %w", err)
	}
	return python, nil
}

func makeVenv(ctx context.Context, dir, python, requirements string, log io.Writer) error {
	if log == nil {
		log = io.Discard
	}
	system, err := exec.LookPath("python3")
	if err != nil {
		return fmt.Errorf("localaws: %w", ErrNoPython)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("localaws: %w", err)
	}
	fmt.Fprintf(log, "making the Python environment for %s (once, about a minute)\n", filepath.Base(filepath.Dir(requirements)))
	if err := run(ctx, log, system, "-m", "venv", dir); err != nil {
		return fmt.Errorf("localaws: cannot make a virtual environment (%w): %w", err, ErrNoPython)
	}
	if err := run(ctx, log, python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements); err != nil {
		return fmt.Errorf("localaws: cannot install %s (see the output above; is the Python package index reachable?): %w", requirements, err)
	}
	return nil
}

func run(ctx context.Context, log io.Writer, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(name), err)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
