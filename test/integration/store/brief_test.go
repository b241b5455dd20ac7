package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"pricemanager/infra/local/localaws"
	"pricemanager/internal/store"
	"pricemanager/internal/store/s3"
	"pricemanager/internal/tenant"
)

// Files as they were uploaded carry the tag by which the bucket forgets them after a
// week, whichever way they came; what plans are made of does not.
func TestFilesAsUploadedAreTagged(t *testing.T) {
	t.Parallel()
	const id tenant.ID = "t_brief00001"
	client, bucket := s3.Client(cloudConfig(t), true), "suite-brief"
	_, err := client.CreateBucket(t.Context(), &awss3.CreateBucketInput{
		Bucket: &bucket, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: localaws.Region},
	})
	if err != nil {
		t.Fatal(err)
	}
	blobs := s3.New(client, awss3.NewPresignClient(client), map[store.Bucket]string{store.Files: bucket})
	form, err := blobs.Form(t.Context(), id, store.Files, "uploads/form", store.Upload{ContentType: "text/csv", Min: 1, Max: 100, Valid: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if err := submit(form, []byte("sku;price\n")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"uploads/pulled", "plans/p/file", "plans/p/rows-0.json"} {
		if err := blobs.PutFrom(t.Context(), id, store.Files, name, "text/csv", strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	// ministack 1.5.33 takes a form's tags and forgets them: of a form it is looked
	// at what is sent.
	if !strings.Contains(form.Fields["tagging"], "<Key>keep</Key><Value>week</Value>") {
		t.Errorf("the form has %v", form.Fields)
	}
	for name, want := range map[string]int{"uploads/pulled": 1, "plans/p/file": 1, "plans/p/rows-0.json": 0} {
		out, err := client.GetObjectTagging(t.Context(), &awss3.GetObjectTaggingInput{Bucket: &bucket, Key: aws.String(string(id) + "/" + name)})
		if err != nil || len(out.TagSet) != want {
			t.Fatalf("%s has the tags %+v, %v", name, out, err)
		}
		for _, tag := range out.TagSet {
			if aws.ToString(tag.Key) != store.BriefTag || aws.ToString(tag.Value) != store.BriefValue {
				t.Errorf("%s has the tag %+v", name, tag)
			}
		}
	}
}
