package dynamo

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// ScanAPI is the part of *dynamodb.Client that Sweeper uses. It is apart from API:
// one function alone may look at all tenants' items and delete without a condition.
type ScanAPI interface {
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
	BatchWriteItem(context.Context, *dynamodb.BatchWriteItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchWriteItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
}

var _ ScanAPI = (*dynamodb.Client)(nil)

// Sweeper is a store.Sweeper over DynamoDB. A partition key cannot be looked up by
// its beginning, so that it scans: half a read unit for every 4 KB of the table,
// that is $1.60 for 100 GB at the price of on-demand reads in eu-central-1.
type Sweeper struct {
	client   ScanAPI
	db       *DB // for names and pauses
	segments int
}

var _ store.Sweeper = (*Sweeper)(nil)

// sweepSegments lets a Lambda function's two minutes get through at least one
// segment of a table of some 200 GB, at about 30 ms for each page of 1 MB.
const sweepSegments = 64

// NewSweeper returns a Sweeper over db's tables.
func NewSweeper(client ScanAPI, db *DB) *Sweeper {
	return &Sweeper{client: client, db: db, segments: sweepSegments}
}

// Segments is into how many parts Sweep cuts a table.
func (s *Sweeper) Segments() int { return s.segments }

// Sweep deletes from one segment what is the tenant's.
func (s *Sweeper) Sweep(ctx context.Context, t tenant.ID, table store.Table, segment int, keep store.Keep) (deleted int, err error) {
	name, err := s.db.name(table, store.CheckKeys(t, table))
	if err != nil {
		return 0, err
	}
	in := &dynamodb.ScanInput{
		TableName: name, ConsistentRead: aws.Bool(true),
		Segment: aws.Int32(int32(segment)), TotalSegments: aws.Int32(int32(s.segments)),
		// What the filter lets through of the directory is judged below: a part of a
		// key between slashes cannot be said in an expression.
		FilterExpression:         aws.String("begins_with(pk, :own) OR (begins_with(pk, :directory) AND (#tenant = :tenant OR contains(sk, :tenant)))"),
		ExpressionAttributeNames: map[string]string{"#tenant": store.AttrTenant},
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":own": partition(t, ""), ":directory": partition(store.Directory, ""), ":tenant": &types.AttributeValueMemberS{Value: string(t)},
		},
		ProjectionExpression: aws.String("pk, sk, #tenant"),
	}
	for {
		out, err := s.client.Scan(ctx, in)
		if err != nil {
			return deleted, failure(err)
		}
		n, err := s.remove(ctx, t, *name, out.Items, keep)
		deleted += n
		if err != nil {
			return deleted, err
		}
		if out.LastEvaluatedKey == nil {
			return deleted, nil
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

// batchWrite is the most that one BatchWriteItem takes.
const batchWrite = 25

func (s *Sweeper) remove(ctx context.Context, t tenant.ID, table string, found []map[string]types.AttributeValue, keep store.Keep) (deleted int, err error) {
	var own []types.WriteRequest
	for _, raw := range found {
		owner, it, err := anyones(raw)
		if err != nil {
			return deleted, err
		}
		if keep.Spares(owner, it.Key) {
			continue
		}
		switch owner {
		case t:
			own = append(own, types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: encodeKey(t, it.Key)}})
		case store.Directory:
			gone, err := s.release(ctx, t, table, it)
			if err != nil {
				return deleted, err
			}
			deleted += gone
		}
	}
	for len(own) > 0 {
		n := min(batchWrite, len(own))
		if err := s.delete(ctx, table, own[:n]); err != nil {
			return deleted, err
		}
		deleted += n
		own = own[n:]
	}
	return deleted, nil
}

// anyones reads the key of an item of any tenant, and which tenant it names.
func anyones(raw map[string]types.AttributeValue) (owner tenant.ID, it store.Item, err error) {
	pk, ok1 := raw["pk"].(*types.AttributeValueMemberS)
	sk, ok2 := raw["sk"].(*types.AttributeValueMemberS)
	if !ok1 || !ok2 {
		return "", it, errors.New("dynamo: item without pk and sk")
	}
	owner, it.Key, err = splitKey(pk.Value, sk.Value)
	if named, ok := raw[store.AttrTenant].(*types.AttributeValueMemberS); ok {
		it.Attrs = map[string]any{store.AttrTenant: named.Value}
	}
	return owner, it, err
}

// release deletes an item of the directory if it is still about the tenant: a
// seller's claim may be another tenant's by now.
func (s *Sweeper) release(ctx context.Context, t tenant.ID, table string, it store.Item) (deleted int, err error) {
	if !store.NamesTenant(it, t) {
		return 0, nil
	}
	in := &dynamodb.DeleteItemInput{TableName: &table, Key: encodeKey(store.Directory, it.Key)}
	if it.Str(store.AttrTenant) != "" {
		in.ConditionExpression = aws.String("#tenant = :tenant")
		in.ExpressionAttributeNames = map[string]string{"#tenant": store.AttrTenant}
		in.ExpressionAttributeValues = map[string]types.AttributeValue{":tenant": &types.AttributeValueMemberS{Value: it.Str(store.AttrTenant)}}
	}
	_, err = s.client.DeleteItem(ctx, in)
	var moved *types.ConditionalCheckFailedException
	if errors.As(err, &moved) {
		return 0, nil
	}
	if err != nil {
		return 0, failure(err)
	}
	return 1, nil
}

// delete deletes a batch, asking again for what DynamoDB left over.
func (s *Sweeper) delete(ctx context.Context, table string, batch []types.WriteRequest) error {
	left := map[string][]types.WriteRequest{table: batch}
	for attempt := 0; ; {
		out, err := s.client.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: left})
		if err != nil {
			return failure(err)
		}
		if len(out.UnprocessedItems[table]) == 0 {
			return nil
		}
		left = out.UnprocessedItems
		if err := s.db.pause(ctx, &attempt); err != nil {
			return fmt.Errorf("dynamo: sweep: %w", err)
		}
	}
}
