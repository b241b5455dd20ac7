package store_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"pricemanager/internal/store/dynamo"
	"pricemanager/internal/store/storetest"
)

func TestASweepDeletesEverythingOfOneTenantAndNothingElse(t *testing.T) {
	t.Parallel()
	for name, client := range map[string]*dynamodb.Client{
		"local AWS": dynamodb.NewFromConfig(cloudConfig(t)), "DynamoDB Local": dynamodb.NewFromConfig(dynamoLocalConfig(t)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := dynamo.New(client, tables(t, client, "sweep"))
			storetest.Sweep(t, db, dynamo.NewSweeper(client, db))
		})
	}
}
