package dynamo

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

const allOld = types.ReturnValuesOnConditionCheckFailureAllOld

// Put writes a whole item.
func (db *DB) Put(ctx context.Context, t tenant.ID, table store.Table, item store.Item, conds ...store.Cond) error {
	w := store.Write{Tenant: t, Table: table, Put: &item, If: conds}
	name, err := db.name(table, store.CheckWrites(w))
	if err != nil {
		return err
	}
	e := newExpression()
	in := &dynamodb.PutItemInput{
		TableName: name, Item: encode(t, item), ConditionExpression: e.condition(conds),
		ReturnValuesOnConditionCheckFailure: allOld,
		ReturnConsumedCapacity:              db.units.wanted(),
	}
	in.ExpressionAttributeNames, in.ExpressionAttributeValues = e.names, e.values
	return db.single(ctx, w, func(options func(*dynamodb.Options)) (*types.ConsumedCapacity, error) {
		out, err := db.client.PutItem(ctx, in, options)
		if err != nil {
			return nil, err
		}
		return out.ConsumedCapacity, nil
	})
}

// Update changes attributes and returns the item as it is afterwards.
func (db *DB) Update(ctx context.Context, t tenant.ID, table store.Table, key store.Key, u store.Update) (store.Item, error) {
	w := store.Write{Tenant: t, Table: table, Key: key, Update: &u}
	name, err := db.name(table, store.CheckWrites(w))
	if err != nil {
		return store.Item{}, err
	}
	e := newExpression()
	in := &dynamodb.UpdateItemInput{
		TableName: name, Key: encodeKey(t, key),
		UpdateExpression: e.update(u), ConditionExpression: e.condition(u.If),
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: allOld,
		ReturnConsumedCapacity:              db.units.wanted(),
	}
	in.ExpressionAttributeNames, in.ExpressionAttributeValues = e.names, e.values
	var after map[string]types.AttributeValue
	err = db.single(ctx, w, func(options func(*dynamodb.Options)) (*types.ConsumedCapacity, error) {
		out, err := db.client.UpdateItem(ctx, in, options)
		if err != nil {
			return nil, err
		}
		after = out.Attributes
		return out.ConsumedCapacity, nil
	})
	if err != nil {
		return store.Item{}, err
	}
	return decode(t, after)
}

// Delete removes an item.
func (db *DB) Delete(ctx context.Context, t tenant.ID, table store.Table, key store.Key, conds ...store.Cond) error {
	w := store.Write{Tenant: t, Table: table, Key: key, Delete: true, If: conds}
	name, err := db.name(table, store.CheckWrites(w))
	if err != nil {
		return err
	}
	e := newExpression()
	in := &dynamodb.DeleteItemInput{
		TableName: name, Key: encodeKey(t, key), ConditionExpression: e.condition(conds),
		ReturnValuesOnConditionCheckFailure: allOld,
		ReturnConsumedCapacity:              db.units.wanted(),
	}
	in.ExpressionAttributeNames, in.ExpressionAttributeValues = e.names, e.values
	return db.single(ctx, w, func(options func(*dynamodb.Options)) (*types.ConsumedCapacity, error) {
		out, err := db.client.DeleteItem(ctx, in, options)
		if err != nil {
			return nil, err
		}
		return out.ConsumedCapacity, nil
	})
}

// single sends a write of its own until it is answered.
func (db *DB) single(ctx context.Context, w store.Write,
	send func(func(*dynamodb.Options)) (*types.ConsumedCapacity, error)) error {
	s := &sureness{repeatable: w.Update == nil || len(w.Update.Add) == 0}
	for attempt := 0; ; {
		used, err := send(s.watch)
		if err == nil {
			db.units.write(w.Table, used)
			return nil
		}
		if busy(err) {
			if err := db.pause(ctx, &attempt); err != nil {
				return s.judge(err)
			}
			continue
		}
		err = conflict(w, err)
		db.units.failed(w, err)
		return s.judge(err)
	}
}

// Transact does all writes or none. The SDK gives each request a token by which
// DynamoDB recognises a repetition, so a lost answer leaves no doubt.
func (db *DB) Transact(ctx context.Context, writes ...store.Write) error {
	if err := store.CheckWrites(writes...); err != nil {
		return err
	}
	items := make([]types.TransactWriteItem, len(writes))
	for i, w := range writes {
		name, err := db.name(w.Table, nil)
		if err != nil {
			return err
		}
		items[i] = transactItem(name, w)
	}
	for attempt := 0; ; {
		out, err := db.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
			TransactItems: items, ReturnConsumedCapacity: db.units.wanted(),
		})
		if err == nil {
			db.units.transacted(db.names, out.ConsumedCapacity)
			return nil
		}
		if busy(err) {
			if err := db.pause(ctx, &attempt); err != nil {
				return err
			}
			continue
		}
		err = cancelled(writes, err)
		db.units.cancelled(writes, err)
		return err
	}
}

func transactItem(name *string, w store.Write) types.TransactWriteItem {
	e := newExpression()
	key := encodeKey(w.Tenant, w.On())
	var change *string
	if w.Update != nil {
		change = e.update(*w.Update)
	}
	cond := e.condition(w.Conditions())
	switch {
	case w.Put != nil:
		return types.TransactWriteItem{Put: &types.Put{
			TableName: name, Item: encode(w.Tenant, *w.Put), ConditionExpression: cond,
			ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
			ReturnValuesOnConditionCheckFailure: allOld,
		}}
	case w.Update != nil:
		return types.TransactWriteItem{Update: &types.Update{
			TableName: name, Key: key, UpdateExpression: change, ConditionExpression: cond,
			ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
			ReturnValuesOnConditionCheckFailure: allOld,
		}}
	case w.Delete:
		return types.TransactWriteItem{Delete: &types.Delete{
			TableName: name, Key: key, ConditionExpression: cond,
			ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
			ReturnValuesOnConditionCheckFailure: allOld,
		}}
	}
	return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
		TableName: name, Key: key, ConditionExpression: cond,
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
		ReturnValuesOnConditionCheckFailure: allOld,
	}}
}
