package dynamo

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

const (
	// maxBatchGet is how many keys DynamoDB takes in one BatchGetItem.
	maxBatchGet = 100
	// readers is how many BatchGetItem calls one BatchGet has under way: so many
	// that a thousand keys, a row file of a plan, take the time of one call.
	readers = 10
)

// BatchGet returns the items that exist, each once. The first call that fails
// ends the others.
func (db *DB) BatchGet(ctx context.Context, t tenant.ID, table store.Table, keys []store.Key) ([]store.Item, error) {
	name, err := db.name(table, store.CheckKeys(t, table, keys...))
	if err != nil {
		return nil, err
	}
	wanted := make([]map[string]types.AttributeValue, 0, len(keys))
	seen := make(map[store.Key]bool, len(keys))
	for _, k := range keys {
		if !seen[k] { // DynamoDB refuses a request that names a key twice
			seen[k] = true
			wanted = append(wanted, encodeKey(t, k))
		}
	}
	parts := make([][]store.Item, (len(wanted)+maxBatchGet-1)/maxBatchGet)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i := range parts {
		asked := wanted[i*maxBatchGet : min((i+1)*maxBatchGet, len(wanted))]
		group.Go(func() (err error) {
			if err := ctx.Err(); err != nil { // another one failed
				return err
			}
			parts[i], err = db.batchGet(ctx, t, table, *name, asked)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	items := make([]store.Item, 0, len(wanted))
	for _, part := range parts {
		items = append(items, part...)
	}
	return items, nil
}

// batchGet asks for at most maxBatchGet keys until all are answered. An answer
// stops at 16 MB, or earlier under load, so that what is left is asked for after
// a pause; only an answer that brings nothing at all counts as an attempt that
// failed.
func (db *DB) batchGet(ctx context.Context, t tenant.ID, table store.Table, name string, keys []map[string]types.AttributeValue) ([]store.Item, error) {
	items := make([]store.Item, 0, len(keys))
	for attempt := 0; ; {
		out, err := db.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
			RequestItems:           map[string]types.KeysAndAttributes{name: {Keys: keys, ConsistentRead: aws.Bool(true)}},
			ReturnConsumedCapacity: db.units.wanted(),
		})
		if err != nil {
			return nil, failure(err)
		}
		for i := range out.ConsumedCapacity {
			db.units.read(table, &out.ConsumedCapacity[i])
		}
		for _, raw := range out.Responses[name] {
			it, err := decode(t, raw)
			if err != nil {
				return nil, err
			}
			items = append(items, it)
		}
		left := out.UnprocessedKeys[name].Keys
		if len(left) == 0 {
			return items, nil
		}
		if len(left) < len(keys) {
			attempt = 0
		}
		if err := db.pause(ctx, &attempt); err != nil {
			return nil, err
		}
		keys = left
	}
}
