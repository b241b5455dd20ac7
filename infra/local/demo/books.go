package demo

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pricemanager/internal/ledger"
	"pricemanager/internal/privacy/locked"
	"pricemanager/internal/secret"
)

// export asks for the tenant's GDPR export, waits for it and downloads it.
func (d *demo) export(ctx context.Context) (path string, doc exportDoc, err error) {
	if err := d.api.post(ctx, "/exports", nil, &doc); err != nil {
		return "", doc, err
	}
	err = d.poll(ctx, time.Second, 2*time.Minute, func() (bool, error) {
		if err := d.api.get(ctx, "/exports/"+doc.ID, nil, &doc); err != nil {
			return false, err
		}
		if doc.State == "failed" {
			return false, errors.New("the export failed")
		}
		return doc.State == "done", nil
	})
	if err != nil {
		return "", doc, fmt.Errorf("export: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, doc.URL, nil)
	if err != nil {
		return "", doc, err
	}
	res, err := d.api.http.Do(req)
	if err != nil {
		return "", doc, fmt.Errorf("download the export: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return "", doc, fmt.Errorf("download the export: %s: %w", res.Status, err)
	}
	path = filepath.Join(d.opt.ExportDir, doc.ID+".zip")
	if err := os.MkdirAll(d.opt.ExportDir, 0o700); err != nil {
		return "", doc, err
	}
	// Beside the archive, for whoever wants to look into it.
	if err := os.WriteFile(strings.TrimSuffix(path, ".zip")+".password", []byte(doc.Password+"\n"), 0o600); err != nil {
		return "", doc, err
	}
	return path, doc, os.WriteFile(path, body, 0o600)
}

// settledLedger waits until the ledger has stopped growing: events come from
// the tables' streams a moment after the writes.
func (d *demo) settledLedger(ctx context.Context) error {
	last, since := int64(-1), d.now()
	return d.poll(ctx, 500*time.Millisecond, 2*time.Minute, func() (bool, error) {
		var l ledgerDoc
		if err := d.api.get(ctx, "/ledger", nil, &l); err != nil {
			return false, err
		}
		if l.Size != last {
			last, since = l.Size, d.now()
		}
		return d.now().Sub(since) >= 3*time.Second, nil
	})
}

// books are the counts that have to agree.
type books struct {
	events   int64
	verified bool
	byType   map[ledger.Type]int64 // of the given batches
	targets  map[string]bool       // everything that anything happened to
}

// audit verifies the ledger in an export, offline and from the export alone,
// and counts what it says about the given batches.
func audit(path, password, key string, batches map[string]bool) (books, error) {
	b := books{byType: map[ledger.Type]int64{}, targets: map[string]bool{}}
	z, err := zip.OpenReader(path)
	if err != nil {
		return b, fmt.Errorf("open the export: %w", err)
	}
	defer func() { _ = z.Close() }()
	f, err := locked.Find(&z.Reader, "ledger.jsonl", secret.New(password))
	if err != nil {
		return b, fmt.Errorf("the export has no ledger: %w", err)
	}
	text, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return b, err
	}
	// The verifier key comes from the public route, not from the export itself.
	report, err := ledger.Verify(bytes.NewReader(text), ledger.VerifyOpts{Key: key})
	if err != nil {
		return b, fmt.Errorf("the ledger does not verify: %w", err)
	}
	b.events, b.verified = report.Checked, report.Checked > 0
	seen := map[string]int{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			Event *ledger.Event `json:"event"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return b, fmt.Errorf("ledger line: %w", err)
		}
		e := line.Event
		if e == nil {
			continue
		}
		b.targets[e.Target] = true
		if !batches[e.Batch] {
			continue
		}
		b.byType[e.Type]++
		if strings.HasPrefix(string(e.Type), "change.") {
			seen[string(e.Type)+" "+e.Batch+" "+e.Target]++
		}
	}
	for what, n := range seen {
		if n != 1 {
			return b, fmt.Errorf("the ledger has %d events %s, want exactly one", n, what)
		}
	}
	return b, lines.Err()
}
