package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"pricemanager/internal/ledger"
	"pricemanager/internal/privacy"
	"pricemanager/internal/secret"
)

// ledgerVerify checks an export from its file alone: it calls nobody.
func ledgerVerify() command {
	return command{
		name:  "ledger verify",
		usage: "FILE [--password-file FILE] [--key KEY | --keys FILE] [--since CHECKPOINT-FILE]",
		about: "checks the ledger in an export (.zip or .jsonl), offline",
		run:   runLedgerVerify,
	}
}

func runLedgerVerify(_ context.Context, args []string, out io.Writer) error {
	f := newFlags("ledger verify")
	key := f.String("key", "", "")
	keys := f.String("keys", "", "")
	since := f.String("since", "", "")
	password := f.String("password-file", "", "")
	files, err := parse(f, args)
	if err != nil {
		return err
	}
	if len(files) != 1 {
		return errors.New("name one file to verify, an export archive or its ledger.jsonl")
	}
	trusts, err := trusted(*key, *keys)
	if err != nil {
		return err
	}
	opts := ledger.VerifyOpts{Key: trusts}
	if *since != "" {
		b, err := os.ReadFile(*since)
		if err != nil {
			return fmt.Errorf("the older checkpoint: %w", err)
		}
		opts.Since = string(b)
	}
	var opens secret.Value
	if *password != "" {
		b, err := os.ReadFile(*password)
		if err != nil {
			return fmt.Errorf("the archive's password: %w", err)
		}
		opens = secret.New(strings.TrimSpace(string(b)))
	}
	report, err := verifyFile(files[0], opens, opts)
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

// trusted is what a verifying side trusts: a key, or the file that holds an answer of
// GET /ledger/key, with the keys that signed earlier.
func trusted(key, file string) (string, error) {
	if file == "" {
		return key, nil
	}
	if key != "" {
		return "", errors.New("give --key or --keys, not both")
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("the keys: %w", err)
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return "", errors.New("the keys: the file is empty; it has to be an answer of GET /ledger/key")
	}
	return string(b), nil
}

// zipMagic is how a zip file begins.
const zipMagic = "PK\x03\x04"

func verifyFile(name string, password secret.Value, opts ledger.VerifyOpts) (ledger.Report, error) {
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
	return privacy.Verify(f, info.Size(), password, opts)
}

func verdict(r ledger.Report) string {
	s := fmt.Sprintf("GOOD: all %d entries of %s are as signed on %s with %s",
		r.Checked, r.Tenant, r.Checkpoint.At.Format(time.RFC3339), r.Key)
	if r.Since != nil {
		s += fmt.Sprintf("; the first %d are those of the checkpoint of %s", r.Since.Size, r.Since.At.Format(time.RFC3339))
	}
	if !r.KeyGiven {
		s += "; that key is from the file itself: compare it with GET /ledger/key, or give that answer with --keys"
	}
	return s
}
