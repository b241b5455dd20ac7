package erasure_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"pricemanager/infra/local/stack"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/store/dynamo"
	"pricemanager/internal/store/s3"
	"pricemanager/internal/tenant"
)

// rig is a running stack with two tenants.
type rig struct {
	*stack.Stack
	dir  string // holds state/ and log
	keys map[tenant.ID]secret.Value
	cfg  aws.Config
}

func start(t *testing.T) *rig {
	t.Helper()
	r := &rig{dir: t.TempDir(), keys: map[tenant.ID]secret.Value{}}
	log, err := os.Create(filepath.Join(r.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	r.Stack, err = stack.Up(t.Context(), stack.Options{
		StateDir: filepath.Join(r.dir, "state"), Log: log, Speed: 20, EnforceIAM: true,
		Parameters: map[string]string{"CoolingOff": "0s", "Settle": "4s", "ConfirmWithin": "6s", "LimitAllow": "127.0.0.1"},
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, r.lastLines())
	}
	t.Cleanup(func() {
		_ = r.Close() // for the case that the search on disk, which closes it, was not reached
		_ = log.Close()
		if t.Failed() {
			t.Logf("the last lines of the stack's log:\n%s", r.lastLines())
		}
	})
	r.cfg = r.Config()
	return r
}

func (r *rig) lastLines() []byte {
	text, _ := os.ReadFile(filepath.Join(r.dir, "log"))
	text = text[max(0, len(text)-4<<10):]
	_, text, _ = bytes.Cut(text, []byte("\n"))
	return text
}

func (r *rig) names() map[store.Table]string {
	names := map[store.Table]string{}
	for _, table := range store.Tables() {
		word := string(table)
		names[table] = r.Outputs[strings.ToUpper(word[:1])+word[1:]+"TableName"]
	}
	return names
}

func (r *rig) db() *dynamo.DB { return dynamo.New(dynamodb.NewFromConfig(r.cfg), r.names()) }

// buckets finds them by their names' beginnings.
func (r *rig) buckets(t *testing.T) map[store.Bucket]string {
	t.Helper()
	out, err := s3.Client(r.cfg, true).ListBuckets(t.Context(), &awss3.ListBucketsInput{})
	if err != nil {
		t.Fatal(err)
	}
	found := map[store.Bucket]string{}
	for _, b := range []store.Bucket{store.Files, store.Exports, store.Downloads, store.History, store.Archive} {
		for _, name := range out.Buckets {
			if strings.HasPrefix(aws.ToString(name.Name), "pm-local-"+string(b)+"-") {
				found[b] = aws.ToString(name.Name)
			}
		}
		if found[b] == "" {
			t.Fatalf("there is no bucket for %s", b)
		}
	}
	return found
}

func (r *rig) blobs(t *testing.T) *s3.Blobs {
	t.Helper()
	client := s3.Client(r.cfg, true)
	return s3.New(client, awss3.NewPresignClient(client), r.buckets(t))
}

// ask makes a request and wants that status.
func (r *rig) ask(t *testing.T, key secret.Value, want int, method, path, body string, into any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, r.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if !key.Empty() {
		req.Header.Set("Authorization", "Bearer "+key.Reveal())
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", strings.ToLower(rand.Text()))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != want {
		t.Fatalf("%s %s: status %d, want %d, %v: %.500s", method, path, res.StatusCode, want, err, text)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatalf("%s %s: %v: %.500s", method, path, err, text)
		}
	}
}

// eventually asks again until it is so.
func eventually(t *testing.T, limit time.Duration, what string, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-ctx.Done():
			t.Fatalf("gave up after %s waiting until %s", limit, what)
		case <-tick.C:
		}
	}
}
