package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"pricemanager/internal/clock"
	"pricemanager/internal/lane"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/store/dynamo"
	"pricemanager/internal/store/memory"
)

// de is where all offers are, in EUR.
const de = price.MarketplaceID("A1PA6795UKMFR9")

func sku(i int) price.SKU { return price.SKU(fmt.Sprintf("MILLION-%07d", i)) }

// cents is what an offer costs: 100.00 to 999.99 EUR.
func cents(i int) int64 { return 10_000 + int64(i)*7%90_000 }

const (
	learnt  = 2_500 // offers that are made at a time
	putOnce = 25    // items that DynamoDB takes in one BatchWriteItem
	writers = 4
)

// seed makes the offers known. They are made by the product's own code in memory
// and written as its store encodes them.
func (w *world) seed(ctx context.Context, rows int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for from := 0; from < rows; from += learnt {
		group.Go(func() error {
			if from%100_000 == 0 && from > 0 {
				w.say("%d offers are known", from)
			}
			return w.know(ctx, from, min(from+learnt, rows))
		})
	}
	return group.Wait()
}

func (w *world) know(ctx context.Context, from, to int) error {
	db, begun := memory.New(clock.Real{}), time.Now()
	offers := lane.NewOffers(db)
	quantity := int64(3)
	for i := from; i < to; i++ {
		p := price.FromMinor(cents(i), "EUR")
		err := offers.Learn(ctx, w.Tenant, lane.Read{
			Key:  price.OfferKey{Connection: w.conn, Marketplace: de, SKU: sku(i)},
			ASIN: fmt.Sprintf("B%09d", i), ProductType: "HOME", Title: "An offer of a large catalogue, number " + strconv.Itoa(i),
			Quantity: &quantity, Prices: price.Prices{Our: &p}, Begun: begun,
		})
		if err != nil {
			return err
		}
	}
	l := &loader{client: dynamodb.NewFromConfig(w.Config()), table: w.Outputs["OffersTableName"]}
	table := dynamo.New(l, map[store.Table]string{store.Offers: l.table})
	for _, r := range db.Records(store.Offers, "") {
		if !isOffer(r) {
			continue // what an offer can be found by besides its SKU
		}
		if err := table.Put(ctx, r.Tenant, store.Offers, store.Item{Key: r.Key, Attrs: r.New.Attrs}); err != nil {
			return err
		}
	}
	return l.flush(ctx)
}

func isOffer(r store.Record) bool {
	return r.New != nil && strings.HasPrefix(r.Key.PK, "offer#")
}

// loader is a DynamoDB that gathers puts and writes them many at a time.
type loader struct {
	dynamo.API
	client *dynamodb.Client
	table  string
	items  []types.WriteRequest
}

// PutItem gathers an item.
func (l *loader) PutItem(ctx context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	l.items = append(l.items, types.WriteRequest{PutRequest: &types.PutRequest{Item: in.Item}})
	if len(l.items) < putOnce {
		return &dynamodb.PutItemOutput{}, nil
	}
	return &dynamodb.PutItemOutput{}, l.flush(ctx)
}

func (l *loader) flush(ctx context.Context) error {
	if len(l.items) == 0 {
		return nil
	}
	out, err := l.client.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{l.table: l.items}})
	if err != nil {
		return err
	}
	if len(out.UnprocessedItems) > 0 {
		return errors.New("the local DynamoDB left items unprocessed")
	}
	l.items = l.items[:0]
	return nil
}

// streamOff ends the records of what happens to offers.
func (w *world) streamOff(ctx context.Context) error {
	_, err := dynamodb.NewFromConfig(w.Config()).UpdateTable(ctx, &dynamodb.UpdateTableInput{
		TableName:           aws.String(w.Outputs["OffersTableName"]),
		StreamSpecification: &types.StreamSpecification{StreamEnabled: aws.Bool(false)},
	})
	return err
}

// file is the price file: every offer becomes five per cent cheaper, rounded down.
func file(rows int) io.Reader {
	r, w := io.Pipe()
	go func() {
		b := []byte("sku,marketplace,price,currency\n")
		for i := range rows {
			c := cents(i) * 95 / 100
			b = fmt.Appendf(b, "%s,DE,%d.%02d,EUR\n", sku(i), c/100, c%100)
			if len(b) < 1<<16 && i < rows-1 {
				continue
			}
			if _, err := w.Write(b); err != nil {
				return // nobody reads any more
			}
			b = b[:0]
		}
		_ = w.Close() // never fails
	}()
	return r
}
