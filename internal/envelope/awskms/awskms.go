// Package awskms makes and unwraps data keys with AWS KMS. The encryption
// context goes to KMS as it is: key policies can test it and CloudTrail shows
// it. Retries are the SDK's; nothing is cached here.
package awskms

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"pricemanager/internal/envelope"
)

// API is the part of the KMS client in use.
type API interface {
	GenerateDataKey(context.Context, *kms.GenerateDataKeyInput, ...func(*kms.Options)) (*kms.GenerateDataKeyOutput, error)
	Decrypt(context.Context, *kms.DecryptInput, ...func(*kms.Options)) (*kms.DecryptOutput, error)
	ReEncrypt(context.Context, *kms.ReEncryptInput, ...func(*kms.Options)) (*kms.ReEncryptOutput, error)
}

var _ API = (*kms.Client)(nil)

// KMS wraps data keys with one KMS key.
type KMS struct {
	api   API
	keyID string
	from  string
}

var (
	_ envelope.KMS       = (*KMS)(nil)
	_ envelope.Rewrapper = (*KMS)(nil)
)

// New returns a KMS that wraps with keyID (an id, ARN or alias).
func New(api API, keyID string) *KMS { return &KMS{api: api, keyID: keyID, from: keyID} }

// From returns a KMS for rewrapping that moves data keys here from another key.
func (k *KMS) From(keyID string) *KMS { return &KMS{api: k.api, keyID: k.keyID, from: keyID} }

// GenerateDataKey asks KMS for a new AES-256 key.
func (k *KMS) GenerateDataKey(ctx context.Context, encContext map[string]string) (plain, wrapped []byte, keyID string, err error) {
	out, err := k.api.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{
		KeyId: aws.String(k.keyID), KeySpec: types.DataKeySpecAes256, EncryptionContext: encContext,
	})
	if err != nil {
		return nil, nil, "", fmt.Errorf("kms: generate data key: %w", err)
	}
	return out.Plaintext, out.CiphertextBlob, aws.ToString(out.KeyId), nil
}

// Decrypt unwraps a data key. KeyId is named so that a blob wrapped by a key of
// somebody else's account is refused and not unwrapped.
func (k *KMS) Decrypt(ctx context.Context, wrapped []byte, encContext map[string]string) ([]byte, error) {
	out, err := k.api.Decrypt(ctx, &kms.DecryptInput{
		KeyId: aws.String(k.keyID), CiphertextBlob: wrapped, EncryptionContext: encContext,
	})
	if err != nil {
		return nil, verdict("decrypt", err)
	}
	return out.Plaintext, nil
}

// Rewrap has KMS wrap a data key with the present key and its newest material,
// under the same context. The plain key does not leave KMS.
func (k *KMS) Rewrap(ctx context.Context, wrapped []byte, encContext map[string]string) (anew []byte, keyID string, err error) {
	out, err := k.api.ReEncrypt(ctx, &kms.ReEncryptInput{
		CiphertextBlob: wrapped, SourceKeyId: aws.String(k.from), DestinationKeyId: aws.String(k.keyID),
		SourceEncryptionContext: encContext, DestinationEncryptionContext: encContext,
	})
	if err != nil {
		return nil, "", verdict("re-encrypt", err)
	}
	return out.CiphertextBlob, aws.ToString(out.KeyId), nil
}

// verdict tells a wrapped key that KMS refuses from a call that failed.
func verdict(op string, err error) error {
	var invalid *types.InvalidCiphertextException
	var other *types.IncorrectKeyException
	if errors.As(err, &invalid) || errors.As(err, &other) {
		return fmt.Errorf("kms: %s: %w: %w", op, envelope.ErrRefused, err)
	}
	return fmt.Errorf("kms: %s: %w", op, err)
}
