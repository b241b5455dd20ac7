//go:build bench

package virtual

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"pricemanager/internal/store"
	"pricemanager/internal/store/dynamo"
)

// reported asks DynamoDB with every call what it consumed, table and indexes,
// and adds it up until it is taken. One call at a time.
type reported struct {
	client dynamo.API
	tables map[string]store.Table // by physical name
	told   map[store.Table]told
}

// told is what DynamoDB said of one table.
type told struct {
	all   store.Units
	index int64 // the part of all that went into indexes
}

var _ dynamo.API = (*reported)(nil)

func newReported(client dynamo.API, names map[store.Table]string) *reported {
	r := &reported{client: client, tables: map[string]store.Table{}, told: map[store.Table]told{}}
	for t, name := range names {
		r.tables[name] = t
	}
	return r
}

func (r *reported) take() map[store.Table]told {
	was := r.told
	r.told = map[store.Table]told{}
	return was
}

const everything = types.ReturnConsumedCapacityIndexes

func (r *reported) note(write bool, used ...types.ConsumedCapacity) {
	for _, c := range used {
		if c.TableName == nil || c.CapacityUnits == nil {
			continue
		}
		table := r.tables[*c.TableName]
		n := r.told[table]
		units := int64(*c.CapacityUnits) // whole: nothing is read eventually consistent
		if write {
			n.all.Write += units
		} else {
			n.all.Read += units
		}
		if c.Table != nil && c.Table.CapacityUnits != nil {
			n.index += units - int64(*c.Table.CapacityUnits)
		}
		r.told[table] = n
	}
}

func one(c *types.ConsumedCapacity) []types.ConsumedCapacity {
	if c == nil {
		return nil
	}
	return []types.ConsumedCapacity{*c}
}

func (r *reported) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	in.ReturnConsumedCapacity = everything
	out, err := r.client.GetItem(ctx, in, o...)
	if err == nil {
		r.note(false, one(out.ConsumedCapacity)...)
	}
	return out, err
}

func (r *reported) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	in.ReturnConsumedCapacity = everything
	out, err := r.client.BatchGetItem(ctx, in, o...)
	if err == nil {
		r.note(false, out.ConsumedCapacity...)
	}
	return out, err
}

func (r *reported) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	in.ReturnConsumedCapacity = everything
	out, err := r.client.Query(ctx, in, o...)
	if err == nil {
		r.note(false, one(out.ConsumedCapacity)...)
	}
	return out, err
}

func (r *reported) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	in.ReturnConsumedCapacity = everything
	out, err := r.client.PutItem(ctx, in, o...)
	if err == nil {
		r.note(true, one(out.ConsumedCapacity)...)
	}
	return out, err
}

func (r *reported) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	in.ReturnConsumedCapacity = everything
	out, err := r.client.UpdateItem(ctx, in, o...)
	if err == nil {
		r.note(true, one(out.ConsumedCapacity)...)
	}
	return out, err
}

func (r *reported) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, o ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	in.ReturnConsumedCapacity = everything
	out, err := r.client.DeleteItem(ctx, in, o...)
	if err == nil {
		r.note(true, one(out.ConsumedCapacity)...)
	}
	return out, err
}

func (r *reported) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	in.ReturnConsumedCapacity = everything
	out, err := r.client.TransactWriteItems(ctx, in, o...)
	if err == nil {
		r.note(true, out.ConsumedCapacity...)
	}
	return out, err
}
