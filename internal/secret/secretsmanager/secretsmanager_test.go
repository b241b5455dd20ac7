package secretsmanager_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"pricemanager/internal/secret"
	"pricemanager/internal/secret/secretsmanager"
	"pricemanager/internal/secret/vaulttest"
)

// service answers as the Secrets Manager API does: put needs an existing
// secret, create a missing one.
type service struct {
	mu      sync.Mutex
	secrets map[string]string
	keys    map[string]string
	forced  bool
	fail    error
}

func (s *service) GetSecretValue(_ context.Context, in *sm.GetSecretValueInput, _ ...func(*sm.Options)) (*sm.GetSecretValueOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.secrets[*in.SecretId]
	if s.fail != nil || !ok {
		return nil, s.or(&types.ResourceNotFoundException{})
	}
	return &sm.GetSecretValueOutput{SecretString: &v}, nil
}

func (s *service) PutSecretValue(_ context.Context, in *sm.PutSecretValueInput, _ ...func(*sm.Options)) (*sm.PutSecretValueOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.secrets[*in.SecretId]; s.fail != nil || !ok {
		return nil, s.or(&types.ResourceNotFoundException{})
	}
	s.secrets[*in.SecretId] = *in.SecretString
	return &sm.PutSecretValueOutput{}, nil
}

func (s *service) CreateSecret(_ context.Context, in *sm.CreateSecretInput, _ ...func(*sm.Options)) (*sm.CreateSecretOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.secrets[*in.Name]; ok {
		return nil, &types.ResourceExistsException{}
	}
	s.secrets[*in.Name], s.keys[*in.Name] = *in.SecretString, aws.ToString(in.KmsKeyId)
	return &sm.CreateSecretOutput{}, nil
}

func (s *service) DeleteSecret(_ context.Context, in *sm.DeleteSecretInput, _ ...func(*sm.Options)) (*sm.DeleteSecretOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forced = aws.ToBool(in.ForceDeleteWithoutRecovery)
	if _, ok := s.secrets[*in.SecretId]; !ok {
		return nil, &types.ResourceNotFoundException{}
	}
	delete(s.secrets, *in.SecretId)
	return &sm.DeleteSecretOutput{}, nil
}

func (s *service) or(err error) error {
	if s.fail != nil {
		return s.fail
	}
	return err
}

func newService() *service { return &service{secrets: map[string]string{}, keys: map[string]string{}} }

func TestConformance(t *testing.T) {
	t.Parallel()
	vaulttest.Run(t, func(*testing.T) secret.Vault { return secretsmanager.New(newService(), secretsmanager.WithKey("key")) })
}

func TestSecretsAreMadeUnderOurKeyAndDestroyedForGood(t *testing.T) {
	t.Parallel()
	s := newService()
	v := secretsmanager.New(s, secretsmanager.WithKey("arn:key"))
	if err := v.Put(t.Context(), "n", secret.New("x")); err != nil {
		t.Fatal(err)
	}
	if s.keys["n"] != "arn:key" {
		t.Errorf("created under key %q", s.keys["n"])
	}
	if err := v.Delete(t.Context(), "n"); err != nil || !s.forced {
		t.Errorf("delete: %v, without recovery window: %v", err, s.forced)
	}
}

func TestAnErrorNamesTheSecretAndNeverItsContent(t *testing.T) {
	t.Parallel()
	s := newService()
	s.fail = &types.InvalidParameterException{Message: aws.String("bad value Atzr|hidden")}
	v := secretsmanager.New(s)
	err := v.Put(t.Context(), "the/name", secret.New("Atzr|hidden"))
	if err == nil || strings.Contains(err.Error(), "hidden") || !strings.Contains(err.Error(), "the/name") {
		t.Errorf("put: %v", err)
	}
	if _, err := v.Get(t.Context(), "the/name"); err == nil || errors.Is(err, secret.ErrNotFound) || strings.Contains(err.Error(), "hidden") {
		t.Errorf("get: %v", err)
	}
}
