package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// secretPages lists secrets in pages of two.
type secretPages []string

func (p secretPages) ListSecrets(_ context.Context, in *sm.ListSecretsInput, _ ...func(*sm.Options)) (*sm.ListSecretsOutput, error) {
	from := 0
	for i, name := range p {
		if name == aws.ToString(in.NextToken) {
			from = i
		}
	}
	out := &sm.ListSecretsOutput{}
	for i := from; i < len(p); i++ {
		if i == from+2 {
			out.NextToken = &p[i]
			break
		}
		out.SecretList = append(out.SecretList, types.SecretListEntry{Name: &p[i]})
	}
	return out, nil
}

func TestTheBillCountsTheSecretsOfOneStage(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	list := secretPages{"pm-prod/lwa", "pm-prod/pepper", "pm-production/lwa", "pm-prod/connection/t_a/conn_b/1", "other"}
	if err := printCost(t.Context(), list, "prod", &out); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.TrimSpace(out.String()), `{"stage":"prod","secrets":3,"connections":1,"usdPerMonth":"1.20"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
