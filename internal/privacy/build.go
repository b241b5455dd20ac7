package privacy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"pricemanager/internal/envelope"
	"pricemanager/internal/privacy/locked"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Files that every export has beside the manifest and what the sources write.
const (
	ledgerName     = "ledger.jsonl"
	checkpointName = "checkpoint.txt"
	readmeName     = "README.txt"
)

// eventsName is what an export of one member has in place of the ledger.
const eventsName = "events.jsonl"

// made is an archive with what is noted of it.
type made struct {
	zip    Temp
	size   int64
	sha256 string // hex
	files  int
	sealed []byte // the password
}

// make makes the archive of one export, locked under a new password.
func (x *Exports) make(ctx context.Context, t tenant.ID, e Export) (_ made, err error) {
	password, err := locked.NewPassword(x.Rand)
	if err != nil {
		return made{}, err
	}
	var m made
	if m.sealed, err = x.Sealer.Seal(ctx, t, envelope.Exports, passwordPlace(e.ID), []byte(password.Reveal())); err != nil {
		return made{}, fmt.Errorf("seal the password: %w", err)
	}
	spooled, err := x.Spool()
	if err != nil {
		return made{}, fmt.Errorf("temporary file: %w", err)
	}
	defer func() { _ = spooled.Close() }() // it is gone either way
	if m.zip, err = x.Spool(); err != nil {
		return made{}, fmt.Errorf("temporary file: %w", err)
	}
	defer func() {
		if err != nil {
			_ = m.zip.Close() // the first error counts
		}
	}()
	sum := sha256.New()
	out := &counted{to: io.MultiWriter(m.zip, sum)}
	if m.files, err = x.build(ctx, t, e, spooled, out, password); err != nil {
		return made{}, err
	}
	m.size, m.sha256 = out.n, hex.EncodeToString(sum.Sum(nil))
	return m, nil
}

type counted struct {
	to io.Writer
	n  int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.n += int64(n)
	return n, err
}

// build writes the archive of one export and says how many files it has.
func (x *Exports) build(ctx context.Context, t tenant.ID, e Export, spooled Temp, out io.Writer, password secret.Value) (files int, err error) {
	now := x.Clock.Now()
	a := newArchive(now, spooled)
	a.member = e.Member
	if err := a.add(readmeName, readme(t, e, now)); err != nil {
		return 0, err
	}
	w := &Writer{a}
	for _, s := range x.Sources {
		if e.Member != "" && !s.Personal() {
			continue
		}
		if err := s.Export(ctx, t, w); err != nil {
			return 0, fmt.Errorf("privacy: source %s: %w", s.Name(), err)
		}
	}
	if err := x.requests(ctx, t, w); err != nil {
		return 0, err
	}
	if err := x.erasures(ctx, t, w); err != nil {
		return 0, err
	}
	// The ledger last: whatever the files above show is in it, unless its event
	// is still on the way.
	if err := x.ledger(ctx, t, e, a); err != nil {
		return 0, err
	}
	return a.finish(out, manifest{
		Format: manifestFormat, Tenant: string(t), Member: e.Member, Export: e.ID, Requested: e.At, Created: now, Files: []manifestEntry{},
	}, password, x.Rand)
}

// ledger writes the ledger, or of one member what they did.
func (x *Exports) ledger(ctx context.Context, t tenant.ID, e Export, a *archive) error {
	if e.Member != "" {
		f, err := a.create(eventsName)
		if err != nil {
			return err
		}
		f.rows, err = x.Ledger.WriteActor(ctx, t, e.Member, f)
		return err
	}
	f, err := a.create(ledgerName)
	if err != nil {
		return err
	}
	written, err := x.Ledger.WriteExport(ctx, t, f)
	if err != nil {
		return err
	}
	f.rows = written.Size
	return a.add(checkpointName, []byte(written.Checkpoint))
}

// requests is this room's own part: the exports that were asked for.
func (x *Exports) requests(ctx context.Context, t tenant.ID, w *Writer) error {
	table, err := w.Table("exports", "id", "of", "state", "by", "at", "finished_at", "sha256")
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
			if !w.About(e.By, e.Member) {
				continue
			}
			row := struct {
				ID       string     `json:"id"`
				Of       string     `json:"of,omitempty"` // one member, "" for everything
				State    State      `json:"state"`
				By       string     `json:"by"`
				At       time.Time  `json:"at"`
				Finished *time.Time `json:"finishedAt,omitempty"`
				SHA256   string     `json:"sha256,omitempty"`
			}{ID: e.ID, Of: e.Member, State: e.State, By: e.By, At: e.At, SHA256: e.SHA256}
			if !e.Finished.IsZero() {
				row.Finished = &e.Finished
			}
			if err := table.Add(row, e.ID, e.Member, string(e.State), e.By, Stamp(e.At), Stamp(e.Finished), e.SHA256); err != nil {
				return err
			}
		}
		if after = page.Next; after == "" {
			return nil
		}
	}
}

