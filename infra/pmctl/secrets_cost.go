package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"pricemanager/internal/store/awshttp"
)

// secretCents is what a secret costs a month, in US cents (AWS Secrets Manager
// pricing: $0.40 per secret). Calls come on top, $0.05 for 10,000.
const secretCents = 40

// secretsCost prints what a stage's secrets cost.
func secretsCost() command {
	return command{
		name:  "secrets cost",
		usage: "--stage STAGE",
		about: "what the secrets of a stage cost a month: one for each consent of a connection, and the fixed ones",
		run:   runSecretsCost,
	}
}

func runSecretsCost(ctx context.Context, args []string, out io.Writer) error {
	f := newFlags("secrets cost")
	stage := f.String("stage", "", "")
	operands, err := parse(f, args)
	if err != nil {
		return err
	}
	if len(operands) != 0 || *stage == "" {
		return errors.New("give --stage, e.g. --stage prod")
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	cfg.HTTPClient = awshttp.Wrap(cfg.HTTPClient)
	return printCost(ctx, sm.NewFromConfig(cfg), *stage, out)
}

// bill is the answer.
type bill struct {
	Stage       string `json:"stage"`
	Secrets     int64  `json:"secrets"`
	Connections int64  `json:"connections"` // of them: refresh tokens
	USDPerMonth string `json:"usdPerMonth"`
}

func printCost(ctx context.Context, api sm.ListSecretsAPIClient, stage string, out io.Writer) error {
	prefix := "pm-" + stage + "/"
	b := bill{Stage: stage}
	pages := sm.NewListSecretsPaginator(api, &sm.ListSecretsInput{
		Filters: []types.Filter{{Key: types.FilterNameStringTypeName, Values: []string{prefix}}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list secrets: %w", err)
		}
		for _, s := range page.SecretList {
			rest, ours := strings.CutPrefix(aws.ToString(s.Name), prefix)
			if !ours {
				continue
			}
			b.Secrets++
			if strings.HasPrefix(rest, "connection/") {
				b.Connections++
			}
		}
	}
	b.USDPerMonth = fmt.Sprintf("%d.%02d", b.Secrets*secretCents/100, b.Secrets*secretCents%100)
	return json.NewEncoder(out).Encode(b)
}
