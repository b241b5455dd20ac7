package erasure_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
	"pricemanager/test/canary"
)

// raw is one item with its table.
type raw struct {
	table string
	item  map[string]types.AttributeValue
}

func text(av types.AttributeValue) string {
	switch av := av.(type) {
	case *types.AttributeValueMemberS:
		return av.Value
	case *types.AttributeValueMemberN:
		return av.Value
	case *types.AttributeValueMemberB:
		return base64.StdEncoding.EncodeToString(av.Value)
	case *types.AttributeValueMemberBOOL:
		return fmt.Sprint(av.Value)
	}
	return fmt.Sprintf("%v", av)
}

// items are all items of a tenant and those of the directory that name it.
func (r *rig) items(t *testing.T, id tenant.ID) (all []raw) {
	t.Helper()
	client := dynamodb.NewFromConfig(r.cfg)
	for _, table := range r.names() {
		pages := dynamodb.NewScanPaginator(client, &dynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, it := range page.Items {
				owner, _, _ := strings.Cut(text(it["pk"]), "#")
				entry := store.Item{Key: store.Key{SK: text(it["sk"])}, Attrs: map[string]any{}}
				if it["tenant"] != nil {
					entry.Attrs["tenant"] = text(it["tenant"])
				}
				if owner == string(id) || owner == string(store.Directory) && store.NamesTenant(entry, id) {
					all = append(all, raw{table, it})
				}
			}
		}
	}
	return all
}

// objects are all objects of a tenant, by bucket and name.
func (r *rig) objects(t *testing.T, id tenant.ID) map[store.Bucket]map[string][]byte {
	t.Helper()
	blobs, all := r.blobs(t), map[store.Bucket]map[string][]byte{}
	for bucket := range r.buckets(t) {
		names, err := blobs.List(t.Context(), id, bucket, "")
		if err != nil {
			t.Fatal(err)
		}
		all[bucket] = map[string][]byte{}
		for _, name := range names {
			if all[bucket][name], err = blobs.Get(t.Context(), id, bucket, name); err != nil {
				t.Fatal(err)
			}
		}
	}
	return all
}

// secrets are those of a tenant, by name.
func (r *rig) secrets(t *testing.T, id tenant.ID) map[string]string {
	t.Helper()
	all, err := r.Secrets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for name, value := range all {
		if slices.Contains(strings.Split(name, "/"), string(id)) {
			found[name] = value.Reveal()
		}
	}
	return found
}

// all is everything of a tenant in tables, buckets and secrets, by place, to compare.
func (r *rig) all(t *testing.T, id tenant.ID) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, it := range r.items(t, id) {
		var s strings.Builder
		for _, name := range slices.Sorted(maps.Keys(it.item)) {
			fmt.Fprintf(&s, "%s=%s ", name, text(it.item[name]))
		}
		all[it.table+" "+text(it.item["pk"])+" "+text(it.item["sk"])] = s.String()
	}
	for bucket, objects := range r.objects(t, id) {
		for name, body := range objects {
			all[string(bucket)+" "+name] = string(body)
		}
	}
	for name, value := range r.secrets(t, id) {
		all["secret "+name] = value
	}
	return all
}

// onlyIDsAreLeft checks every place of the erased tenant against the list of what
// may stay.
func (r *rig) onlyIDsAreLeft(t *testing.T) {
	t.Helper()
	names := r.names()
	for place := range r.all(t, tenantA) {
		table, rest, _ := strings.Cut(place, " ")
		switch {
		case table == names[store.Ledger]: // the tree, and values that are sealed
		case table == names[store.Keys] && strings.HasSuffix(rest, "/4294967295"): // the marks
		case table == names[store.Privacy] && (strings.Contains(rest, "#erasure era_") || strings.HasSuffix(rest, "#erasing begun")):
		case table == string(store.Archive): // signed tree heads
		default:
			t.Errorf("left: %s", place)
		}
	}
}

// needles are what only this tenant has, keys that work included.
func (r *rig) needles(t *testing.T, id tenant.ID, whose string) []canary.Needle {
	t.Helper()
	mine := ownOf(id)
	_, linkKey, _ := strings.Cut(mine.link, "key=")
	all := []canary.Needle{
		canary.Text(whose+": company", mine.company), canary.Text(whose+": seller", mine.account), canary.Text(whose+": SKU", mine.sku),
		canary.Text(whose+": title", mine.title), canary.Text(whose+": file", mine.file), canary.Text(whose+": link", linkKey),
		canary.Secret(whose+": API key", r.keys[id].Reveal()),
	}
	tokens, wrapped := r.secrets(t, id), 0
	for _, token := range tokens {
		all = append(all, canary.Secret(whose+": refresh token", token))
	}
	for _, it := range r.items(t, id) {
		if key, ok := it.item["wrapped"].(*types.AttributeValueMemberB); ok && it.table == r.names()[store.Keys] {
			all = append(all, canary.Text(whose+": wrapped data key", string(key.Value)))
			wrapped++
		}
	}
	if len(tokens) != 2 || wrapped < 2 {
		t.Fatalf("%s has %d refresh tokens and %d data keys, want one of each connection and one of each purpose", id, len(tokens), wrapped)
	}
	return all
}

// nothingIsOnDisk closes the stack and searches everything that it leaves. The fake
// Amazon's own notes are not ours.
func (r *rig) nothingIsOnDisk(t *testing.T, needles []canary.Needle) {
	t.Helper()
	const message = "a message to show that queues are searched"
	_, err := sqs.NewFromConfig(r.cfg).SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: aws.String(r.Outputs["PrivacyDeadLettersUrl"]), MessageBody: aws.String(message),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	s := canary.NewScanner(append(needles, canary.Text("message", message), canary.Text("B: id", string(tenantB)))...)
	if err := s.Dir(filepath.Join(r.dir, "state")); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(r.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(log) {
		if !bytes.Contains(line, []byte(`"seller":`)) { // the fake Amazon's
			s.Bytes("log", line)
		}
	}
	for _, f := range s.Found() {
		if strings.HasPrefix(f.Name, "A: ") && !strings.HasPrefix(f.Place, "amazon") {
			t.Errorf("left of the erased tenant: %s", f)
		}
	}
	for _, there := range []struct{ what, place string }{
		{"B: SKU", "aws/dynamodb.json"}, {"B: wrapped data key", "aws/dynamodb.json"}, {"B: refresh token", "aws/secretsmanager.json"},
		{"B: id", "aws/cloudwatch_logs.json"}, {"B: id", "log"}, {"message", "aws/sqs.json"},
	} {
		if !s.Places(there.what)[there.place] {
			t.Errorf("the search does not find %s in %s, where it is: it proves nothing", there.what, there.place)
		}
	}
	if !slices.ContainsFunc(slices.Collect(maps.Keys(s.Places("B: SKU"))), func(place string) bool { return strings.HasPrefix(place, "aws/s3/") }) {
		t.Error("the search does not find B's SKU among the objects, where it is: it proves nothing")
	}
}
