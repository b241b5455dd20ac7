package store_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"pricemanager/infra/local/localaws"
	"pricemanager/internal/store"
	"pricemanager/internal/store/s3"
	"pricemanager/internal/store/storetest"
)

func TestS3OnTheLocalAWSKeepsThePromisesOfBlobs(t *testing.T) {
	t.Parallel()
	client := s3.Client(cloudConfig(t), true)
	names := map[store.Bucket]string{}
	for _, b := range []store.Bucket{store.Files, store.Exports, store.Archive} {
		names[b] = "suite-" + string(b)
		if _, err := client.CreateBucket(t.Context(), &awss3.CreateBucketInput{
			Bucket:                    aws.String(names[b]),
			CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: localaws.Region},
		}); err != nil {
			t.Fatal(err)
		}
	}
	storetest.Blobs(t, s3.New(smallPages{client}, awss3.NewPresignClient(client), names), follow)
}

// smallPages makes List turn pages without a thousand objects.
type smallPages struct{ s3.API }

func (p smallPages) ListObjectsV2(ctx context.Context, in *awss3.ListObjectsV2Input, o ...func(*awss3.Options)) (*awss3.ListObjectsV2Output, error) {
	in.MaxKeys = aws.Int32(2)
	return p.API.ListObjectsV2(ctx, in, o...)
}

func follow(link string) (contentType string, body []byte, err error) {
	res, err := http.Get(link)
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return "", nil, fmt.Errorf("status %s", res.Status)
	}
	body, err = io.ReadAll(res.Body)
	return res.Header.Get("Content-Type"), body, err
}
