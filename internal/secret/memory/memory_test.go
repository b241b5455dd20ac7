package memory_test

import (
	"testing"

	"pricemanager/internal/secret"
	"pricemanager/internal/secret/memory"
	"pricemanager/internal/secret/vaulttest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	vaulttest.Run(t, func(*testing.T) secret.Vault { return &memory.Vault{} })
	vaulttest.RunVersions(t, func(*testing.T) (secret.Vault, secret.Versions) {
		v := &memory.Vault{}
		return v, v
	})
}
