package stack

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/awskms"
	"pricemanager/internal/store"
	"pricemanager/internal/store/dynamo"
)

// Sealer seals fields as the product does, for those who put tenants and keys in
// place.
func (s *Stack) Sealer() *envelope.Sealer {
	db := dynamo.New(dynamodb.NewFromConfig(s.Config()), map[store.Table]string{store.Keys: s.Outputs["KeysTableName"]})
	return envelope.New(awskms.New(kms.NewFromConfig(s.Config()), "alias/pm-local-data"), db, clock.Real{})
}
