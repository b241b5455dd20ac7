package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"pricemanager/internal/ledger"
)

// receiptVerify checks what a seller kept of GET /batches/{id}/receipt. It calls
// nobody.
func receiptVerify() command {
	return command{
		name:  "receipt verify",
		usage: "FILE... [--key KEY | --keys FILE]",
		about: "checks receipts of batches, offline",
		run:   runReceiptVerify,
	}
}

func runReceiptVerify(_ context.Context, args []string, out io.Writer) error {
	f := newFlags("receipt verify")
	key, keys := f.String("key", "", ""), f.String("keys", "", "")
	files, err := parse(f, args)
	if err != nil {
		return err
	}
	trusts, err := trusted(*key, *keys)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return errors.New("name the files to verify, answers of GET /batches/{id}/receipt")
	}
	verdict := error(nil)
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		r, err := ledger.VerifyReceipt(b, trusts)
		if errors.Is(err, ledger.ErrBad) {
			fmt.Fprintf(out, "BAD: %s: %v\n", name, err)
			verdict = errVerdict
			continue
		}
		if err != nil {
			return err
		}
		text := fmt.Sprintf("GOOD: %s: %d events of %s are in the ledger of %s that was signed on %s; that no event is left out, only an export shows",
			name, r.Events, r.Batch, r.Checkpoint.Tenant, r.Checkpoint.At.Format(time.RFC3339))
		if !r.Whole {
			text += "; this is a part, the receipt goes on with another file"
		}
		if !r.KeyGiven {
			text += "; the key is from the file itself: compare it with GET /ledger/key, or give that answer with --keys"
		}
		fmt.Fprintln(out, text)
	}
	return verdict
}
