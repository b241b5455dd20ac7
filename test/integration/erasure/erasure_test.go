package erasure_test

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/google/go-cmp/cmp"

	"pricemanager/infra/local/localaws"
	"pricemanager/internal/clock"
	"pricemanager/internal/ledger"
	"pricemanager/internal/privacy"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

const (
	tenantA = tenant.ID("t_erase0001")
	tenantB = tenant.ID("t_erase00010")
)

func TestATenantIsErasedFromTheLocalAWSAndStaysErasedAfterARestore(t *testing.T) {
	r := start(t)
	for _, id := range []tenant.ID{tenantA, tenantB} {
		r.trade(t, id)
	}
	r.quiet(t)
	items, objects, other := r.items(t, tenantA), r.objects(t, tenantA), r.all(t, tenantB)
	needles := append(r.needles(t, tenantA, "A"), r.needles(t, tenantB, "B")...)
	if len(items) < 20 || len(objects[store.Downloads]) == 0 || len(objects[store.Exports]) == 0 {
		t.Fatalf("only %d items of the tenant that is to be erased, and objects %v", len(items), objects)
	}
	done := r.erase(t)

	if diff := cmp.Diff(other, r.all(t, tenantB)); diff != "" {
		t.Errorf("the other tenant changed: %s", diff)
	}
	r.onlyIDsAreLeft(t)
	r.receiptHolds(t, done)

	r.restore(t, items, objects)
	if len(r.items(t, tenantA)) < len(items) {
		t.Fatal("the restore brought nothing back")
	}
	r.pmctl(t, done.Receipt)
	r.onlyIDsAreLeft(t)
	if diff := cmp.Diff(other, r.all(t, tenantB)); diff != "" {
		t.Errorf("the replay changed the other tenant: %s", diff)
	}
	r.nothingIsOnDisk(t, needles)
}

// quiet waits until nothing is under way: nothing of either tenant changes for seconds.
func (r *rig) quiet(t *testing.T) {
	t.Helper()
	var lastA, lastB map[string]string
	since := time.Now()
	eventually(t, 2*time.Minute, "nothing is under way", func() bool {
		a, b := r.all(t, tenantA), r.all(t, tenantB)
		if !maps.Equal(a, lastA) || !maps.Equal(b, lastB) {
			lastA, lastB, since = a, b, time.Now()
		}
		return time.Since(since) >= 6*time.Second
	})
}

type erasure struct{ ID, State, Receipt string }

// erase asks for the erasure, and rings the timer until it is done.
func (r *rig) erase(t *testing.T) (e erasure) {
	t.Helper()
	r.change(t, tenantA, "20.60") // is under way when it begins
	r.ask(t, r.keys[tenantA], http.StatusAccepted, http.MethodPost, "/privacy/erasures", fmt.Sprintf(`{"confirm":"erase everything of %s"}`, tenantA), &e)
	id, functions := e.ID, lambda.NewFromConfig(r.cfg)
	states, last := privacy.Erasures{DB: r.db()}, privacy.State("")
	eventually(t, 3*time.Minute, "the erasure is done", func() bool {
		out, err := functions.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String(r.Function("gdpr-erasure")), Payload: []byte(`{"job":"erasures"}`)})
		if err != nil || out.FunctionError != nil {
			t.Fatalf("timer: %v: %s", err, out.Payload)
		}
		now, err := states.Get(t.Context(), id) // the public way is limited in how often one may ask
		if err != nil {
			t.Fatal(err)
		}
		if now.State != last {
			t.Logf("%s: %s", time.Now().Format(time.TimeOnly), now.State)
			last = now.State
		}
		return now.State == privacy.Done
	})
	r.ask(t, secret.Value{}, http.StatusOK, http.MethodGet, "/privacy/erasures/"+id, "", &e)
	r.ask(t, r.keys[tenantA], http.StatusUnauthorized, http.MethodGet, "/ledger", "", nil)
	return e
}

// receiptHolds checks what the receipt says: the ledger's last state, which still adds
// up, and until when backups have keys.
func (r *rig) receiptHolds(t *testing.T, done erasure) {
	t.Helper()
	receipt, err := privacy.OpenReceipt(done.Receipt, r.key(t))
	if err != nil {
		t.Fatal(err)
	}
	head, err := ledger.New(r.db(), nil, clock.Real{}, rand.Reader).CheckTree(t.Context(), tenantA)
	if err != nil || head.Size < 5 || receipt.Size != head.Size || receipt.Root != head.Root || receipt.Tenant != tenantA || receipt.Erasure != done.ID {
		t.Errorf("receipt %+v; the ledger is at %+v, %v", receipt, head, err)
	}
	if receipt.KeysGone.Sub(receipt.Erased) != 7*24*time.Hour || receipt.AllGone.Sub(receipt.Erased) != 35*24*time.Hour {
		t.Errorf("erased %s, no backup has keys from %s, nor records from %s", receipt.Erased, receipt.KeysGone, receipt.AllGone)
	}
}

// key is the public key of the ledger.
func (r *rig) key(t *testing.T) string {
	t.Helper()
	var k struct{ Key string }
	r.ask(t, secret.Value{}, http.StatusOK, http.MethodGet, "/ledger/key", "", &k)
	return k.Key
}

// restore puts items and objects back as they were, as a backup does.
func (r *rig) restore(t *testing.T, items []raw, objects map[store.Bucket]map[string][]byte) {
	t.Helper()
	client, blobs := dynamodb.NewFromConfig(r.cfg), r.blobs(t)
	for _, it := range items {
		if it.table == r.names()[store.Ledger] {
			continue // append-only: a restore of it brings back what is there
		}
		if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &it.table, Item: it.item}); err != nil {
			t.Fatal(err)
		}
	}
	for bucket, bodies := range objects {
		for name, body := range bodies {
			if bucket == store.Archive {
				continue // under Object Lock: what is there stays
			}
			if err := blobs.Put(t.Context(), tenantA, bucket, name, "application/octet-stream", body); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// pmctl checks the receipt and replays the tombstones, as an operator does.
func (r *rig) pmctl(t *testing.T, receipt string) {
	t.Helper()
	root, err := localaws.ProjectRoot()
	if err != nil {
		t.Fatal(err)
	}
	program, file := filepath.Join(r.dir, "pmctl"), filepath.Join(r.dir, "receipt.txt")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./infra/pmctl")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.WriteFile(file, []byte(receipt), 0o600); err != nil {
		t.Fatal(err)
	}
	who, err := r.cfg.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	replay := []string{"privacy", "replay"}
	for table, name := range r.names() {
		if table != store.Ledger {
			replay = append(replay, "--"+string(table), name)
		}
	}
	for bucket, name := range r.buckets(t) {
		replay = append(replay, "--"+string(bucket), name)
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"privacy", "receipt", file, "--key", r.key(t)}, "everything of " + string(tenantA) + " was erased"},
		{replay, "1 tombstones replayed"},
	} {
		cmd := exec.CommandContext(t.Context(), program, c.args...)
		cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+aws.ToString(r.cfg.BaseEndpoint), "AWS_REGION="+r.cfg.Region,
			"AWS_ACCESS_KEY_ID="+who.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+who.SecretAccessKey)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), c.says) {
			t.Errorf("pmctl %s: %v: %s", c.args[1], err, out)
		}
	}
}
