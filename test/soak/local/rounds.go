package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Each seller has its offers in so many price files and changes all of them in
// every round.
const (
	sellers        = 3
	filesPerSeller = 4
	rounds         = 3
)

// series is one price file of a seller, round after round.
type series struct {
	seller  *seller
	skus    []string
	batches []*batch // in the order of their commits
	refused int      // batches that were refused, because their offers had moved
}

// batch is one committed batch of a series.
type batch struct {
	id    string
	price string
	// What the product says at the end.
	rows   map[string]string // SKU to state
	counts map[string]int    // state to rows
}

// split divides the seller's offers among its files.
func (s *seller) split() (all []*series) {
	size := (len(s.skus) + filesPerSeller - 1) / filesPerSeller
	for from := 0; from < len(s.skus); from += size {
		all = append(all, &series{seller: s, skus: s.skus[from:min(from+size, len(s.skus))]})
	}
	return all
}

func (f *series) file(to string) string {
	var b strings.Builder
	b.WriteString("sku,marketplace,price,currency\n")
	for _, sku := range f.skus {
		fmt.Fprintf(&b, "%s,DE,%s,EUR\n", sku, to)
	}
	return b.String()
}

// change uploads the file with a price and applies it, as often as it takes: a
// batch is refused when its offers moved between the plan and the commit, and
// then the seller plans anew. It returns when the batch is committed.
func (f *series) change(ctx context.Context, to string) error {
	const limit = 4 * time.Minute
	return until(ctx, limit, "a batch is committed", func() (bool, error) {
		p, err := ask[planDoc](ctx, f.seller.api, "POST", "/plans?file=prices.csv", f.file(to))
		if err != nil {
			return false, err
		}
		if p.Summary.Planned != len(f.skus) {
			return false, fmt.Errorf("plan for %s: %+v, want all %d planned", to, p.Summary, len(f.skus))
		}
		b, err := ask[batchDoc](ctx, f.seller.api, "POST", "/batches", fmt.Sprintf(`{"plan":%q,"token":%q}`, p.ID, p.Token))
		if moved := (*refusal)(nil); errors.As(err, &moved) && bytes.Contains(moved.text, []byte("plan-offers-moved")) {
			f.refused++
			return false, nil
		}
		if err != nil {
			return false, err
		}
		err = until(ctx, limit, b.ID+" is committed", func() (bool, error) {
			b, err = ask[batchDoc](ctx, f.seller.api, "GET", "/batches/"+b.ID, "")
			return b.State == "sending" || b.State == "done" || b.State == "refused", err
		})
		if err != nil {
			return false, err
		}
		if b.State == "refused" {
			f.refused++
			return false, nil
		}
		f.batches = append(f.batches, &batch{id: b.ID, price: to})
		return true, nil
	})
}

// left is how many rows of the last batch have not come to their end.
func (f *series) left(ctx context.Context) (int, error) {
	if len(f.batches) == 0 {
		return len(f.skus), nil
	}
	b, err := ask[batchDoc](ctx, f.seller.api, "GET", "/batches/"+f.batches[len(f.batches)-1].id, "")
	n := len(f.skus)
	for state, count := range b.Counts {
		if state != "desired" && state != "sent" && state != "accepted" && state != "unknown" {
			n -= count
		}
	}
	return n, err
}

// done waits for the end of all batches and reads what became of each row.
func (f *series) done(ctx context.Context) error {
	for _, b := range f.batches {
		err := until(ctx, 4*time.Minute, b.id+" is done", func() (bool, error) {
			doc, err := ask[batchDoc](ctx, f.seller.api, "GET", "/batches/"+b.id, "")
			b.counts = doc.Counts
			return doc.State == "done", err
		})
		if err != nil {
			return err
		}
		b.rows = map[string]string{}
		for after := ""; ; {
			page, err := ask[rowsDoc](ctx, f.seller.api, "GET", "/batches/"+b.id+"/rows?after="+after, "")
			if err != nil {
				return err
			}
			for _, row := range page.Items {
				b.rows[row.SKU] = row.State
			}
			if after = page.Next; after == "" {
				break
			}
		}
	}
	return nil
}
