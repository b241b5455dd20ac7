package dynamo_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"pricemanager/internal/store"
	"pricemanager/internal/store/dynamo"
)

// pages is a table's keys, a few on each page.
type pages [][]string

func (p pages) Scan(_ context.Context, in *dynamodb.ScanInput, _ ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	n := 0
	if k, ok := in.ExclusiveStartKey["pk"].(*types.AttributeValueMemberS); ok {
		_, _ = fmt.Sscan(k.Value, &n)
	}
	if *in.TableName != "pm-offers" {
		return nil, fmt.Errorf("scanned %s", *in.TableName)
	}
	out := &dynamodb.ScanOutput{}
	for _, pk := range p[n] {
		out.Items = append(out.Items, map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: pk}, "sk": &types.AttributeValueMemberS{Value: "x"}})
	}
	if n+1 < len(p) {
		out.LastEvaluatedKey = map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: fmt.Sprint(n + 1)}}
	}
	return out, nil
}

func TestHoldersAreNamedOnceAcrossAllPages(t *testing.T) {
	t.Parallel()
	db := dynamo.New(nil, map[store.Table]string{store.Offers: "pm-offers"})
	keys := pages{{"t_beta000001#offer#1", "t_alpha00001#stop"}, {}, {"t_beta000001#stop", "t_000000directory#stop"}}
	got, err := dynamo.NewHolders(keys, db).Tenants(t.Context(), store.Offers)
	if err != nil || fmt.Sprint(got) != "[t_000000directory t_alpha00001 t_beta000001]" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := dynamo.NewHolders(pages{{"nonsense"}}, db).Tenants(t.Context(), store.Offers); err == nil {
		t.Error("a key that is not ours is passed over: its tenant would be told nothing")
	}
}
