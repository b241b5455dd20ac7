package localaws

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// module is the first line of the go.mod that marks the project root.
const module = "module pricemanager"

// ProjectRoot finds the project's root directory from the working directory
// upwards.
func ProjectRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("localaws: working directory: %w", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		switch {
		case err == nil:
			if first, _, _ := strings.Cut(string(text), "\n"); strings.TrimSpace(first) == module {
				return dir, nil
			}
		case !errors.Is(err, os.ErrNotExist):
			return "", fmt.Errorf("localaws: %w", err)
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("localaws: no go.mod with %q in %s or above: run inside the project", module, start)
		}
	}
}
