package stack

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/secret"
	"pricemanager/internal/secret/secretsmanager"
	"pricemanager/internal/store"
	"pricemanager/internal/store/dynamo"
	"pricemanager/internal/tenant"
)

// The tenant that every stack has.
const (
	demoTenant = tenant.ID("t_demo0001")
	demoName   = "Demo"
	seedActor  = "local:setup"
	keyFile    = "api-key"
)

// seed puts in place what a deployment on AWS gets from an operator: Amazon's
// credentials, a tenant and an API key. It changes nothing that is there and
// works.
func (s *Stack) seed(ctx context.Context) error {
	secrets := sm.NewFromConfig(s.Config())
	if err := s.putCredentials(ctx, secrets); err != nil {
		return err
	}
	db := dynamo.New(dynamodb.NewFromConfig(s.Config()), map[store.Table]string{store.Identity: s.Outputs["IdentityTableName"]})
	peppers := identity.PeppersFrom(secretsmanager.New(secrets), s.Outputs["PepperSecretArn"])
	sealer := s.Sealer()
	err := identity.NewTenants(db, sealer, clock.Real{}).Create(ctx, demoTenant, seedActor, demoName)
	var there *fault.Fault
	if err != nil && (!errors.As(err, &there) || there.Kind != fault.Conflict) {
		return fmt.Errorf("stack: tenant: %w", err)
	}
	s.Tenant = demoTenant
	keys := identity.NewKeys(db, peppers, clock.Real{}, rand.Reader).Sealing(sealer)
	path := filepath.Join(s.state, keyFile)
	if text, err := os.ReadFile(path); err == nil {
		old := secret.New(strings.TrimSpace(string(text)))
		// A key from before a scope was added is replaced.
		if p, err := keys.Authenticate(ctx, old); err == nil && len(p.Scopes) == len(identity.Scopes()) {
			s.APIKey = old
			return nil
		}
	}
	_, key, err := keys.Create(ctx, demoTenant, seedActor, demoName, identity.Scopes())
	if err != nil {
		return fmt.Errorf("stack: API key: %w", err)
	}
	s.APIKey = key
	if err := os.WriteFile(path, []byte(key.Reveal()+"\n"), 0o600); err != nil {
		return fmt.Errorf("stack: %w", err)
	}
	return nil
}

// putCredentials gives the product the client credentials of the fake Amazon.
func (s *Stack) putCredentials(ctx context.Context, secrets *sm.Client) error {
	text, err := os.ReadFile(filepath.Join(s.state, secretFile))
	if err != nil {
		return fmt.Errorf("stack: %w", err)
	}
	body, err := json.Marshal(map[string]string{"client_id": clientID, "client_secret": strings.TrimSpace(string(text))})
	if err != nil {
		return fmt.Errorf("stack: %w", err)
	}
	id := aws.String(s.Outputs["LwaSecretArn"])
	now, err := secrets.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: id})
	if err != nil {
		return fmt.Errorf("stack: read Amazon credentials: %w", err)
	}
	if aws.ToString(now.SecretString) == string(body) {
		return nil
	}
	if _, err := secrets.PutSecretValue(ctx, &sm.PutSecretValueInput{SecretId: id, SecretString: aws.String(string(body))}); err != nil {
		return fmt.Errorf("stack: put Amazon credentials: %w", err)
	}
	return nil
}

// KeyFile is where the API key is kept for people, readable by its owner only.
func (s *Stack) KeyFile() string { return filepath.Join(s.state, keyFile) }
