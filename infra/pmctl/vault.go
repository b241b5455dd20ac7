package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/awskms"
	"pricemanager/internal/personal"
	"pricemanager/internal/store"
	"pricemanager/internal/store/awshttp"
	"pricemanager/internal/store/dynamo"
	"pricemanager/internal/tenant"
)

const vaultUsage = "--stage STAGE --tenant ID|all [--purpose P|all] [--since TIME] [--from KMS_KEY]"

// vaultCommands look after data keys. They work with the AWS credentials of
// whoever calls them, who has to have taken on the stack's role "vault".
func vaultCommands() []command {
	of := func(name, about string, do job) command {
		return command{name: "vault " + name, usage: vaultUsage, about: about, run: func(ctx context.Context, args []string, out io.Writer) error {
			v, tenants, err := openVault(ctx, args)
			if err != nil {
				return err
			}
			return v.each(ctx, tenants, out, do)
		}}
	}
	return []command{
		of("status", "list data keys with how many fields each seals", (*vault).status),
		of("rotate", "make a new version of data keys that are older than --since (now)", (*vault).rotate),
		of("rewrap", "wrap data keys anew that were wrapped before --since (now), from another KMS key with --from", (*vault).rewrap),
		of("reseal", "seal fields again with the newest version, and destroy old ones that nothing needs any more", (*vault).reseal),
	}
}

// job works on one tenant.
type job func(v *vault, ctx context.Context, t tenant.ID, out io.Writer) error

// vault is what a job works with.
type vault struct {
	sealer   *envelope.Sealer
	kms      envelope.Rewrapper
	places   []envelope.Place
	purposes []envelope.Purpose
	since    time.Time
}

// openVault reads the flags; tenants are those to work on.
func openVault(ctx context.Context, args []string) (*vault, []tenant.ID, error) {
	f := newFlags("vault")
	stage, id := f.String("stage", "", ""), f.String("tenant", "", "")
	purpose, from := f.String("purpose", "all", ""), f.String("from", "", "")
	since := clock.Real{}.Now()
	f.Func("since", "", func(s string) (err error) { since, err = time.Parse(time.RFC3339, s); return err })
	rest, err := parse(f, args)
	if err != nil {
		return nil, nil, err
	}
	if len(rest) > 0 || *stage == "" || *id == "" {
		return nil, nil, errors.New("give --stage, and --tenant with an id or all")
	}
	v := &vault{places: personal.Places(), purposes: envelope.Purposes(), since: since}
	if *purpose != "all" {
		v.purposes = []envelope.Purpose{envelope.Purpose(*purpose)}
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, nil, err
	}
	cfg.HTTPClient = awshttp.Wrap(cfg.HTTPClient)
	client := dynamodb.NewFromConfig(cfg)
	names := map[store.Table]string{}
	for _, t := range store.Tables() {
		names[t] = "pm-" + *stage + "-" + string(t)
	}
	wrap := awskms.New(kms.NewFromConfig(cfg), "alias/pm-"+*stage+"-data")
	v.sealer = envelope.New(wrap, dynamo.New(client, names), clock.Real{})
	v.kms = wrap
	if *from != "" {
		v.kms = wrap.From(*from)
	}
	if *id != "all" {
		t, err := tenant.Parse(*id)
		return v, []tenant.ID{t}, err
	}
	tenants, err := withKeys(ctx, client, names[store.Keys])
	return v, tenants, err
}

// withKeys lists every tenant that has data keys. The product itself never asks
// for all tenants; pk is "<tenant>#<PK>".
func withKeys(ctx context.Context, client dynamodb.ScanAPIClient, table string) ([]tenant.ID, error) {
	var all []tenant.ID
	pages := dynamodb.NewScanPaginator(client, &dynamodb.ScanInput{
		TableName: aws.String(table), ProjectionExpression: aws.String("pk"), ConsistentRead: aws.Bool(true),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list tenants in %s: %w", table, err)
		}
		for _, item := range page.Items {
			pk, _ := item["pk"].(*types.AttributeValueMemberS)
			if pk == nil {
				continue
			}
			id, _, _ := strings.Cut(pk.Value, "#")
			// A tenant's items come together: they share a partition key.
			if t := tenant.ID(id); t.Valid() && (len(all) == 0 || all[len(all)-1] != t) {
				all = append(all, t)
			}
		}
	}
	return all, nil
}

// each does the job for every tenant. A tenant that fails does not keep the others
// from theirs; the command is repeated until it ends well, which does nothing
// twice.
func (v *vault) each(ctx context.Context, tenants []tenant.ID, out io.Writer, do job) error {
	var failed []error
	for i, t := range tenants {
		err := do(v, ctx, t, out)
		if errors.Is(err, envelope.ErrErased) {
			continue // there is nothing left to look after
		}
		if err != nil {
			failed = append(failed, err)
			fmt.Fprintf(out, "%s: %v\n", t, err)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("stopped after %d of %d tenants: %w", i+1, len(tenants), ctx.Err())
		}
	}
	fmt.Fprintf(out, "%d tenants, %d failed\n", len(tenants), len(failed))
	if len(failed) > 0 {
		return errVerdict
	}
	return nil
}

func (v *vault) status(ctx context.Context, t tenant.ID, out io.Writer) error {
	uses, err := v.sealer.Usage(ctx, t, v.places)
	for _, u := range uses {
		state := "old"
		switch {
		case u.KMSKey == "":
			state = "LOST: there is no such key"
		case u.Current:
			state = "current"
		case u.Fixed:
			state = "old, kept: its fields are never written again"
		}
		fmt.Fprintf(out, "%s %s/%d: %d fields, made %s, wrapped %s with %s, %s\n",
			t, u.Purpose, u.Version, u.Fields, u.Created.Format(time.RFC3339), u.Wrapped.Format(time.RFC3339), u.KMSKey, state)
	}
	return err
}

func (v *vault) rotate(ctx context.Context, t tenant.ID, out io.Writer) error {
	for _, p := range v.purposes {
		version, err := v.sealer.Rotate(ctx, t, p, v.since)
		if err != nil {
			return err
		}
		if version > 0 {
			fmt.Fprintf(out, "%s %s: version %d seals\n", t, p, version)
		}
	}
	return nil
}

func (v *vault) rewrap(ctx context.Context, t tenant.ID, out io.Writer) error {
	n, err := v.sealer.Rewrap(ctx, v.kms, t, v.since)
	fmt.Fprintf(out, "%s: %d data keys wrapped anew\n", t, n)
	return err
}

func (v *vault) reseal(ctx context.Context, t tenant.ID, out io.Writer) error {
	done := 0
	for _, p := range v.places {
		n, err := v.sealer.Reseal(ctx, t, p)
		done += n
		if err != nil {
			return err
		}
	}
	gone, err := v.sealer.Destroy(ctx, t, v.places)
	fmt.Fprintf(out, "%s: %d fields sealed again, %d old versions destroyed\n", t, done, len(gone))
	return err
}
