package audit_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/audit"
	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/store/dynamo"
)

// recordings are the changes in the recorded events of audit-stream.
func recordings(t *testing.T) (all []store.Record) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "events", "audit-stream", "success-*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	tables := map[store.Table]string{}
	for _, table := range store.Streamed() {
		tables[table] = "pm-local-" + string(table)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var ev events.DynamoDBEvent
		if err := json.Unmarshal(b, &ev); err != nil {
			t.Fatal(err)
		}
		for _, raw := range ev.Records {
			r, err := dynamo.Record(tables, raw)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, r)
		}
	}
	return all
}

// fresh are the types of facts that a change brings.
func fresh(r store.Record) (types []ledger.Type) {
	mapper := audit.Mappers()[r.Table]
	var before map[audit.Digest]ledger.Event
	if r.Old != nil {
		before = audit.Facts(mapper, r.Tenant, r.Table, *r.Old)
	}
	if r.New == nil {
		return nil
	}
	for d, e := range audit.Facts(mapper, r.Tenant, r.Table, *r.New) {
		if _, ok := before[d]; !ok {
			types = append(types, e.Type)
		}
	}
	return types
}

// Both ways: what is no event is never taken for lost, and what is one would be found.
func TestAChangeBringsAFactExactlyWhenItIsAnEvent(t *testing.T) {
	t.Parallel()
	told := 0
	for _, r := range recordings(t) {
		if r.Tenant == store.Directory || r.New == nil {
			continue
		}
		said := audit.Mappers()[r.Table](r)
		if r.Old != nil && strings.HasPrefix(r.Key.SK, "refused#") {
			continue // the same once more: that it was counted on is no fact
		}
		if got := fresh(r); (len(got) > 0) != (len(said) > 0) {
			t.Errorf("%s %s/%s: facts %v, events %v", r.Table, r.Key.PK, r.Key.SK, got, said)
		}
		told += len(said)
	}
	if told < 20 {
		t.Errorf("%d events: the recordings prove little", told)
	}
}

func TestEveryPlaceOfARecordedEventIsLookedAt(t *testing.T) {
	t.Parallel()
	for _, r := range recordings(t) {
		if r.Tenant == store.Directory || r.New == nil || len(audit.Mappers()[r.Table](r)) == 0 {
			continue
		}
		conn, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(r.Key.PK, "offer#"), "lane#"), "#")
		if !slices.Contains(audit.Places(price.ConnectionID(conn)), string(r.Table)+" "+r.Key.PK) {
			t.Errorf("nobody looks at %s %s", r.Table, r.Key.PK)
		}
	}
}
