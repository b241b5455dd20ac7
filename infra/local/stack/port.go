package stack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// portFile keeps the local AWS's port with its state: the local AWS names its
// queues by URLs that hold the port, so that the queues of a state can be
// reached on no other.
const portFile = "aws-port"

// keptPort returns the port that the state in dir is bound to, 0 for none.
func keptPort(dir string) (int, error) {
	text, err := os.ReadFile(filepath.Join(dir, portFile))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("stack: %w", err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("stack: %s does not hold a port: %w", filepath.Join(dir, portFile), err)
	}
	return n, nil
}

// choosePort decides the local AWS's port: the one that was asked for, unless
// the kept state is bound to another.
func choosePort(dir string, asked int) (int, error) {
	kept, err := keptPort(dir)
	if err != nil || kept == 0 || kept == asked || asked == 0 {
		return max(kept, asked), err
	}
	return 0, fmt.Errorf("stack: the state in %s was made with AWS_PORT=%d and works with no other: set that, or STATE to another directory", dir, kept)
}

func keepPort(dir string, port int) error {
	if err := os.WriteFile(filepath.Join(dir, portFile), []byte(strconv.Itoa(port)+"\n"), 0o600); err != nil {
		return fmt.Errorf("stack: %w", err)
	}
	return nil
}
