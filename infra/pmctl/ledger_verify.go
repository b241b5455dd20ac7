package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"pricemanager/internal/ledger"
	"pricemanager/internal/privacy"
)

// ledgerVerify checks an export from its file alone: it calls nobody.
func ledgerVerify() command {
	return command{
		name:  "ledger verify",
		usage: "FILE [--key KEY] [--since CHECKPOINT-FILE]",
		about: "checks the ledger in an export (.zip or .jsonl), offline",
		run:   runLedgerVerify,
	}
}

func runLedgerVerify(_ context.Context, args []string, out io.Writer) error {
	f := newFlags("ledger verify")
	key := f.String("key", "", "")
	since := f.String("since", "", "")
	files, err := parse(f, args)
	if err != nil {
		return err
	}
	if len(files) != 1 {
		return errors.New("name one file to verify, an export archive or its ledger.jsonl")
	}
	opts := ledger.VerifyOpts{Key: *key}
	if *since != "" {
		b, err := os.ReadFile(*since)
		if err != nil {
			return fmt.Errorf("the older checkpoint: %w", err)
		}
		opts.Since = string(b)
	}
	report, err := verifyFile(files[0], opts)
	if errors.Is(err, ledger.ErrBad) {
		fmt.Fprintf(out, "BAD: %v\n", err)
		return errVerdict
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(out, verdict(report))
	return nil
}

// zipMagic is how a zip file begins.
const zipMagic = "PK\x03\x04"

func verifyFile(name string, opts ledger.VerifyOpts) (ledger.Report, error) {
	f, err := os.Open(name)
	if err != nil {
		return ledger.Report{}, err
	}
	defer func() { _ = f.Close() }() // only read
	head := make([]byte, len(zipMagic))
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return ledger.Report{}, err
	}
	if !bytes.Equal(head, []byte(zipMagic)) {
		return ledger.Verify(f, opts)
	}
	info, err := f.Stat()
	if err != nil {
		return ledger.Report{}, err
	}
	return privacy.Verify(f, info.Size(), opts)
}

func verdict(r ledger.Report) string {
	s := fmt.Sprintf("GOOD: all %d entries of %s are as signed on %s with %s",
		r.Checked, r.Tenant, r.Checkpoint.At.Format(time.RFC3339), r.Key)
	if r.Since != nil {
		s += fmt.Sprintf("; the first %d are those of the checkpoint of %s", r.Since.Size, r.Since.At.Format(time.RFC3339))
	}
	if !r.KeyGiven {
		s += "; that key is from the file itself: compare it with GET /ledger/key, or give it with --key"
	}
	return s
}
