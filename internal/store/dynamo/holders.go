package dynamo

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// ReadAllAPI is the part of *dynamodb.Client that Holders uses. No function has it:
// only an operator may look at all tenants' keys.
type ReadAllAPI interface {
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
}

// Holders says whose items a table holds, by scanning the keys of all of them. It
// costs what Sweeper does, and reads no values.
type Holders struct {
	client ReadAllAPI
	db     *DB // for names
}

// NewHolders returns Holders over db's tables.
func NewHolders(client ReadAllAPI, db *DB) *Holders { return &Holders{client, db} }

// Tenants returns every tenant of which the table holds an item, each once, sorted,
// Directory among them when it has one.
func (h *Holders) Tenants(ctx context.Context, table store.Table) ([]tenant.ID, error) {
	name, err := h.db.name(table, nil)
	if err != nil {
		return nil, err
	}
	found := map[tenant.ID]bool{}
	in := &dynamodb.ScanInput{TableName: name, ConsistentRead: aws.Bool(true), ProjectionExpression: aws.String("pk, sk")}
	for {
		out, err := h.client.Scan(ctx, in)
		if err != nil {
			return nil, failure(err)
		}
		for _, raw := range out.Items {
			pk, _ := raw["pk"].(*types.AttributeValueMemberS)
			sk, _ := raw["sk"].(*types.AttributeValueMemberS)
			if pk == nil || sk == nil {
				return nil, errors.New("dynamo: item without pk and sk")
			}
			owner, _, err := splitKey(pk.Value, sk.Value)
			if err != nil {
				return nil, err
			}
			found[owner] = true
		}
		if out.LastEvaluatedKey == nil {
			return slices.Sorted(maps.Keys(found)), nil
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}