// erasures writes the requests to erase the tenant, and whether something keeps them
// from starting.
func (x *Exports) erasures(ctx context.Context, t tenant.ID, w *Writer) error {
	table, err := w.Table("erasures", "id", "state", "by", "at", "starts_at", "finished_at", "held_since")
	if err != nil {
		return err
	}
	var held time.Time
	switch it, err := x.DB.Get(ctx, t, store.Privacy, holdKey); {
	case err == nil:
		held = it.Time(attrSince)
	case !errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("privacy: read legal hold: %w", err)
	}
	if !held.IsZero() && w.About() {
		row := map[string]any{"id": "", "state": "held", "heldSince": held}
		if err := table.Add(row, "", "held", "", "", "", "", Stamp(held)); err != nil {
			return err
		}
	}
	for after := ""; ; {
		page, err := x.DB.Query(ctx, t, store.Privacy, store.Query{PK: erasurePK, After: after})
		if err != nil {
			return fmt.Errorf("privacy: list erasures: %w", err)
		}
		for _, item := range page.Items {
			e := erasureOf(t, item)
			if !w.About(e.by) {
				continue
			}
			row := map[string]any{"id": e.ID, "state": e.State, "by": e.by, "at": e.At, "startsAt": e.Starts}
			if !e.Finished.IsZero() {
				row["finishedAt"] = e.Finished
			}
			if err := table.Add(row, e.ID, string(e.State), e.by, Stamp(e.At), Stamp(e.Starts), Stamp(e.Finished), ""); err != nil {
				return err
			}
		}
		if after = page.Next; after == "" {
			return nil
		}
	}
}

func readme(t tenant.ID, e Export, now time.Time) []byte {
	about := []string{
		"*.csv            for spreadsheets. A cell that a spreadsheet would run as a",
		"                 formula has an apostrophe in front; the .json file of the same",
		"                 name has every value as it is.",
		"*.json           the same and more for programs. Prices are decimal text.",
	}
	lines := []string{"Price Manager: everything we keep of your company", ""}
	if e.Member != "" {
		lines = []string{"Price Manager: what we keep about one person or key", "", "Of:        " + e.Member}
	}
	lines = append(lines,
		"Company:   "+string(t),
		"Export:    "+e.ID,
		"Asked for: "+e.At.Format(time.RFC3339)+" by "+e.By,
		"Made:      "+now.UTC().Format(time.RFC3339),
		"",
	)
	lines = append(lines, about...)
	if e.Member != "" {
		return text(append(lines,
			"events.jsonl     everything that they did, one event a line, with its place in the",
			"                 company's ledger and the salt that opens the leaf there.",
			"manifest.json    all files with size, number of rows and SHA-256.",
			"",
			"Passwords, API keys, tokens and anything derived from them are in no export.",
		))
	}
	return text(append(lines,
		"prices.csv       your offers as a price file: POST /plans takes it again.",
		"guards.json      your guards, as PUT /guards takes them; costs.csv, as PUT /costs does;",
		"mappings.json    the columns of each, as PUT /mappings/{fingerprint} takes them.",
		"plans/, batches/ the rows of each plan and of each batch, and what became of them.",
		"files/           price files as you gave them to us, as long as we keep them.",
		"ledger.jsonl     everything that happened, one event a line, with what proves it.",
		"checkpoint.txt   our signed statement about the ledger. Keep it: with it you can",
		"                 show later that we changed or dropped nothing before it.",
		"manifest.json    all files with size, number of rows and SHA-256.",
		"",
		"To check this archive without us:",
		"",
		"    pmctl ledger verify "+e.ID+".zip --key KEY --password-file FILE",
		"",
		"KEY is our public key, which you get at GET /ledger/key; FILE holds the password",
		"of this archive. Passwords, API keys, tokens and anything derived from them are in",
		"no export.",
	))
}

func text(lines []string) []byte { return []byte(strings.Join(lines, "\n") + "\n") }
