// Package secretsmanager is a secret.Vault in AWS Secrets Manager.
//
// It relies on the SDK's retries; what is left after them comes back as an
// error that names the secret and the API's error code, never the content.
package secretsmanager

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"pricemanager/internal/secret"
)

// API is the part of the SDK's client that is used.
type API interface {
	GetSecretValue(context.Context, *sm.GetSecretValueInput, ...func(*sm.Options)) (*sm.GetSecretValueOutput, error)
	PutSecretValue(context.Context, *sm.PutSecretValueInput, ...func(*sm.Options)) (*sm.PutSecretValueOutput, error)
	CreateSecret(context.Context, *sm.CreateSecretInput, ...func(*sm.Options)) (*sm.CreateSecretOutput, error)
	DeleteSecret(context.Context, *sm.DeleteSecretInput, ...func(*sm.Options)) (*sm.DeleteSecretOutput, error)
}

var _ API = (*sm.Client)(nil)

// Vault keeps secrets in Secrets Manager.
type Vault struct {
	api API
	key string
}

var _ secret.Vault = (*Vault)(nil)

// Option changes a vault.
type Option func(*Vault)

// WithKey encrypts the secrets that the vault creates under a KMS key of ours
// instead of the account's default one. Who only reads needs none.
func WithKey(kmsKey string) Option { return func(v *Vault) { v.key = kmsKey } }

// New returns a vault.
func New(api API, options ...Option) *Vault {
	v := &Vault{api: api}
	for _, o := range options {
		o(v)
	}
	return v
}

// Put adds a version to the secret, creating it when it is new.
func (v *Vault) Put(ctx context.Context, name string, s secret.Value) error {
	content := aws.String(s.Reveal())
	// Most puts replace; two that create at the same time meet again in the
	// second round, where the loser finds the winner's secret.
	for range 2 {
		_, err := v.api.PutSecretValue(ctx, &sm.PutSecretValueInput{SecretId: &name, SecretString: content})
		if !isA[*types.ResourceNotFoundException](err) {
			return wrap("put", name, err)
		}
		in := &sm.CreateSecretInput{Name: &name, SecretString: content}
		if v.key != "" {
			in.KmsKeyId = &v.key
		}
		_, err = v.api.CreateSecret(ctx, in)
		if !isA[*types.ResourceExistsException](err) {
			return wrap("create", name, err)
		}
	}
	return fmt.Errorf("secret: put %s: it appears and disappears; try again", name)
}

// Get returns the current version.
func (v *Vault) Get(ctx context.Context, name string) (secret.Value, error) {
	out, err := v.api.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: &name})
	if isA[*types.ResourceNotFoundException](err) {
		return secret.Value{}, fmt.Errorf("%w: %s", secret.ErrNotFound, name)
	}
	if err != nil {
		return secret.Value{}, wrap("get", name, err)
	}
	return secret.New(aws.ToString(out.SecretString)), nil
}

// Delete destroys the secret without a recovery window: a refresh token that
// its owner withdrew must not be recoverable.
func (v *Vault) Delete(ctx context.Context, name string) error {
	_, err := v.api.DeleteSecret(ctx, &sm.DeleteSecretInput{SecretId: &name, ForceDeleteWithoutRecovery: aws.Bool(true)})
	if isA[*types.ResourceNotFoundException](err) {
		return nil
	}
	return wrap("delete", name, err)
}

func isA[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// wrap names the secret and keeps the API's code; its text is left out, since
// nothing promises that it never quotes the input.
func wrap(op, name string, err error) error {
	if err == nil {
		return nil
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		return fmt.Errorf("secret: %s %s: %s", op, name, api.ErrorCode())
	}
	return fmt.Errorf("secret: %s %s: %w", op, name, err)
}
