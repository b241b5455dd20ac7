package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/lane"
	"pricemanager/internal/privacy"
	"pricemanager/internal/store"
	"pricemanager/internal/store/awshttp"
	"pricemanager/internal/store/dynamo"
	"pricemanager/internal/store/s3"
	"pricemanager/internal/tenant"
)

// privacyReceipt checks an erasure receipt offline.
func privacyReceipt() command {
	return command{
		name:  "privacy receipt",
		usage: "FILE --key KEY",
		about: "check the signed receipt of an erasure, offline; KEY is the public key of GET /ledger/key",
		run:   runPrivacyReceipt,
	}
}

func runPrivacyReceipt(_ context.Context, args []string, out io.Writer) error {
	f := newFlags("privacy receipt")
	key := f.String("key", "", "")
	operands, err := parse(f, args)
	if err != nil {
		return err
	}
	if len(operands) != 1 || *key == "" {
		return errors.New("name the file with the receipt and give --key")
	}
	signed, err := os.ReadFile(operands[0])
	if err != nil {
		return err
	}
	r, err := privacy.OpenReceipt(string(signed), *key)
	if err != nil {
		fmt.Fprintf(out, "not a receipt of ours: %v\n", err)
		return errVerdict
	}
	fmt.Fprintf(out, "everything of %s was erased on %s; no backup has its keys from %s, nor its records from %s\n", r.Tenant,
		r.Erased.Format("2006-01-02 15:04 MST"), r.KeysGone.Format("2006-01-02 15:04 MST"), r.AllGone.Format("2006-01-02 15:04 MST"))
	return nil
}

// privacyReplay erases again what a restore brought back.
func privacyReplay() command {
	return command{
		name:  "privacy replay",
		usage: "--archive BUCKET --offers T --identity T --connections T --privacy T --keys T --limits T --files B --exports B --downloads B --history B",
		about: "erase everything of erased tenants again, in restored tables and buckets before they are used",
		run:   runPrivacyReplay,
	}
}

func runPrivacyReplay(ctx context.Context, args []string, out io.Writer) error {
	f := newFlags("privacy replay")
	tables, buckets := map[store.Table]*string{}, map[store.Bucket]*string{}
	for _, t := range []store.Table{store.Offers, store.Identity, store.Connections, store.Privacy, store.Keys, store.Limits} {
		tables[t] = f.String(string(t), "", "")
	}
	for _, b := range []store.Bucket{store.Archive, store.Files, store.Exports, store.Downloads, store.History} {
		buckets[b] = f.String(string(b), "", "")
	}
	operands, err := parse(f, args)
	if err != nil {
		return err
	}
	if len(operands) > 0 {
		return fmt.Errorf("what is %q?", operands[0])
	}
	tableNames, missing1 := named(tables)
	bucketNames, missing2 := named(buckets)
	if missing := append(missing1, missing2...); len(missing) > 0 {
		return fmt.Errorf("give --%s too: a store that is left out keeps what was erased", missing[0])
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	cfg.HTTPClient = awshttp.Wrap(cfg.HTTPClient)
	client := dynamodb.NewFromConfig(cfg)
	db := dynamo.New(client, tableNames)
	objects := s3.Client(cfg, cfg.BaseEndpoint != nil)
	return replay(ctx, db, dynamo.NewSweeper(client, db), s3.New(objects, awss3.NewPresignClient(objects), bucketNames), out)
}

// named are the values of the flags by what they name, and the flags without one.
func named[K ~string](flags map[K]*string) (names map[K]string, missing []string) {
	names = map[K]string{}
	for k, v := range flags {
		if names[k] = *v; *v == "" {
			missing = append(missing, string(k))
		}
	}
	return names, missing
}

// replay erases by the archive's tombstones.
func replay(ctx context.Context, db store.DB, sweeper store.Sweeper, blobs store.Blobs, out io.Writer) error {
	table, stop := lane.TenantStop()
	x := &privacy.Erasures{
		DB: db, Sweeper: sweeper, Blobs: blobs, Clock: clock.Real{},
		Keys:   envelope.New(nil, db, clock.Real{}), // shredding asks no KMS
		Thaw:   func(ctx context.Context, t tenant.ID) error { return db.Delete(ctx, t, table, stop) },
		Frozen: func(store.Table, store.Key) bool { return false },
	}
	done, err := x.Replay(ctx)
	var deleted int64
	for _, r := range done {
		if deleted += r.Deleted; r.Deleted > 0 {
			fmt.Fprintf(out, "%s: %d items and objects deleted\n", r.Tenant, r.Deleted)
		}
	}
	fmt.Fprintf(out, "%d tombstones replayed, %d items and objects deleted\n", len(done), deleted)
	return err
}

// privacyHold sets and lifts legal holds.
func privacyHold() command {
	return command{
		name:  "privacy hold",
		usage: "set|lift TENANT --table PRIVACY_TABLE --actor WHO",
		about: "keep the erasure of a company from starting while the law wants its data kept, or let it start",
		run:   runPrivacyHold,
	}
}

func runPrivacyHold(ctx context.Context, args []string, out io.Writer) error {
	f := newFlags("privacy hold")
	table, actor := f.String("table", "", ""), f.String("actor", "", "")
	operands, err := parse(f, args)
	if err != nil {
		return err
	}
	if len(operands) != 2 || *table == "" || *actor == "" {
		return errors.New("say set or lift and the tenant's id, and give --table and --actor")
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	cfg.HTTPClient = awshttp.Wrap(cfg.HTTPClient)
	db := dynamo.New(dynamodb.NewFromConfig(cfg), map[store.Table]string{store.Privacy: *table})
	return hold(ctx, &privacy.Erasures{DB: db, Clock: clock.Real{}}, operands[0], operands[1], "operator:"+*actor, out)
}

func hold(ctx context.Context, x *privacy.Erasures, what, id, actor string, out io.Writer) error {
	t, err := tenant.Parse(id)
	if err != nil {
		return err
	}
	switch what {
	case "set":
		if err := x.Hold(ctx, t, actor); err != nil {
			return err
		}
		fmt.Fprintf(out, "held: no erasure of %s starts\n", t)
		return nil
	case "lift":
		if err := x.Lift(ctx, t); err != nil {
			return err
		}
		fmt.Fprintf(out, "lifted: an erasure of %s starts when its cooling-off is over\n", t)
		return nil
	}
	return fmt.Errorf("%q is neither set nor lift", what)
}
