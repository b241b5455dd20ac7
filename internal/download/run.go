package download

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

const (
	// fileRows is how many rows a file has at most, give or take one page: a price
	// file may have a million, and be as large as one of this many with every cell
	// filled.
	fileRows = 300_000
	// fileBytes is how large a file gets, give or take one page: less than what may
	// be uploaded again (pricefile.MaxBytes), and than what fits in /tmp.
	fileBytes = 200 << 20
	// handOver is how long before its deadline a run ends its file: enough for one
	// page and for storing fileBytes.
	handOver = 60 * time.Second
	// leaseMargin is how much longer than its run a lease holds: the clocks of two
	// machines may differ.
	leaseMargin = 5 * time.Second
	// attempts is how often one file is tried.
	attempts = 4
)

// ErrBusy says that another run has the download. Its message is to come again.
var ErrBusy = errors.New("download: another run is making it")

// Maker makes downloads.
type Maker struct {
	*Store
	Objects store.Large
	Sources Sources
	Spool   pricefile.Spool // for the file in the making
	// FileRows is how many rows a file has, 0 for the package's own figure.
	FileRows int
}

// Run goes on making a download until it is made or, some time before the deadline,
// ends its file; then it reports false and wants to be run again. A download that is
// there, failed, or does not exist any more is done. After an error the message
// should come again.
func (m *Maker) Run(ctx context.Context, t tenant.ID, id string, deadline time.Time) (done bool, err error) {
	d, err := m.lease(ctx, t, id, deadline)
	if err != nil || d == nil {
		return err == nil, err
	}
	r := &run{Maker: m, tenant: t, Download: *d, stop: deadline.Add(-handOver)}
	switch {
	case d.tries > attempts:
		return true, r.fail(ctx, fmt.Sprintf("It could not be completed in %d attempts. Ask for a new one, or ask us with this id.", attempts))
	case !m.Clock.Now().Before(d.Expires):
		return true, r.fail(ctx, "It was not ready after a day. Ask for less at a time.")
	}
	done, err = r.work(ctx)
	var f *fault.Fault
	switch {
	case errors.As(err, &f) && f.Kind != fault.Unavailable && f.Kind != fault.Internal:
		return true, r.fail(ctx, f.Public)
	case errors.Is(err, store.ErrNotFound):
		return true, r.fail(ctx, "What it is about is no longer kept.")
	case err != nil || !done:
		// Only a courtesy to the next run: without it that waits for the lease to end.
		return false, errors.Join(err, r.update(context.WithoutCancel(ctx), store.Update{Remove: []string{aLease}}))
	}
	return true, nil
}

