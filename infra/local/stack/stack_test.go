package stack_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"pricemanager/infra/local/localaws"
	"pricemanager/infra/local/stack"
)

const seller = `{"sellers":[{"id":"A1SELLER","region":"EU","name":"Test","marketplaces":["A1PA6795UKMFR9"],"listings":[
	{"sku":"SKU-1","marketplace":"A1PA6795UKMFR9","price":"10.00","min":"5.00","max":"20.00"}]}]}`

// up starts an isolated stack and ends it with the test.
func up(t *testing.T, o stack.Options) *stack.Stack {
	t.Helper()
	if testing.Short() {
		t.Skip("runs the whole product; left out by -short")
	}
	var log bytes.Buffer
	o.Log = &log
	s, err := stack.Up(t.Context(), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(log.String())
		}
	})
	return s
}

// call is a request of the stack's tenant; it wants the status and decodes the
// answer.
func call(t *testing.T, s *stack.Stack, method, path, body string, status int) map[string]any {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.APIKey.Reveal())
	req.Header.Set("Content-Type", "application/json")
	if strings.HasPrefix(path, "/plans") {
		req.Header.Set("Content-Type", "text/csv")
	}
	req.Header.Set("Idempotency-Key", t.Name())
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != status {
		t.Fatalf("%s %s answered %s: %s", method, path, res.Status, text)
	}
	var v map[string]any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s %s answered %s", method, path, text)
	}
	return v
}

// TestTheProductRunsOnTheRolesOfItsTemplate: with every call checked against IAM
// a seller connects, the catalogue is read, a price file becomes a plan and a
// batch whose price is observed, the ledger hears of it and the data is exported.
// Every function works in it with what its role grants and nothing else.
func TestTheProductRunsOnTheRolesOfItsTemplate(t *testing.T) {
	t.Parallel()
	s := up(t, stack.Options{EnforceIAM: true, Speed: 100})
	res, err := http.Post(s.AdminURL+"/sellers", "application/json", strings.NewReader(seller))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	c := call(t, s, http.MethodPost, "/connections", `{"region":"EU"}`, http.StatusCreated)
	if err := s.Consent(t.Context(), c["authorizeUrl"].(string), "A1SELLER"); err != nil {
		t.Fatal(err)
	}
	id := c["id"].(string)
	eventually(t, "the catalogue is read", func() bool {
		c = call(t, s, http.MethodGet, "/connections/"+id, "", http.StatusOK)
		return c["import"].(map[string]any)["state"] == "done"
	})
	if c["state"] != "active" || c["seller"] != "A1SELLER" {
		t.Errorf("the connection is %v", c)
	}
	plan := call(t, s, http.MethodPost, "/plans?file=prices.csv&marketplace=A1PA6795UKMFR9", "sku,price\nSKU-1,10.50\n", http.StatusCreated)
	batch := call(t, s, http.MethodPost, "/batches", fmt.Sprintf(`{"plan":%q,"token":%q}`, plan["id"], plan["token"]), http.StatusAccepted)
	eventually(t, "the new price is observed", func() bool {
		b := call(t, s, http.MethodGet, "/batches/"+batch["id"].(string), "", http.StatusOK)
		return b["state"] == "done" && b["counts"].(map[string]any)["observed"] == 1.0
	})
	amazonIsHeard(t, s, id)
	before := call(t, s, http.MethodGet, "/ledger", "", http.StatusOK)["size"].(float64)
	if before == 0 {
		t.Error("the ledger is empty")
	}
	export := call(t, s, http.MethodPost, "/exports", "{}", http.StatusAccepted)
	eventually(t, "the export is done", func() bool {
		return call(t, s, http.MethodGet, "/exports/"+export["id"].(string), "", http.StatusOK)["state"] == "done"
	})
	eventually(t, "the ledger hears of the export", func() bool {
		return call(t, s, http.MethodGet, "/ledger", "", http.StatusOK)["size"].(float64) > before
	})
}

// amazonIsHeard checks that the seller's notifications were subscribed to, and
// that they arrive: by the event bus, and by the queue.
func amazonIsHeard(t *testing.T, s *stack.Stack, id string) {
	t.Helper()
	eventually(t, "the seller's notifications stand", func() bool {
		list := call(t, s, http.MethodGet, "/connections/"+id, "", http.StatusOK)["subscriptions"].([]any)
		return len(list) == 3 && !slices.ContainsFunc(list, func(s any) bool { return s.(map[string]any)["state"] != "standing" })
	})
	tell := func(path, body string) {
		t.Helper()
		res, err := http.Post(s.AdminURL+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode/100 != 2 {
			t.Fatalf("%s: %s", path, res.Status)
		}
	}
	// A listing that appears at Amazon is read because Amazon says so: nobody asks
	// for the catalogue again.
	tell("/listings?region=EU&seller=A1SELLER", `[{"marketplace":"A1PA6795UKMFR9","sku":"SKU-NEW","price":"7.77"}]`)
	eventually(t, "the new listing is read", func() bool {
		offers := call(t, s, http.MethodGet, "/offers?connection="+id+"&marketplace=A1PA6795UKMFR9", "", http.StatusOK)
		return strings.Contains(fmt.Sprint(offers), "SKU-NEW")
	})
	tell("/secret-expiry?at=2030-01-02T03:04:05Z", "")
	db := dynamodb.NewFromConfig(s.Config())
	eventually(t, "the end of the client secret is known", func() bool {
		out, err := db.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String(s.Outputs["ConnectionsTableName"]), Key: map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: "t_000000directory#application"}, "sk": &types.AttributeValueMemberS{Value: "client-secret"},
		}})
		if err != nil {
			t.Fatal(err)
		}
		ends, _ := out.Item["ends"].(*types.AttributeValueMemberN)
		return ends != nil && ends.Value == "1893553445000"
	})
}

func TestAStackComesBackAsItWasLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := up(t, stack.Options{StateDir: dir, Speed: 100})
	if _, err := stack.Up(t.Context(), stack.Options{StateDir: dir}); !errors.Is(err, stack.ErrRunning) {
		t.Errorf("a second stack on the same directory: %v, want ErrRunning", err)
	}
	c := call(t, first, http.MethodPost, "/connections", `{"region":"EU"}`, http.StatusCreated)
	recorded := ledgerSettles(t, first)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := stack.Up(t.Context(), stack.Options{StateDir: dir, AWSPort: 1}); err == nil || !strings.Contains(err.Error(), "AWS_PORT=") {
		t.Errorf("another port for the same state: %v, want the port that it needs", err)
	}
	again := up(t, stack.Options{StateDir: dir, Speed: 100})
	if again.APIKey.Reveal() != first.APIKey.Reveal() {
		t.Error("the API key is another one")
	}
	call(t, again, http.MethodGet, "/connections/"+c["id"].(string), "", http.StatusOK)
	if n := ledgerSettles(t, again); n != recorded {
		t.Errorf("the ledger has %v events after the restart, %v before", n, recorded)
	}
	call(t, again, http.MethodPost, "/connections", `{"region":"NA"}`, http.StatusCreated)
	eventually(t, "the ledger hears of what happens after the restart", func() bool {
		return call(t, again, http.MethodGet, "/ledger", "", http.StatusOK)["size"].(float64) > recorded
	})
	export := call(t, again, http.MethodPost, "/exports", "{}", http.StatusAccepted)
	eventually(t, "the queues deliver after the restart", func() bool {
		return call(t, again, http.MethodGet, "/exports/"+export["id"].(string), "", http.StatusOK)["state"] == "done"
	})
	info, err := os.Stat(again.KeyFile())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key file is %v (%v), want 0600", info.Mode(), err)
	}
}

// ledgerSettles waits for the ledger to hear of the tenant, its key, the consent
// that was begun and the request for it, and returns its size.
func ledgerSettles(t *testing.T, s *stack.Stack) (size float64) {
	t.Helper()
	eventually(t, "the ledger hears of the connection", func() bool {
		size = call(t, s, http.MethodGet, "/ledger", "", http.StatusOK)["size"].(float64)
		return size >= 4
	})
	return size
}

func TestABusyPortIsNamedWithItsSetting(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a local AWS; left out by -short")
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	for setting, o := range map[string]stack.Options{
		"PORT": {Port: port}, "AWS_PORT": {AWSPort: port}, "AMAZON_PORT": {AmazonPort: port},
	} {
		s, err := stack.Up(t.Context(), o)
		if err == nil {
			s.Close()
		}
		var busy *localaws.PortBusyError
		if !errors.As(err, &busy) || busy.Port != port || !strings.Contains(err.Error(), " "+setting+"=") {
			t.Errorf("%s: %v", setting, err)
		}
	}
}

func TestStopEndsTheProcessOfItsDirectoryAndNoOther(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if was, err := stack.Stop(t.Context(), dir); was || err != nil {
		t.Errorf("Stop of an empty directory = %t, %v", was, err)
	}
	other := exec.Command("sleep", "600")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- other.Wait() }()
	t.Cleanup(func() { _ = other.Process.Kill() })
	// The number of a process of ours that has ended, now somebody else's.
	stack.RememberForTest(t, dir, other.Process.Pid, "long ago")
	if was, err := stack.Stop(t.Context(), dir); was || err != nil {
		t.Errorf("Stop of a stranger's process = %t, %v", was, err)
	}
	select {
	case <-ended:
		t.Error("Stop ended a process that is not ours")
	default:
	}
	stack.RememberForTest(t, dir, other.Process.Pid, "")
	if was, err := stack.Stop(t.Context(), dir); !was || err != nil {
		t.Errorf("Stop of our process = %t, %v", was, err)
	}
	<-ended
}

// eventually asks again until the answer is yes.
func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for !yes() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited for: %s", what)
		}
	}
}
