// Package s3 is the store.Blobs over S3: the object "<tenant>/<name>" in the
// bucket that a store.Bucket stands for. A tenant id contains no slash, so the
// first one ends the tenant.
//
// What is promised when things fail: as package store says; Put, Get, Delete
// and List may be repeated without harm, and the SDK does. How long objects
// live, their encryption, and Object Lock belong to the buckets: deleting from
// a versioned bucket hides the object and keeps its versions until the bucket's
// lifecycle removes them.
package s3

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// API is the part of *s3.Client that Blobs uses.
type API interface {
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	DeleteObject(context.Context, *s3.DeleteObjectInput, ...func(*s3.Options)) (*s3.DeleteObjectOutput, error)
	ListObjectsV2(context.Context, *s3.ListObjectsV2Input, ...func(*s3.Options)) (*s3.ListObjectsV2Output, error)
}

// Signer is the part of *s3.PresignClient that Blobs uses.
type Signer interface {
	PresignGetObject(context.Context, *s3.GetObjectInput, ...func(*s3.PresignOptions)) (*v4.PresignedHTTPRequest, error)
	PresignPostObject(context.Context, *s3.PutObjectInput, ...func(*s3.PresignPostOptions)) (*s3.PresignedPostRequest, error)
}

var (
	_ API    = (*s3.Client)(nil)
	_ Signer = (*s3.PresignClient)(nil)
)

// Client returns a client for New. pathStyle puts the bucket into the path
// rather than the host name, as every endpoint but AWS's own wants it.
func Client(cfg aws.Config, pathStyle bool) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = pathStyle })
}

// Blobs is a store.Blobs over S3.
type Blobs struct {
	client API
	signer Signer
	names  map[store.Bucket]string
}

var (
	_ store.Blobs = (*Blobs)(nil)
	_ store.Large = (*Blobs)(nil)
)

// New returns Blobs over the buckets with the given physical names. A bucket
// without a name is not usable: a function names those it may touch. signer is
// usually s3.NewPresignClient(client).
func New(client API, signer Signer, names map[store.Bucket]string) *Blobs {
	return &Blobs{client: client, signer: signer, names: names}
}

// place is the physical bucket and key of a name or prefix, given that the call
// was well formed.
func (b *Blobs) place(malformed error, t tenant.ID, bucket store.Bucket, name string) (physical, key *string, err error) {
	if malformed != nil {
		return nil, nil, malformed
	}
	p, ok := b.names[bucket]
	if !ok {
		return nil, nil, fmt.Errorf("%w: bucket %q has no physical name here", store.ErrInvalid, string(bucket))
	}
	return &p, aws.String(string(t) + "/" + name), nil
}

// Put stores the object.
func (b *Blobs) Put(ctx context.Context, t tenant.ID, bucket store.Bucket, name, contentType string, body []byte) error {
	return b.PutFrom(ctx, t, bucket, name, contentType, bytes.NewReader(body))
}

// PutFrom stores the object. What it reads from is read anew when a request has to
// be repeated.
func (b *Blobs) PutFrom(ctx context.Context, t tenant.ID, bucket store.Bucket, name, contentType string, body io.ReadSeeker) error {
	physical, key, err := b.place(store.CheckName(t, bucket, name), t, bucket, name)
	if err != nil {
		return err
	}
	in := &s3.PutObjectInput{Bucket: physical, Key: key, Body: body}
	if contentType != "" {
		in.ContentType = &contentType
	}
	if store.Brief(bucket, name) {
		in.Tagging = aws.String(store.BriefTag + "=" + store.BriefValue)
	}
	_, err = b.client.PutObject(ctx, in)
	return failure(err)
}

// Get returns the object, or store.ErrNotFound.
func (b *Blobs) Get(ctx context.Context, t tenant.ID, bucket store.Bucket, name string) ([]byte, error) {
	physical, key, err := b.place(store.CheckName(t, bucket, name), t, bucket, name)
	if err != nil {
		return nil, err
	}
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: physical, Key: key})
	if err != nil {
		return nil, failure(err)
	}
	body, err := io.ReadAll(out.Body)
	return body, failure(errors.Join(err, out.Body.Close()))
}