// lease takes the download, nil when there is nothing left to do.
func (m *Maker) lease(ctx context.Context, t tenant.ID, id string, deadline time.Time) (*Download, error) {
	it, err := m.DB.Update(ctx, t, store.Offers, itemKey(id), store.Update{
		Set: map[string]any{aLease: store.Millis(deadline.Add(leaseMargin))}, Add: map[string]int64{aRun: 1, aTries: 1},
		If: []store.Cond{store.Eq(aState, string(Running)), store.AnyOf(store.Missing(aLease), store.Le(aLease, store.Millis(m.Clock.Now())))},
	})
	if errors.Is(err, store.ErrConflict) {
		it, err = m.DB.Get(ctx, t, store.Offers, itemKey(id))
		switch {
		case errors.Is(err, store.ErrNotFound):
			return nil, nil
		case err == nil && State(it.Str(aState)) == Running:
			return nil, fmt.Errorf("%w: %s", ErrBusy, id)
		case err == nil:
			return nil, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("download: lease %s: %w", id, err)
	}
	d, err := open(it)
	return &d, err
}

// run is one run of a download.
type run struct {
	*Maker
	Download
	tenant tenant.ID
	stop   time.Time
}

// update changes the item as long as the lease is ours.
func (r *run) update(ctx context.Context, u store.Update) error {
	u.If = append(u.If, store.Eq(aState, string(Running)), store.Eq(aRun, r.run))
	if _, err := r.DB.Update(ctx, r.tenant, store.Offers, itemKey(r.ID), u); err != nil {
		return fmt.Errorf("download: save %s: %w", r.ID, err)
	}
	return nil
}

func (r *run) fail(ctx context.Context, reason string) error {
	return r.update(ctx, store.Update{
		Set:    map[string]any{aState: string(Failed), aFinished: store.Millis(r.Clock.Now()), aReason: reason},
		Remove: []string{aLease, aCursor, aTries},
	})
}

// work makes files from where the last one ended.
func (r *run) work(ctx context.Context) (done bool, err error) {
	src, err := r.Sources.of(ctx, r.tenant, r.Spec)
	if err != nil {
		return false, err
	}
	for {
		end, err := r.file(ctx, src)
		if err != nil || end {
			return end, err
		}
		if !r.Clock.Now().Before(r.stop) {
			return false, nil
		}
	}
}

// file makes one file. end says that it was the last one.
//
// Crash points: the object is there before the item names it. After a crash in
// between, the next run makes the file again, under a name with its own number.
func (r *run) file(ctx context.Context, src source) (end bool, err error) {
	temp, err := r.Spool()
	if err != nil {
		return false, fmt.Errorf("download: %w", err)
	}
	defer func() { _ = temp.Close() }() // it is gone either way
	w := &counter{to: bufio.NewWriterSize(temp, 64<<10), hash: sha256.New()}
	out, err := src.begin(w, r.Spec.Format)
	if err != nil {
		return false, err
	}
	cursor, more := r.cursor, true
	for more && out.Rows() < cmp.Or(r.FileRows, fileRows) && w.bytes < fileBytes && r.Clock.Now().Before(r.stop) {
		if cursor, more, err = src.page(ctx, cursor); err != nil {
			return false, err
		}
	}
	if err := errors.Join(out.Close(), w.to.Flush()); err != nil {
		return false, fmt.Errorf("download: %w", err)
	}
	files := r.Files
	// A table without rows is one, too: somebody waits for it.
	if out.Rows() > 0 || !more && len(files) == 0 {
		name := fmt.Sprintf("%s-%d.%s", r.Spec.What, len(files)+1, r.Spec.Format)
		f := File{Name: name, Rows: out.Rows(), Bytes: w.bytes, SHA256: hex.EncodeToString(w.hash.Sum(nil)), Object: fmt.Sprintf("%s/%d/%s", r.ID, r.run, name)}
		err := r.Objects.PutFrom(ctx, r.tenant, store.Downloads, f.Object, r.Spec.Format.ContentType(), io.NewSectionReader(temp, 0, w.bytes))
		if err != nil {
			return false, fmt.Errorf("download: store %s: %w", f.Object, err)
		}
		files = append(files, f)
	}
	return !more, r.save(ctx, cursor, files, r.Rows+int64(out.Rows()), !more)
}

// save notes a file together with where to go on.
func (r *run) save(ctx context.Context, cursor string, files []File, rows int64, end bool) error {
	list, err := json.Marshal(files)
	if err != nil {
		return fmt.Errorf("download: encode files: %w", err)
	}
	u := store.Update{Set: map[string]any{aFiles: list, aRows: rows, aCursor: cursor, aTries: int64(1)}}
	if end {
		u = store.Update{
			Set:    map[string]any{aFiles: list, aRows: rows, aState: string(Done), aFinished: store.Millis(r.Clock.Now())},
			Remove: []string{aLease, aCursor, aTries},
		}
	}
	if err := r.update(ctx, u); err != nil {
		return err
	}
	r.cursor, r.Files, r.Rows = cursor, files, rows
	return nil
}

// counter counts and hashes what is written.
type counter struct {
	to    *bufio.Writer
	hash  hash.Hash
	bytes int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.bytes += int64(n)
	_, _ = c.hash.Write(b[:n]) // never fails (hash.Hash)
	return n, err
}
