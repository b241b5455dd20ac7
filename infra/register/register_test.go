package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pricemanager/infra/local/localaws"
	"pricemanager/internal/personal"
)

func TestTheRegisterIsThatOfTheTemplateAndTheFields(t *testing.T) {
	t.Parallel()
	root, err := localaws.ProjectRoot()
	if err != nil {
		t.Fatal(err)
	}
	want, err := build(root)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is out of date: run go run ./infra/register", file)
	}
	for _, f := range personal.Fields() {
		if !bytes.Contains(got, []byte("| "+f.Name+" |")) {
			t.Errorf("%s is not in the register", f.Name)
		}
	}
}

func TestAStoreWithoutAnEntryIsAnError(t *testing.T) {
	t.Parallel()
	whole := store{ids: []string{"A"}, holds: "x", use: "y"}
	for name, c := range map[string]struct {
		yaml  string
		known []store
		want  string
	}{
		"no entry":      {"A: {Type: AWS::SQS::Queue, Properties: {KmsMasterKeyId: !GetAtt K.Arn}}", nil, "A, a queue of the template, has no entry"},
		"no store":      {"B: {Type: AWS::Serverless::Function}", []store{whole}, "A has an entry and is not in the template"},
		"unknown kind":  {"A: {Type: AWS::Kinesis::Stream}", []store{whole}, "a kind of store that the register does not know"},
		"not encrypted": {"A: {Type: AWS::SQS::Queue, Properties: {}}", []store{whole}, "not encrypted"},
		"no ground": {
			"A: {Type: AWS::SQS::Queue, Properties: {KmsMasterKeyId: !GetAtt K.Arn}}",
			[]store{{ids: []string{"A"}, holds: "x", use: "y", about: "buyers"}}, "not whole",
		},
		"a queue of which nobody says why it is not exported": {
			"A: {Type: AWS::SQS::Queue, Properties: {KmsMasterKeyId: !GetAtt K.Arn}}", []store{whole}, "say what of it the export has",
		},
		"a table of no kinds": {
			"ShadowTable: {Type: AWS::DynamoDB::Table, Properties: {SSESpecification: {KMSMasterKeyId: !GetAtt K.Arn}}}",
			[]store{{ids: []string{"ShadowTable"}, holds: "x", use: "y"}}, "ShadowTable, a table of the template: say what of it the export has",
		},
		"two entries": {"A: {Type: AWS::SQS::Queue, Properties: {KmsMasterKeyId: !GetAtt K.Arn}}", []store{whole, whole}, "two entries"},
	} {
		path := filepath.Join(t.TempDir(), "template.yaml")
		if err := os.WriteFile(path, []byte("Resources:\n  "+c.yaml+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		found, err := stores(path)
		if err == nil {
			_, err = write(found, c.known, nil)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestTimesAndKeysComeFromTheTemplate: what the register says of a store changes
// with the store.
func TestTimesAndKeysComeFromTheTemplate(t *testing.T) {
	t.Parallel()
	const text = `
Parameters:
  Days: {Type: Number, Default: 400}
Resources:
  L: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: !Ref Days, KmsKeyId: !GetAtt K1.Arn}}
  Q: {Type: AWS::SQS::Queue, Properties: {MessageRetentionPeriod: 345600, KmsMasterKeyId: !GetAtt K2.Arn}}
  B:
    Type: AWS::S3::Bucket
    Properties:
      BucketEncryption: {ServerSideEncryptionConfiguration: [{ServerSideEncryptionByDefault: {KMSMasterKeyID: !GetAtt K3.Arn}}]}
      LifecycleConfiguration: {Rules: [{Id: a}, {Id: b, ExpirationInDays: 30}]}
`
	path := filepath.Join(t.TempDir(), "template.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := stores(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range found {
		got = append(got, r.id+": "+r.kept()+", "+r.key())
	}
	want := "B: 30 days, K3; L: 400 days, K1; Q: 4 days at most, K2"
	if s := strings.Join(got, "; "); s != want {
		t.Errorf("%s\nwant %s", s, want)
	}
}
