package privacy

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Files that every export has beside the manifest and what the sources write.
const (
	ledgerName     = "ledger.jsonl"
	checkpointName = "checkpoint.txt"
	readmeName     = "README.txt"
)

// build makes the archive of one export and says how many files it has.
func (x *Exports) build(ctx context.Context, t tenant.ID, e Export) (body []byte, files int, err error) {
	now := x.Clock.Now()
	a := newArchive(now)
	if err := a.add(readmeName, readme(t, e, now)); err != nil {
		return nil, 0, err
	}
	w := &Writer{a}
	for _, s := range x.Sources {
		if err := s.Export(ctx, t, w); err != nil {
			return nil, 0, fmt.Errorf("privacy: source %s: %w", s.Name(), err)
		}
	}
	if err := x.requests(ctx, t, w); err != nil {
		return nil, 0, err
	}
	// The ledger last: whatever the files above show is in it, unless its event
	// is still on the way.
	f, err := a.create(ledgerName)
	if err != nil {
		return nil, 0, err
	}
	written, err := x.Ledger.WriteExport(ctx, t, f)
	if err != nil {
		return nil, 0, err
	}
	f.rows = written.Size
	if err := a.add(checkpointName, []byte(written.Checkpoint)); err != nil {
		return nil, 0, err
	}
	var out bytes.Buffer
	files, err = a.finish(&out, manifest{
		Format: manifestFormat, Tenant: string(t), Export: e.ID, Requested: e.At, Created: now, Files: []manifestEntry{},
	})
	return out.Bytes(), files, err
}

// requests is this room's own part: the exports that were asked for.
func (x *Exports) requests(ctx context.Context, t tenant.ID, w *Writer) error {
	table, err := w.Table("exports", "id", "state", "by", "at", "finished_at", "sha256")
	if err != nil {
		return err
	}
	after := ""
	for {
		page, err := x.DB.Query(ctx, t, store.Privacy, store.Query{PK: exportPK, After: after})
		if err != nil {
			return fmt.Errorf("privacy: list exports: %w", err)
		}
		for _, item := range page.Items {
			e := exportOf(item)
			row := struct {
				ID       string     `json:"id"`
				State    State      `json:"state"`
				By       string     `json:"by"`
				At       time.Time  `json:"at"`
				Finished *time.Time `json:"finishedAt,omitempty"`
				SHA256   string     `json:"sha256,omitempty"`
			}{ID: e.ID, State: e.State, By: e.By, At: e.At, SHA256: e.SHA256}
			if !e.Finished.IsZero() {
				row.Finished = &e.Finished
			}
			if err := table.Add(row, e.ID, string(e.State), e.By, Stamp(e.At), Stamp(e.Finished), e.SHA256); err != nil {
				return err
			}
		}
		if after = page.Next; after == "" {
			return nil
		}
	}
}

func readme(t tenant.ID, e Export, now time.Time) []byte {
	lines := []string{
		"Price Manager: everything we keep of your company",
		"",
		"Company:   " + string(t),
		"Export:    " + e.ID,
		"Asked for: " + e.At.Format(time.RFC3339) + " by " + e.By,
		"Made:      " + now.UTC().Format(time.RFC3339),
		"",
		"*.csv            for spreadsheets. A cell that a spreadsheet would run as a",
		"                 formula has an apostrophe in front; the .json file of the same",
		"                 name has every value as it is.",
		"*.json           the same and more for programs. Prices are decimal text.",
		"guards.json      your guards, as PUT /guards takes them; costs.csv, as PUT /costs does;",
		"mappings.json    the columns of each, as PUT /mappings/{fingerprint} takes them.",
		"ledger.jsonl     everything that happened, one event a line, with what proves it.",
		"checkpoint.txt   our signed statement about the ledger. Keep it: with it you can",
		"                 show later that we changed or dropped nothing before it.",
		"manifest.json    all files with size, number of rows and SHA-256.",
		"",
		"To check this archive without us:",
		"",
		"    pmctl ledger verify " + e.ID + ".zip --key KEY",
		"",
		"KEY is our public key, which you get at GET /ledger/key. Passwords, API keys,",
		"tokens and anything derived from them are in no export.",
		"",
	}
	return []byte(strings.Join(lines, "\n"))
}
