package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"pricemanager/internal/clock"
	"pricemanager/internal/edge"
	"pricemanager/internal/identity"
	"pricemanager/internal/secret/secretsmanager"
	"pricemanager/internal/store"
	"pricemanager/internal/store/awshttp"
	"pricemanager/internal/store/dynamo"
)

// blockAddress is the operator's list of network addresses that the API turns away.
// It works with the AWS credentials of whoever calls it.
func blockAddress() command {
	return command{
		name:  "block",
		usage: "add|allow|remove ADDRESS-OR-PREFIX|source:HASH | list, with --table IDENTITY_TABLE --pepper SECRET --actor WHO [--for 24h] [--reason TEXT]",
		about: "turn network addresses away for a time, or never; the kill switch is answered to all",
		run:   runBlock,
	}
}

// blocking is what was asked for.
type blocking struct {
	what, address, actor, reason string
	lasting                      time.Duration
}

func runBlock(ctx context.Context, args []string, out io.Writer) error {
	var b blocking
	f := newFlags("block")
	table := f.String("table", "", "")
	pepper := f.String("pepper", "", "")
	f.StringVar(&b.actor, "actor", "", "")
	f.StringVar(&b.reason, "reason", "", "")
	f.DurationVar(&b.lasting, "for", 24*time.Hour, "")
	operands, err := parse(f, args)
	if err != nil {
		return err
	}
	if len(operands) == 0 || len(operands) > 2 || *table == "" || b.actor == "" || (operands[0] == "list") != (len(operands) == 1) {
		return errors.New("say add, allow or remove and an address, a prefix or source:HASH as in the logs, or list; and give --table and --actor, and --pepper for an address")
	}
	b.what = operands[0]
	if len(operands) == 2 {
		b.address = operands[1]
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	cfg.HTTPClient = awshttp.Wrap(cfg.HTTPClient)
	db := dynamo.New(dynamodb.NewFromConfig(cfg), map[store.Table]string{store.Identity: *table})
	keys := identity.NewKeys(db, identity.PeppersFrom(secretsmanager.New(sm.NewFromConfig(cfg)), *pepper), clock.Real{}, rand.Reader)
	return b.do(ctx, edge.New(db, keys.Hashes, clock.Real{}, slog.Default()), clock.Real{}.Now(), out)
}

func (b blocking) do(ctx context.Context, list *edge.List, now time.Time, out io.Writer) error {
	if b.what == "list" {
		return showBlocks(ctx, list, now, out)
	}
	p, err := list.Target(ctx, b.address)
	if err != nil {
		return err
	}
	by := "operator:" + b.actor
	switch b.what {
	case "add":
		if err = list.Block(ctx, p, b.lasting, b.reason, by); err == nil {
			fmt.Fprintf(out, "blocked: %s for %s, within half a minute\n", p, b.lasting)
		}
	case "allow":
		if err = list.Allow(ctx, p, b.reason, by); err == nil {
			fmt.Fprintf(out, "allowed: %s is not blocked for a year\n", p)
		}
	case "remove":
		if err = list.Remove(ctx, p); err == nil {
			fmt.Fprintf(out, "removed: %s\n", p)
		}
		if errors.Is(err, store.ErrNotFound) {
			fmt.Fprintf(out, "%s is not on the list\n", p)
			return errVerdict
		}
	default:
		return fmt.Errorf("%q is none of add, allow, remove and list", b.what)
	}
	if errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("somebody else changed the list just now; do it again: %w", err)
	}
	return err
}

func showBlocks(ctx context.Context, list *edge.List, now time.Time, out io.Writer) error {
	entries, err := list.Entries(ctx)
	if err != nil {
		return err
	}
	for _, e := range entries {
		state := "blocked until " + e.Until.Format(time.RFC3339)
		switch {
		case e.Allowed:
			state = "never blocked until " + e.Until.Format(time.RFC3339)
		case !now.Before(e.Until):
			state = "was " + state
		}
		fmt.Fprintf(out, "%s  %s  by %s on %s: %s\n", e, state, e.By, e.Since.Format(time.RFC3339), e.Reason)
	}
	return nil
}
