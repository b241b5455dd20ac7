package ledger

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"

	"pricemanager/internal/tenant"
)

// The export is JSON lines. The first is a header, every other line one leaf:
//
//	{"format":"pricemanager-ledger-1","tenant":"t_..","key":"..","size":2,"checkpoint":".."}
//	{"index":0,"salt":"<base64>","leaf":"<base64>","event":{..}}
//
// There is exactly one way to write it, so that no byte can change unnoticed.
const exportFormat = "pricemanager-ledger-1"

type exportHeader struct {
	Format     string `json:"format"`
	Tenant     string `json:"tenant"`
	Key        string `json:"key"`
	Size       int64  `json:"size"`
	Checkpoint string `json:"checkpoint"`
}

func (h exportHeader) line() ([]byte, error) {
	b, err := json.Marshal(h)
	return append(b, '\n'), err
}

type exportLeaf struct {
	Index int64           `json:"index"`
	Salt  []byte          `json:"salt"`
	Leaf  []byte          `json:"leaf"`
	Event json.RawMessage `json:"event"`
}

// appendLine appends the one spelling of a leaf. The event's bytes go in as
// they are: the leaf commits to them.
func (x exportLeaf) appendLine(b []byte) []byte {
	b = append(b, `{"index":`...)
	b = strconv.AppendInt(b, x.Index, 10)
	b = append(b, `,"salt":"`...)
	b = base64.StdEncoding.AppendEncode(b, x.Salt)
	b = append(b, `","leaf":"`...)
	b = base64.StdEncoding.AppendEncode(b, x.Leaf)
	b = append(b, `","event":`...)
	b = append(b, x.Event...)
	return append(b, "}\n"...)
}

// Exported says what WriteExport wrote.
type Exported struct {
	Size       int64
	Checkpoint string // the signed note, also in the header
}

// WriteExport writes the tenant's whole ledger with a checkpoint over it, in a
// form that Verify checks without us. It checks the tree while writing: a
// ledger that does not add up to its own root is an error, not an export.
func (l *Log) WriteExport(ctx context.Context, t tenant.ID, w io.Writer) (Exported, error) {
	// The head comes first: leaves appended while we write are left out.
	head, err := l.Head(ctx, t)
	if err != nil {
		return Exported{}, err
	}
	signed, key, err := l.sign(ctx, t, head)
	if err != nil {
		return Exported{}, err
	}
	out := bufio.NewWriterSize(w, 64<<10)
	line, err := exportHeader{
		Format: exportFormat, Tenant: string(t), Key: key, Size: head.Size, Checkpoint: signed,
	}.line()
	if err != nil {
		return Exported{}, fmt.Errorf("ledger: export header: %w", err)
	}
	if _, err := out.Write(line); err != nil {
		return Exported{}, fmt.Errorf("ledger: write export: %w", err)
	}
	var tree edge
	err = l.walk(ctx, t, 0, func(leaf Leaf) error {
		if leaf.Index >= head.Size {
			return errStop
		}
		if h := leafHash(leaf.Salt, leaf.Event); h != leaf.Hash {
			return fmt.Errorf("the event of leaf %d does not fit its hash", leaf.Index)
		}
		tree.append(leaf.Hash)
		line = exportLeaf{Index: leaf.Index, Salt: leaf.Salt, Leaf: leaf.Hash[:], Event: leaf.Event}.appendLine(line[:0])
		_, err := out.Write(line)
		return err
	})
	if err != nil {
		return Exported{}, fmt.Errorf("ledger: write export of %s: %w", t, err)
	}
	if tree.size != head.Size || tree.root() != head.Root {
		return Exported{}, fmt.Errorf("ledger: %s does not add up: %d leaves with root %s, head says %d with %s",
			t, tree.size, tree.root(), head.Size, head.Root)
	}
	if err := out.Flush(); err != nil {
		return Exported{}, fmt.Errorf("ledger: write export: %w", err)
	}
	return Exported{Size: head.Size, Checkpoint: signed}, nil
}

func hashOf(b []byte) (h tlog.Hash, ok bool) {
	return h, copy(h[:], b) == len(h) && len(b) == len(h)
}
