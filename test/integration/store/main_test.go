// Package store_test runs the store's conformance suites on real servers:
// DynamoDB, S3 and SQS of the local AWS, and Amazon's DynamoDB Local. One of
// each serves the whole test binary.
package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"pricemanager/infra/local/localaws"
	"pricemanager/internal/store"
	"pricemanager/internal/store/awshttp"
	"pricemanager/test/ddblocal"
)

// shared is a server that starts when the first test wants it.
type shared[T interface{ Close() error }] struct {
	start func() (T, error)
	once  sync.Once
	it    T
	err   error
	runs  bool
}

func (s *shared[T]) get() (T, error) {
	s.once.Do(func() {
		s.it, s.err = s.start()
		s.runs = s.err == nil
	})
	return s.it, s.err
}

func (s *shared[T]) close() {
	if s.runs {
		if err := s.it.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}

var (
	cloud = shared[*localaws.Cloud]{start: func() (*localaws.Cloud, error) {
		return localaws.Start(context.Background(), localaws.Options{})
	}}
	dynamoLocal = shared[*ddblocal.Server]{start: func() (*ddblocal.Server, error) {
		var log bytes.Buffer
		s, err := ddblocal.Start(context.Background(), ddblocal.Options{Log: &log})
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, log.Bytes())
		}
		return s, err
	}}
)

func TestMain(m *testing.M) {
	code := m.Run()
	cloud.close()
	dynamoLocal.close()
	os.Exit(code)
}

func cloudConfig(t *testing.T) aws.Config {
	t.Helper()
	c, err := cloud.get()
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := c.Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cfg.HTTPClient = awshttp.Wrap(cfg.HTTPClient)
	return cfg
}

func dynamoLocalConfig(t *testing.T) aws.Config {
	t.Helper()
	s, err := dynamoLocal.get()
	if errors.Is(err, ddblocal.ErrUnavailable) {
		t.Skipf("SKIPPED: the store was not compared with DynamoDB Local: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.Config()
	cfg.HTTPClient = awshttp.Wrap(cfg.HTTPClient)
	return cfg
}

// tables makes one set of the product's tables, streamed as in production, and
// returns their names.
func tables(t *testing.T, client *dynamodb.Client, prefix string) map[store.Table]string {
	t.Helper()
	names := map[store.Table]string{}
	for _, table := range store.Tables() {
		names[table] = prefix + "-" + string(table)
		_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
			TableName: aws.String(names[table]), BillingMode: types.BillingModePayPerRequest,
			AttributeDefinitions: []types.AttributeDefinition{
				{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS},
				{AttributeName: aws.String("sk"), AttributeType: types.ScalarAttributeTypeS},
			},
			KeySchema: []types.KeySchemaElement{
				{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash},
				{AttributeName: aws.String("sk"), KeyType: types.KeyTypeRange},
			},
			StreamSpecification: &types.StreamSpecification{
				StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages,
			},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return names
}
