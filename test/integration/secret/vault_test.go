// Package secret_test holds the Secrets Manager vault to the vault's promises
// on the local AWS.
package secret_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"pricemanager/infra/local/localaws"
	"pricemanager/internal/secret"
	"pricemanager/internal/secret/secretsmanager"
	"pricemanager/internal/secret/vaulttest"
)

func cloud(t *testing.T) aws.Config {
	t.Helper()
	c, err := localaws.Start(t.Context(), localaws.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	cfg, err := c.Config(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestSecretsManagerKeepsTheVaultsPromises(t *testing.T) {
	t.Parallel()
	cfg := cloud(t)
	key, err := kms.NewFromConfig(cfg).CreateKey(t.Context(), &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	client := sm.NewFromConfig(cfg)
	v := secretsmanager.New(client, secretsmanager.WithKey(*key.KeyMetadata.KeyId))
	vaulttest.Run(t, func(*testing.T) secret.Vault { return v })
	vaulttest.RunVersions(t, func(*testing.T) (secret.Vault, secret.Versions) { return v, secretsmanager.NewVersions(client) })

	const name = "pm-test/connection/t_alpha1/conn_x/1"
	if err := v.Put(t.Context(), name, secret.New("Atzr|x")); err != nil {
		t.Fatal(err)
	}
	d, err := client.DescribeSecret(t.Context(), &sm.DescribeSecretInput{SecretId: aws.String(name)})
	if err != nil || !strings.Contains(aws.ToString(d.KmsKeyId), *key.KeyMetadata.KeyId) {
		t.Errorf("secret is under key %s, %v", aws.ToString(d.KmsKeyId), err)
	}
}
