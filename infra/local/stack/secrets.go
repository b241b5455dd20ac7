package stack

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"pricemanager/internal/secret"
)

// Secrets reads everything that Secrets Manager holds, by name, for those who
// look for it in other places.
func (s *Stack) Secrets(ctx context.Context) (map[string]secret.Value, error) {
	vault := sm.NewFromConfig(s.Config())
	all := map[string]secret.Value{}
	pages := sm.NewListSecretsPaginator(vault, &sm.ListSecretsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("stack: list secrets: %w", err)
		}
		for _, entry := range page.SecretList {
			name := aws.ToString(entry.Name)
			out, err := vault.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: entry.ARN})
			if err != nil {
				return nil, fmt.Errorf("stack: read secret %s: %w", name, err)
			}
			all[name] = secret.New(aws.ToString(out.SecretString))
		}
	}
	return all, nil
}
