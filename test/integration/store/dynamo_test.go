package store_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"pricemanager/internal/store"
	"pricemanager/internal/store/dynamo"
	"pricemanager/internal/store/storetest"
)

func TestDynamoOnTheLocalAWSKeepsThePromisesOfDB(t *testing.T) {
	t.Parallel()
	client := dynamodb.NewFromConfig(cloudConfig(t))
	db := dynamo.New(client, tables(t, client, "suite"))
	storetest.DB(t, func(*testing.T) store.DB { return db }, storetest.ModelChecks(8))
}

func TestDynamoOnDynamoDBLocalKeepsThePromisesOfDB(t *testing.T) {
	t.Parallel()
	client := dynamodb.NewFromConfig(dynamoLocalConfig(t))
	db := dynamo.New(client, tables(t, client, "suite"))
	storetest.DB(t, func(*testing.T) store.DB { return db }, storetest.ModelChecks(15))
}
