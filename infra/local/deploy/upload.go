package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"
)

// bucket is a place for code and templates, made when it is missing.
type bucket struct {
	client *s3.Client
	name   string
}

func openBucket(ctx context.Context, cfg aws.Config, name string) (bucket, error) {
	b := bucket{client: s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }), name: name}
	_, err := b.client.CreateBucket(ctx, &s3.CreateBucketInput{
		Bucket:                    aws.String(name),
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(cfg.Region)},
	})
	var ours *types.BucketAlreadyOwnedByYou
	if err != nil && !errors.As(err, &ours) {
		return bucket{}, fmt.Errorf("deploy: bucket %s: %w", name, err)
	}
	return b, nil
}

// upload puts the archives that are not there yet.
func (b bucket) upload(ctx context.Context, archives map[string]Archive) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, a := range archives {
		group.Go(func() error {
			_, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: &a.Key})
			var missing *types.NotFound
			if !errors.As(err, &missing) {
				return err // there already, or a real error
			}
			content, err := os.ReadFile(a.Path)
			if err != nil {
				return err
			}
			return b.put(ctx, a.Key, content)
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("deploy: upload code: %w", err)
	}
	return nil
}

func (b bucket) put(ctx context.Context, key string, content []byte) error {
	_, err := b.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &b.name, Key: &key, Body: bytes.NewReader(content)})
	return err
}
