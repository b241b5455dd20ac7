package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"golang.org/x/mod/sumdb/tlog"

	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

func (w *world) newBatch(t *testing.T, id tenant.ID, batch string) {
	t.Helper()
	bell := lane.Bell{DB: w.db, Queue: memory.NewQueue(w.app.Clock), Now: w.app.Clock.Now}
	err := lane.NewBatches(w.db, w.blobs).Create(ctx, id, lane.NewBatch{
		ID: batch, Plan: "plan_aaaaaaaaaaaaaaaaaaaaaaaaaa", File: "prices.csv", Actor: "key:1", Rows: map[price.ConnectionID]int64{conn: 1},
	}, bell)
	if err != nil {
		t.Fatal(err)
	}
}

// get returns an answer's bytes as they are: proofs are about bytes.
func (w *world) get(t *testing.T, key, path string, query map[string]string) (status int, body []byte) {
	t.Helper()
	ev := events.APIGatewayProxyRequest{HTTPMethod: http.MethodGet, Path: path, MultiValueHeaders: map[string][]string{"Authorization": {"Bearer " + key}},
		MultiValueQueryStringParameters: map[string][]string{}}
	for name, v := range query {
		ev.MultiValueQueryStringParameters[name] = []string{v}
	}
	raw, err := json.Marshal(ev)
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.events().Handle(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	var resp events.APIGatewayProxyResponse
	if err := json.Unmarshal(out, &resp); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, []byte(resp.Body)
}

func TestProofsOverTheAPIHoldAgainstCheckpoints(t *testing.T) {
	t.Parallel()
	w := setup(t)
	var kept []ledger.Checkpoint
	verifier := func() string { _, b := w.call(t, "", http.MethodGet, "/ledger/key"); return b["key"].(string) }()
	for i := range 9 {
		e := ledger.Event{Type: ledger.TokenIssued, At: w.app.Clock.Now(), Target: fmt.Sprint(i)}
		if err := w.log.AppendDirect(ctx, tenantA, fmt.Sprint(i), e); err != nil {
			t.Fatal(err)
		}
		_, body := w.call(t, w.key[tenantA], http.MethodGet, "/ledger")
		c, err := ledger.OpenCheckpoint(body["checkpoint"].(string), verifier)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, c)
	}
	newest := kept[len(kept)-1]
	for leaf := range newest.Size {
		status, b := w.get(t, w.key[tenantA], "/ledger/proof", map[string]string{"leaf": fmt.Sprint(leaf), "size": fmt.Sprint(newest.Size)})
		var p struct {
			LeafHash, Root tlog.Hash
			Path           tlog.RecordProof
		}
		if err := json.Unmarshal(b, &p); err != nil || status != http.StatusOK {
			t.Fatalf("leaf %d: %d %s", leaf, status, b)
		}
		if err := tlog.CheckRecord(p.Path, newest.Size, newest.Root, leaf, p.LeafHash); err != nil || p.Root != newest.Root {
			t.Errorf("leaf %d: %v", leaf, err)
		}
	}
	for _, old := range kept {
		status, b := w.get(t, w.key[tenantA], "/ledger/consistency", map[string]string{"from": fmt.Sprint(old.Size)})
		var p struct{ Path tlog.TreeProof }
		if err := json.Unmarshal(b, &p); err != nil || status != http.StatusOK {
			t.Fatalf("from %d: %d %s", old.Size, status, b)
		}
		if err := tlog.CheckTree(p.Path, newest.Size, newest.Root, old.Size, old.Root); err != nil {
			t.Errorf("from %d: %v", old.Size, err)
		}
	}
	// Another tenant's ledger is another's: it is empty.
	if status, b := w.get(t, w.key[tenantB], "/ledger/proof", map[string]string{"leaf": "0"}); status != http.StatusBadRequest {
		t.Errorf("another tenant: %d %s", status, b)
	}
	if status, b := w.get(t, w.key[tenantA], "/ledger/proof", map[string]string{"leaf": ""}); status != http.StatusBadRequest || !strings.Contains(string(b), "without a value") {
		t.Errorf("no leaf: %d %s", status, b)
	}
	for _, leaf := range []string{"-1", "+1", "1.0", "99999999999999999999"} {
		if status, b := w.get(t, w.key[tenantA], "/ledger/proof", map[string]string{"leaf": leaf}); status != http.StatusBadRequest || !strings.Contains(string(b), "want a whole number") {
			t.Errorf("leaf %q: %d %s", leaf, status, b)
		}
	}
}

func TestABatchsReceiptIsCheckedOfflineAndItsTenantsAlone(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, id := range []tenant.ID{tenantA, tenantB} { // the same ids for both
		if id == tenantA {
			w.newBatch(t, id, recordedBatch)
		}
		for i, batch := range []string{"", recordedBatch, "bat_other", recordedBatch} {
			e := ledger.Event{Type: ledger.BatchCreated, At: w.app.Clock.Now(), Target: string(id), Batch: batch, After: json.RawMessage(`{"file":"<a&b>.csv"}`)}
			if err := w.log.AppendDirect(ctx, id, fmt.Sprint(i), e); err != nil {
				t.Fatal(err)
			}
		}
	}
	path := "/batches/" + recordedBatch + "/receipt"
	status, b := w.get(t, w.key[tenantA], path, nil)
	_, key := w.call(t, "", http.MethodGet, "/ledger/key")
	report, err := ledger.VerifyReceipt(b, key["key"].(string))
	if status != http.StatusOK || err != nil || report.Events != 2 || !report.Whole || report.Checkpoint.Tenant != tenantA {
		t.Errorf("%d %s: %+v, %v", status, b, report, err)
	}
	if strings.Contains(string(b), string(tenantB)+`"`) {
		t.Errorf("the receipt of %s tells of %s: %s", tenantA, tenantB, b)
	}
	if status, b := w.get(t, w.key[tenantB], path, nil); status != http.StatusNotFound {
		t.Errorf("another tenant's batch: %d %s", status, b)
	}
	if status, b := w.get(t, w.key[tenantA], path, map[string]string{"after": "many"}); status != http.StatusBadRequest {
		t.Errorf("after many: %d %s", status, b)
	}
}
