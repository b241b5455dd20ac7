package ledger

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"pricemanager/internal/tenant"
)

// VerifyOpts is what the verifying side brings along.
type VerifyOpts struct {
	// Key is the verifier key that the reader trusts, or several, as ParseKeys reads
	// them: an older checkpoint may be signed by an older key. Without it the key in the
	// export is used, which proves only that the export is whole in itself.
	Key string
	// Since is a signed checkpoint that the reader kept from earlier: the export
	// must contain that very history.
	Since string
}

// Report is what Verify found out.
type Report struct {
	Tenant     tenant.ID
	Key        string     // the verifier key in use
	KeyGiven   bool       // it came from the reader and not from the export
	Checkpoint Checkpoint // of the export
	Since      *Checkpoint
	Checked    int64 // leaves that were found good
}

// ErrBad is what every *Problem is.
var ErrBad = errors.New("ledger: the export is not what was recorded")

// Problem is the first thing that is wrong with an export.
type Problem struct {
	Line   int   // 1 is the header; 0 when no line is to blame
	Index  int64 // leaf index of the entry; -1 when no entry is to blame
	Reason string
}

func (p *Problem) Error() string {
	switch {
	case p.Index >= 0:
		return fmt.Sprintf("entry %d (line %d): %s", p.Index, p.Line, p.Reason)
	case p.Line > 0:
		return fmt.Sprintf("line %d: %s", p.Line, p.Reason)
	default:
		return p.Reason
	}
}

// Is makes errors.Is(err, ErrBad) true.
func (p *Problem) Is(target error) bool { return target == ErrBad }

// maxLine is the longest line of an export: an event and its frame. The header
// is far shorter.
const maxLine = MaxEvent + 4096

// Verify checks an export from its bytes alone: every commitment, every leaf,
// the root against the signed checkpoint, and the history against an older
// checkpoint. The error is a *Problem when the export is bad, anything else
// when it could not be read. It stops at the first problem; the report says how
// far it came.
func Verify(r io.Reader, opts VerifyOpts) (Report, error) {
	v := verifier{in: bufio.NewReaderSize(r, maxLine)}
	err := v.run(opts)
	return v.report, err
}

type verifier struct {
	in     *bufio.Reader
	line   int
	tree   edge
	report Report
}

func (v *verifier) run(opts VerifyOpts) error {
	if err := v.header(opts); err != nil {
		return err
	}
	want := v.report.Checkpoint
	since := v.report.Since
	for {
		// Compared here, before the next leaf: at this size the tree must be the
		// one that the older checkpoint signed.
		if since != nil && v.tree.size == since.Size && v.tree.root() != since.Root {
			return v.problem(-1, "the first %d entries are not those of the checkpoint you hold", since.Size)
		}
		line, err := v.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := v.leaf(line); err != nil {
			return err
		}
		v.report.Checked = v.tree.size
	}
	if v.tree.size != want.Size {
		return v.problem(v.tree.size, "missing: the checkpoint covers %d entries, the export ends after %d", want.Size, v.tree.size)
	}
	if v.tree.root() != want.Root {
		return &Problem{Index: -1, Reason: fmt.Sprintf(
			"every entry fits its own leaf, but together they are not the %d entries that were signed", want.Size)}
	}
	return nil
}

func (v *verifier) header(opts VerifyOpts) error {
	line, err := v.next()
	if errors.Is(err, io.EOF) {
		return v.problem(-1, "the export is empty")
	}
	if err != nil {
		return err
	}
	var h exportHeader
	if err := json.Unmarshal(line, &h); err != nil {
		return v.problem(-1, "the header is not JSON: %v", err)
	}
	if same, err := h.line(); err != nil || !bytes.Equal(same, line) {
		return v.problem(-1, "the header is not written the way an export is")
	}
	if h.Format != exportFormat {
		return v.problem(-1, "the format is %q, want %q", h.Format, exportFormat)
	}
	v.report.Key, v.report.KeyGiven = h.Key, opts.Key != ""
	keys := h.Key
	if opts.Key != "" {
		keys = opts.Key
		if ok, err := trusts(keys, h.Key); err != nil {
			return err
		} else if !ok {
			v.report.Key = opts.Key
			return v.problem(-1, "the export names another key than the one you trust")
		}
	}
	c, err := OpenCheckpoint(h.Checkpoint, keys)
	if err != nil {
		return v.problem(-1, "%v", err)
	}
	v.report.Checkpoint, v.report.Tenant = c, c.Tenant
	if string(c.Tenant) != h.Tenant || c.Size != h.Size {
		return v.problem(-1, "header and signed checkpoint differ in tenant or size")
	}
	if opts.Since == "" {
		return nil
	}
	since, err := OpenCheckpoint(opts.Since, keys)
	if err != nil {
		return &Problem{Index: -1, Reason: fmt.Sprintf("the older checkpoint: %v", err)}
	}
	v.report.Since = &since
	switch {
	case since.Tenant != c.Tenant:
		return &Problem{Index: -1, Reason: fmt.Sprintf("the older checkpoint is of %s, the export of %s", since.Tenant, c.Tenant)}
	case since.Size > c.Size:
		return &Problem{Index: -1, Reason: fmt.Sprintf(
			"cut short: the checkpoint you hold covers %d entries, the export only %d", since.Size, c.Size)}
	}
	return nil
}

func (v *verifier) leaf(line []byte) error {
	index := v.tree.size
	if index >= v.report.Checkpoint.Size {
		return v.problem(index, "the checkpoint covers only %d entries", v.report.Checkpoint.Size)
	}
	var x exportLeaf
	if err := json.Unmarshal(line, &x); err != nil {
		return v.problem(index, "not JSON: %v", err)
	}
	if x.Index != index {
		return v.problem(index, "this entry is number %d: entries are missing, repeated or in another order", x.Index)
	}
	if !bytes.Equal(x.appendLine(nil), line) {
		return v.problem(index, "not written the way an export is")
	}
	stated, ok := hashOf(x.Leaf)
	if !ok || len(x.Salt) != saltSize {
		return v.problem(index, "salt or leaf has another length")
	}
	h := leafHash(x.Salt, x.Event)
	if h != stated {
		return v.problem(index, "event or salt was changed: they do not fit the leaf")
	}
	v.tree.append(h)
	return nil
}

// next returns the next line with its end, valid until the next call; io.EOF
// after the last one.
func (v *verifier) next() ([]byte, error) {
	v.line++
	line, err := v.in.ReadSlice('\n')
	switch {
	case err == nil:
		return line, nil
	case errors.Is(err, io.EOF) && len(line) == 0:
		v.line--
		return nil, io.EOF
	case errors.Is(err, io.EOF):
		return nil, v.problem(v.entry(), "the line is cut")
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, v.problem(v.entry(), "the line is longer than any entry")
	default:
		return nil, fmt.Errorf("ledger: read export: %w", err)
	}
}

// entry is the leaf index that the current line should have, -1 for the header.
func (v *verifier) entry() int64 { return int64(v.line) - 2 }

func (v *verifier) problem(index int64, format string, args ...any) error {
	return &Problem{Line: v.line, Index: max(index, -1), Reason: fmt.Sprintf(format, args...)}
}
