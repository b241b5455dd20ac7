package secret_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"pricemanager/internal/envelope/awskms"
)

func TestKMSGivesAValueOneIndexPerKeyAndKind(t *testing.T) {
	t.Parallel()
	client := kms.NewFromConfig(cloud(t))
	index := func() *awskms.Index {
		key, err := client.CreateKey(t.Context(), &kms.CreateKeyInput{KeySpec: types.KeySpecHmac256, KeyUsage: types.KeyUsageTypeGenerateVerifyMac})
		if err != nil {
			t.Fatal(err)
		}
		return awskms.NewIndex(client, aws.ToString(key.KeyMetadata.Arn))
	}
	one, other := index(), index()
	seen := map[string]bool{}
	for _, c := range []struct {
		x           *awskms.Index
		kind, value string
	}{{one, "mail", "ann@example.com"}, {one, "mail", "ben@example.com"}, {one, "device", "ann@example.com"}, {other, "mail", "ann@example.com"}} {
		first, err := c.x.Of(t.Context(), c.kind, c.value)
		if err != nil {
			t.Fatal(err)
		}
		again, err := c.x.Of(t.Context(), c.kind, c.value)
		if err != nil || again != first || seen[first] {
			t.Errorf("%s %s: %s, then %s, %v", c.kind, c.value, first, again, err)
		}
		seen[first] = true
	}
}
