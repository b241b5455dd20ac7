package awskms

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"pricemanager/internal/envelope"
)

// MACAPI is the part of the KMS client that makes keyed hashes.
type MACAPI interface {
	GenerateMac(context.Context, *kms.GenerateMacInput, ...func(*kms.Options)) (*kms.GenerateMacOutput, error)
}

var _ MACAPI = (*kms.Client)(nil)

// Index makes keyed hashes by which a value is found that the tables do not hold. Its
// key, of spec HMAC_256, does not leave KMS: whoever has the tables alone can try out
// nothing. Such a key cannot be replaced without all that was indexed with it.
type Index struct {
	api   MACAPI
	keyID string
}

// NewIndex returns an Index by the key keyID (an id, ARN or alias).
func NewIndex(api MACAPI, keyID string) *Index { return &Index{api: api, keyID: keyID} }

// Of is the index of a value: 32 hexadecimal digits, the same for the same kind and
// value always.
func (x *Index) Of(ctx context.Context, kind, value string) (string, error) {
	message, err := envelope.IndexMessage(kind, value)
	if err != nil {
		return "", err
	}
	out, err := x.api.GenerateMac(ctx, &kms.GenerateMacInput{
		KeyId: aws.String(x.keyID), MacAlgorithm: types.MacAlgorithmSpecHmacSha256, Message: message,
	})
	if err != nil {
		return "", fmt.Errorf("kms: generate mac: %w", err)
	}
	return envelope.IndexText(out.Mac)
}
