package store_test

import (
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"pricemanager/internal/store"
	"pricemanager/internal/store/dynamo"
	"pricemanager/internal/store/storetest"
)

func TestStreamsOfTheLocalAWSReportEveryChange(t *testing.T) {
	t.Parallel()
	streams(t, cloudConfig(t))
}

func TestStreamsOfDynamoDBLocalReportEveryChange(t *testing.T) {
	t.Parallel()
	streams(t, dynamoLocalConfig(t))
}

func streams(t *testing.T, cfg aws.Config) {
	client := dynamodb.NewFromConfig(cfg)
	names := tables(t, client, "stream")
	reader := dynamodbstreams.NewFromConfig(cfg)
	storetest.Stream(t, dynamo.New(client, names), func(t *testing.T) []store.Record {
		var out []store.Record
		for _, r := range readStream(t, client, reader, names[store.Offers]) {
			rec, err := dynamo.Record(names, r)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, rec)
		}
		return out
	})
}

// readStream reads a table's stream from its beginning, in the form in which
// Lambda hands it to a function.
func readStream(t *testing.T, client *dynamodb.Client, reader *dynamodbstreams.Client, table string) []events.DynamoDBEventRecord {
	t.Helper()
	described, err := client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
	if err != nil {
		t.Fatal(err)
	}
	arn := described.Table.LatestStreamArn
	stream, err := reader.DescribeStream(t.Context(), &dynamodbstreams.DescribeStreamInput{StreamArn: arn})
	if err != nil {
		t.Fatal(err)
	}
	var out []events.DynamoDBEventRecord
	for _, shard := range stream.StreamDescription.Shards {
		it, err := reader.GetShardIterator(t.Context(), &dynamodbstreams.GetShardIteratorInput{
			StreamArn: arn, ShardId: shard.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
		})
		if err != nil {
			t.Fatal(err)
		}
		for next := it.ShardIterator; next != nil; {
			page, err := reader.GetRecords(t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: next})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Records {
				out = append(out, forLambda(t, *arn, r))
			}
			if next = page.NextShardIterator; len(page.Records) == 0 {
				break // an open shard always has a next
			}
		}
	}
	return out
}

func forLambda(t *testing.T, arn string, r types.Record) events.DynamoDBEventRecord {
	t.Helper()
	return events.DynamoDBEventRecord{
		EventName: string(r.EventName), EventSourceArn: arn,
		Change: events.DynamoDBStreamRecord{
			ApproximateCreationDateTime: events.SecondsEpochTime{Time: *r.Dynamodb.ApproximateCreationDateTime},
			Keys:                        values(t, r.Dynamodb.Keys),
			OldImage:                    values(t, r.Dynamodb.OldImage),
			NewImage:                    values(t, r.Dynamodb.NewImage),
			SequenceNumber:              *r.Dynamodb.SequenceNumber,
			StreamViewType:              string(r.Dynamodb.StreamViewType),
		},
	}
}

func values(t *testing.T, m map[string]types.AttributeValue) map[string]events.DynamoDBAttributeValue {
	t.Helper()
	out := map[string]events.DynamoDBAttributeValue{}
	for name, v := range m {
		switch v := v.(type) {
		case *types.AttributeValueMemberS:
			out[name] = events.NewStringAttribute(v.Value)
		case *types.AttributeValueMemberN:
			out[name] = events.NewNumberAttribute(v.Value)
		case *types.AttributeValueMemberBOOL:
			out[name] = events.NewBooleanAttribute(v.Value)
		case *types.AttributeValueMemberB:
			out[name] = events.NewBinaryAttribute(v.Value)
		default:
			t.Fatalf("attribute %q is a %T", name, v)
		}
	}
	return out
}
