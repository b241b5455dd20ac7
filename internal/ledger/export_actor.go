package ledger

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"pricemanager/internal/tenant"
)

// WriteActor writes the events that one actor caused, in the order of the ledger, a
// line for each in the form of an export's leaves: with its index, and with the salt
// that shows the leaf to be of this event. It returns how many there are.
func (l *Log) WriteActor(ctx context.Context, t tenant.ID, actor string, w io.Writer) (events int64, err error) {
	out := bufio.NewWriterSize(w, 64<<10)
	var line []byte
	err = l.walk(ctx, t, 0, func(leaf Leaf) error {
		var e struct {
			Actor string `json:"actor"`
		}
		if err := json.Unmarshal(leaf.Event, &e); err != nil {
			return fmt.Errorf("the event of leaf %d: %w", leaf.Index, err)
		}
		if e.Actor != actor {
			return nil
		}
		events++
		line = exportLeaf{Index: leaf.Index, Salt: leaf.Salt, Leaf: leaf.Hash[:], Event: leaf.Event}.appendLine(line[:0])
		_, err := out.Write(line)
		return err
	})
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return 0, fmt.Errorf("ledger: events of one actor of %s: %w", t, err)
	}
	return events, nil
}
