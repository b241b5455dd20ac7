// Package dynamo is the store.DB over DynamoDB, and the reader of its stream
// records.
//
// A table has the partition key "pk" and the sort key "sk", both strings. pk is
// "<tenant>#<PK>": a tenant id never contains '#', so the first '#' ends the
// tenant, whatever the PK contains, and nothing needs escaping. sk is the SK
// as it is. The other attributes have their own names: S for a string, N for an
// int64, BOOL and B.
//
// What is promised when things fail: as package store says. All reads are
// strongly consistent. What DynamoDB turned away without effect (throttling, a
// transaction in the way) is repeated a few times and then store.ErrThrottled.
// When an answer was lost, a write that may be repeated is; if it then fails
// its condition, nobody can tell whether the first attempt did it, so the error
// says so and is not store.ErrConflict (see sure.go).
//
// It does not create tables, and it caches nothing.
package dynamo

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"pricemanager/internal/clock"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// API is the part of *dynamodb.Client that DB uses.
type API interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

var _ API = (*dynamodb.Client)(nil)

// DB is a store.DB over DynamoDB.
type DB struct {
	client API
	names  map[store.Table]string
	clock  clock.Clock
	random io.Reader
	units  *meter // nil when not counting
}

var _ store.DB = (*DB)(nil)

// Option changes a DB from its defaults.
type Option func(*DB)

// WithClock replaces the machine's clock, which waits between attempts.
func WithClock(c clock.Clock) Option { return func(db *DB) { db.clock = c } }

// WithRandom replaces crypto/rand as the source of jitter. Like that it
// must be safe for concurrent use.
func WithRandom(r io.Reader) Option { return func(db *DB) { db.random = r } }

// CountUnits asks DynamoDB with every call what it cost; see Units.
func CountUnits() Option { return func(db *DB) { db.units = newMeter() } }

// New returns a DB over the tables with the given physical names. A table that
// has no name is not usable: a function names those it may touch.
func New(client API, names map[store.Table]string, options ...Option) *DB {
	db := &DB{client: client, names: names, clock: clock.Real{}, random: rand.Reader}
	for _, o := range options {
		o(db)
	}
	return db
}

// Get returns one item, or store.ErrNotFound.
func (db *DB) Get(ctx context.Context, t tenant.ID, table store.Table, key store.Key) (store.Item, error) {
	name, err := db.name(table, store.CheckKeys(t, table, key))
	if err != nil {
		return store.Item{}, err
	}
	out, err := db.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: name, Key: encodeKey(t, key), ConsistentRead: aws.Bool(true),
		ReturnConsumedCapacity: db.units.wanted(),
	})
	if err != nil {
		return store.Item{}, failure(err)
	}
	db.units.read(table, out.ConsumedCapacity)
	if out.Item == nil {
		return store.Item{}, store.ErrNotFound
	}
	return decode(t, out.Item)
}

// Query reads items of one PK.
func (db *DB) Query(ctx context.Context, t tenant.ID, table store.Table, q store.Query) (store.Page, error) {
	name, err := db.name(table, store.CheckQuery(t, table, q))
	if err != nil {
		return store.Page{}, err
	}
	limit := cmp.Or(q.Limit, store.DefaultLimit)
	in := &dynamodb.QueryInput{
		TableName: name, ConsistentRead: aws.Bool(true),
		KeyConditionExpression:    aws.String("pk = :pk"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":pk": partition(t, q.PK)},
		ScanIndexForward:          aws.Bool(!q.Reverse),
		// One more than asked for tells whether there are more.
		Limit:                  aws.Int32(int32(min(limit, 1<<30) + 1)),
		ReturnConsumedCapacity: db.units.wanted(),
	}
	if q.Prefix != "" {
		*in.KeyConditionExpression += " AND begins_with(sk, :prefix)"
		in.ExpressionAttributeValues[":prefix"] = &types.AttributeValueMemberS{Value: q.Prefix}
	}
	switch start(q) {
	case beyondEnd:
		return store.Page{Items: []store.Item{}}, nil
	case within:
		in.ExclusiveStartKey = encodeKey(t, store.Key{PK: q.PK, SK: q.After})
	}
	out, err := db.client.Query(ctx, in)
	if err != nil {
		return store.Page{}, failure(err)
	}
	db.units.read(table, out.ConsumedCapacity)
	found := out.Items[:min(limit, len(out.Items))]
	page := store.Page{Items: make([]store.Item, len(found))}
	for i, raw := range found {
		if page.Items[i], err = decode(t, raw); err != nil {
			return store.Page{}, err
		}
	}
	if len(found) > 0 && (len(out.Items) > limit || out.LastEvaluatedKey != nil) {
		page.Next = page.Items[len(page.Items)-1].SK
	}
	return page, nil
}

type startAt int

const (
	beforeAll startAt = iota // the After of the query does not bound it
	within
	beyondEnd // nothing can follow it
)

// start says where After lies relative to the items with the prefix, because
// DynamoDB refuses to start at a key that does not meet the key condition.
func start(q store.Query) startAt {
	switch {
	case q.After == "":
		return beforeAll
	case strings.HasPrefix(q.After, q.Prefix):
		return within
	case (q.After < q.Prefix) != q.Reverse:
		return beforeAll
	default:
		return beyondEnd
	}
}

// name is the physical name of a table, given that the call was well formed.
func (db *DB) name(table store.Table, malformed error) (*string, error) {
	if malformed != nil {
		return nil, malformed
	}
	name, ok := db.names[table]
	if !ok {
		return nil, fmt.Errorf("%w: table %q has no physical name here", store.ErrInvalid, string(table))
	}
	return &name, nil
}

const (
	attempts  = 5
	firstWait = 20 * time.Millisecond
)

// pause counts a failed attempt and waits before the next one: up to 20 ms, then
// up to 40, 80 and 160. After the last attempt it is store.ErrThrottled.
func (db *DB) pause(ctx context.Context, attempt *int) error {
	*attempt++
	if *attempt >= attempts {
		return store.ErrThrottled
	}
	var b [1]byte
	if _, err := io.ReadFull(db.random, b[:]); err != nil {
		return fmt.Errorf("dynamo: jitter: %w", err)
	}
	limit := firstWait << (*attempt - 1)
	return db.clock.Sleep(ctx, limit*time.Duration(int(b[0])+1)/256)
}
