package store_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
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
	blobs := s3.New(smallPages{client}, awss3.NewPresignClient(client), names)
	storetest.Blobs(t, blobs, follow)
	storetest.Uploads(t, blobs, submit)
	storetest.Large(t, blobs)
}

// submit sends a form as a browser does.
func submit(f store.Form, content []byte) error {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, value := range f.Fields {
		if err := w.WriteField(name, value); err != nil {
			return err
		}
	}
	part, err := w.CreateFormFile("file", "prices.csv")
	if err != nil {
		return err
	}
	if _, err := part.Write(content); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	res, err := http.Post(f.URL, w.FormDataContentType(), &body)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("status %s", res.Status)
	}
	return nil
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
