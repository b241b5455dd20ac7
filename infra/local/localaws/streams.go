package localaws

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// rewindStreams takes the places that stream readers had reached out of a kept
// state. The server keeps those places over a restart but not the streams: a
// new stream begins at nothing, and a reader that waits at the old place would
// miss as many records as it has read before. Without a place it begins where
// the new stream begins.
func rewindStreams(stateDir string) error {
	path := filepath.Join(stateDir, "lambda.json")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("localaws: kept state: %w", err)
	}
	var file, payload map[string]json.RawMessage
	if err := json.Unmarshal(text, &file); err != nil {
		return fmt.Errorf("localaws: kept state %s: %w", path, err)
	}
	if err := json.Unmarshal(file["payload"], &payload); err != nil {
		return fmt.Errorf("localaws: kept state %s: %w", path, err)
	}
	const places = "dynamodb_stream_positions"
	if _, ok := payload[places]; !ok {
		return nil
	}
	delete(payload, places)
	if file["payload"], err = json.Marshal(payload); err != nil {
		return fmt.Errorf("localaws: kept state: %w", err)
	}
	if text, err = json.Marshal(file); err != nil {
		return fmt.Errorf("localaws: kept state: %w", err)
	}
	// Beside it, then over it: a crash leaves the one or the other, whole.
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return fmt.Errorf("localaws: kept state: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("localaws: kept state: %w", err)
	}
	return nil
}