// Read returns the object as a stream.
func (b *Blobs) Read(ctx context.Context, t tenant.ID, bucket store.Bucket, name string) (io.ReadCloser, int64, error) {
	physical, key, err := b.place(store.CheckName(t, bucket, name), t, bucket, name)
	if err != nil {
		return nil, 0, err
	}
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: physical, Key: key})
	if err != nil {
		return nil, 0, failure(err)
	}
	return out.Body, aws.ToInt64(out.ContentLength), nil
}

// Delete removes the object.
func (b *Blobs) Delete(ctx context.Context, t tenant.ID, bucket store.Bucket, name string) error {
	physical, key, err := b.place(store.CheckName(t, bucket, name), t, bucket, name)
	if err != nil {
		return err
	}
	_, err = b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: physical, Key: key})
	return failure(err)
}

// List returns the names that begin with prefix, in the order of their bytes,
// which is S3's own.
func (b *Blobs) List(ctx context.Context, t tenant.ID, bucket store.Bucket, prefix string) ([]string, error) {
	physical, key, err := b.place(store.CheckPrefix(t, bucket, prefix), t, bucket, prefix)
	if err != nil {
		return nil, err
	}
	var names []string
	in := &s3.ListObjectsV2Input{Bucket: physical, Prefix: key}
	for {
		out, err := b.client.ListObjectsV2(ctx, in)
		if err != nil {
			return nil, failure(err)
		}
		for _, o := range out.Contents {
			names = append(names, strings.TrimPrefix(aws.ToString(o.Key), string(t)+"/"))
		}
		if !aws.ToBool(out.IsTruncated) {
			return names, nil
		}
		in.ContinuationToken = out.NextContinuationToken
	}
}

// Link returns a signed URL. It dies with the credentials that signed it, which
// for a Lambda function may be before its time of validity is over.
func (b *Blobs) Link(ctx context.Context, t tenant.ID, bucket store.Bucket, name string, valid time.Duration) (string, error) {
	malformed := cmp.Or(store.CheckName(t, bucket, name), store.CheckLink(valid))
	physical, key, err := b.place(malformed, t, bucket, name)
	if err != nil {
		return "", err
	}
	req, err := b.signer.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: physical, Key: key}, s3.WithPresignExpires(valid))
	if err != nil {
		return "", failure(err)
	}
	return req.URL, nil
}

// Form returns a signed POST. Its policy pins the key, the content type and the
// range of sizes, so that S3 itself refuses anything else. It dies with the
// credentials that signed it, as links do.
func (b *Blobs) Form(ctx context.Context, t tenant.ID, bucket store.Bucket, name string, u store.Upload) (store.Form, error) {
	malformed := cmp.Or(store.CheckName(t, bucket, name), store.CheckUpload(u))
	physical, key, err := b.place(malformed, t, bucket, name)
	if err != nil {
		return store.Form{}, err
	}
	brief := store.Brief(bucket, name)
	req, err := b.signer.PresignPostObject(ctx, &s3.PutObjectInput{Bucket: physical, Key: key}, func(o *s3.PresignPostOptions) {
		o.Expires = u.Valid
		o.Conditions = []any{
			[]any{"content-length-range", u.Min, u.Max},
			map[string]string{"Content-Type": u.ContentType},
		}
		if brief {
			o.Conditions = append(o.Conditions, map[string]string{"tagging": briefTagging})
		}
	})
	if err != nil {
		return store.Form{}, failure(err)
	}
	req.Values["Content-Type"] = u.ContentType
	if brief {
		req.Values["tagging"] = briefTagging
	}
	return store.Form{URL: req.URL, Fields: req.Values}, nil
}

// briefTagging is the tag as a form has it.
const briefTagging = "<Tagging><TagSet><Tag><Key>" + store.BriefTag + "</Key><Value>" + store.BriefValue + "</Value></Tag></TagSet></Tagging>"

// failure puts the SDK's errors into the words of package store.
func failure(err error) error {
	if err == nil {
		return nil
	}
	var missing *types.NoSuchKey
	if errors.As(err, &missing) {
		return store.ErrNotFound
	}
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "SlowDown" {
		return fmt.Errorf("%w: %w", store.ErrThrottled, err)
	}
	return fmt.Errorf("s3: %w", err)
}
