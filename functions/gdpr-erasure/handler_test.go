package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/clock"
	"pricemanager/internal/connect"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/identity"
	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/privacy"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/logs"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/secret"
	vault "pricemanager/internal/secret/memory"
	provider "pricemanager/internal/signin"
	signin "pricemanager/internal/signin/memory"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

// Ids that contain each other, and one connection id and SKU for both.
const (
	tenantA tenant.ID = "t_aaaaaa"
	tenantB tenant.ID = "t_aaaaaaa"

	conn = price.ConnectionID("conn_aaaaaaaaaaaaaaaaaaaaaaaaaa")
	de   = price.MarketplaceID("A1PA6795UKMFR9")
)

var ctx = context.Background()

// secrets is a getter of fixed secrets.
type secrets map[string]string

func (s secrets) Get(_ context.Context, name string) (secret.Value, error) {
	v, ok := s[name]
	if !ok {
		return secret.Value{}, secret.ErrNotFound
	}
	return secret.New(v), nil
}

type world struct {
	*handler
	db     *memory.DB
	blobs  *memory.Blobs
	queue  *memory.Queue // of erasures
	bells  *memory.Queue
	clock  *clock.Manual
	vault  *vault.Vault
	users  *signin.Provider
	log    *ledger.Log
	signer *ledger.Signer
	sealer *envelope.Sealer
	kms    *memkms.KMS
	read   map[store.Table]string // how far audit-stream has read
	out    *output                // logs and metrics
	key    map[tenant.ID]string
}

func setup(t *testing.T) *world {
	t.Helper()
	clk := clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	w := &world{db: memory.New(clk), blobs: memory.NewBlobs(clk), queue: memory.NewQueue(clk), bells: memory.NewQueue(clk), clock: clk,
		vault: &vault.Vault{}, users: &signin.Provider{Clock: clk, Rand: rand.Reader}, read: map[store.Table]string{}, out: &output{}, key: map[tenant.ID]string{}}
	w.kms = memkms.New(rand.Reader)
	sealer := envelope.New(w.kms, w.db, clk)
	w.sealer = sealer
	fixed := secrets{"pepper": strings.Repeat("pepper", 8), "signer": strings.Repeat("signer", 8)}
	var err error
	if w.signer, err = ledger.NewSigner(secret.New(fixed["signer"])); err != nil {
		t.Fatal(err)
	}
	w.log = ledger.New(w.db, sealer, clk, rand.Reader)
	broker := connect.NewBroker(connect.BrokerOptions{Vault: w.vault, Prefix: "pm/connection/", Clock: clk, Random: rand.Reader})
	w.handler, err = newHandler(deps{
		app: &runtime.App{Log: logs.New(w.out, runtime.Base{}.LogLevel, "gdpr-erasure", "test"), Clock: clk, Metrics: metrics.New(w.out, clk, "gdpr-erasure", "test")},
		cfg: config{Secrets: runtime.Secrets{Pepper: "pepper", LedgerSigner: "signer"}, CoolingOff: privacy.CoolingOff, Settle: privacy.SettleFor},
		db:  w.db, sweeper: w.db, blobs: w.blobs, queue: w.queue, doorbell: w.bells, keys: sealer, tokens: broker, secrets: fixed, random: rand.Reader,
		deleteUser: w.users.Delete,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []tenant.ID{tenantA, tenantB} {
		if err := identity.NewTenants(w.db, sealer, clk).Create(ctx, id, "operator", "Company "+mark(id)); err != nil {
			t.Fatal(err)
		}
		_, key, err := w.keys.Sealing(sealer).Create(ctx, id, "operator", "key of "+mark(id), identity.Scopes())
		if err != nil {
			t.Fatal(err)
		}
		w.key[id] = key.Reveal()
	}
	return w
}

// output is a buffer that logs and metrics write to at once.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// phrase is the password of everybody.
const phrase = "Vineyard copper-lantern 41"

// mark is in everything that only one tenant has.
func mark(id tenant.ID) string { return fmt.Sprintf("CANARY%d", len(id)) }

// trade gives a tenant what the rooms keep of one that works: a connection with
// three consents of which two left a token, a claim and a consent under way,
// offers, a plan, a waiting batch with its reminder, a lane, and objects.
func (w *world) trade(t *testing.T, id tenant.ID) {
	t.Helper()
	m := mark(id)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	put := func(owner tenant.ID, table store.Table, pk, sk string, attrs map[string]any) {
		t.Helper()
		must(w.db.Put(ctx, owner, table, store.Item{Key: store.Key{PK: pk, SK: sk}, Attrs: attrs}))
	}
	put(id, store.Connections, "connections", string(conn), map[string]any{
		"region": "EU", "state": "active", "seller": m, "grant": int64(2), "grants": int64(3), "authorised": store.Millis(w.clock.Now()), "markets": []byte(`["A1PA6795UKMFR9"]`),
	})
	put(store.Directory, store.Connections, "seller#EU#"+m, "claim", map[string]any{"tenant": string(id), "connection": string(conn)})
	put(store.Directory, store.Connections, "state#"+m, "state", map[string]any{"tenant": string(id), "connection": string(conn)})
	for n := range 2 {
		must(w.vault.Put(ctx, fmt.Sprintf("pm/connection/%s/%s/%d", id, conn, n+2), secret.New("Atzr|"+m)))
	}
	offers, batches := lane.NewOffers(w.db), lane.NewBatches(w.db, w.blobs)
	plans := &plan.Store{DB: w.db, Blobs: w.blobs, Clock: w.clock,
		GuardsHash: func(context.Context, tenant.ID) (string, error) { return price.DefaultGuards().Hash(), nil }}
	must(w.users.Create(ctx, "m"+m, secret.New(phrase)))
	put(id, store.Identity, "members", "m"+m, map[string]any{"role": "owner", "createdAt": store.Millis(w.clock.Now()), "createdBy": "operator"})
	bell := lane.Bell{DB: w.db, Queue: w.bells, Now: w.clock.Now}
	known := price.FromMinor(1234, "EUR")
	must(offers.Learn(ctx, id, lane.Read{Prices: price.Prices{Our: &known}, Begun: w.clock.Now(), Title: m,
		Key: price.OfferKey{Connection: conn, Marketplace: de, SKU: "SKU-1"}}))
	p, err := plans.Create(ctx, plan.Input{ID: "plan_" + strings.Repeat("a", 26), Tenant: id, Actor: "key:1", File: m + ".csv", Policy: plan.AllOrNothing,
		Content: []byte("sku;marketplace;price\nSKU-1;DE;12.00\n"), Guards: price.DefaultGuards(), Now: w.clock.Now(),
		Connections: map[price.MarketplaceID]price.ConnectionID{de: conn}}, offers)
	must(err)
	batch := "bat_" + strings.Repeat("a", 26)
	_, err = plans.Claim(ctx, id, p.ID, p.Token, "k", batch)
	must(err)
	must(batches.Create(ctx, id, lane.NewBatch{ID: batch, Plan: p.ID, File: m + ".csv", Actor: "key:1",
		Rows: map[price.ConnectionID]int64{conn: 1}, RevertAt: w.clock.Now().Add(90 * 24 * time.Hour)}, bell))
	must(bell.RequestImport(ctx, id, conn))
	for _, bucket := range []store.Bucket{store.Files, store.Exports, store.Downloads, store.History} {
		must(w.blobs.Put(ctx, id, bucket, "x/"+m, "text/plain", []byte(m)))
	}
}

// pump is audit-stream: it moves what is new in the streams into the ledgers.
func (w *world) pump(t *testing.T) {
	t.Helper()
	pump := ledger.Pump{Log: w.log, Mappers: map[store.Table]ledger.Mapper{
		store.Offers: func(r store.Record) []ledger.Event { return append(plan.Events(r), lane.Events(r)...) }, store.Identity: identity.Events,
		store.Connections: connect.Events, store.Privacy: privacy.Events,
	}}
	for _, table := range store.Streamed() {
		records := w.db.Records(table, w.read[table])
		if len(records) == 0 {
			continue
		}
		if failed, err := pump.Handle(ctx, records); err != nil || len(failed) > 0 {
			t.Fatalf("the stream of %s is stuck: %v, %v", table, failed, err)
		}
		w.read[table] = records[len(records)-1].Seq
	}
}

// call makes an API call through the function's entry, as API Gateway does.
func (w *world) call(t *testing.T, key, method, path string, body any) (status int, answer map[string]any) {
	t.Helper()
	ev := events.APIGatewayProxyRequest{HTTPMethod: method, Path: path, MultiValueHeaders: map[string][]string{"Content-Type": {"application/json"}}}
	if key != "" {
		ev.MultiValueHeaders["Authorization"] = []string{"Bearer " + key}
	}
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		ev.Body = string(b)
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
	if err := json.Unmarshal([]byte(resp.Body), &answer); err != nil {
		t.Fatalf("%s %s: %d %q", method, path, resp.StatusCode, resp.Body)
	}
	return resp.StatusCode, answer
}

// turn is a quarter of an hour: the schedule, and the messages that it leads to.
func (w *world) turn(t *testing.T) {
	t.Helper()
	w.clock.Advance(15 * time.Minute)
	if _, err := w.events().Handle(ctx, json.RawMessage(`{"job":"erasures"}`)); err != nil {
		t.Fatal(err)
	}
	for _, m := range w.queue.Receive(10, time.Minute) {
		raw, err := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{{MessageId: "m1", Body: string(m.Body), EventSource: "aws:sqs"}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.events().Handle(ctx, raw); err != nil {
			t.Fatal(err)
		}
		w.queue.Delete(m.ID)
	}
	w.pump(t)
}

// kept lists everything in every store that holds one of the texts.
func (w *world) kept(texts ...string) (found []string) {
	holds := func(s string) bool {
		return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(s, text) })
	}
	w.db.Each(func(owner tenant.ID, table store.Table, it store.Item) bool {
		if s := fmt.Sprintf("%s %s %s %s %q", table, owner, it.PK, it.SK, it.Attrs); holds(s) {
			found = append(found, s)
		}
		return true
	})
	w.blobs.Each(func(owner tenant.ID, bucket store.Bucket, name string, body []byte) bool {
		if s := fmt.Sprintf("%s %s/%s %s", bucket, owner, name, body); holds(s) {
			found = append(found, s)
		}
		return true
	})
	for _, q := range []*memory.Queue{w.queue, w.bells} {
		for _, m := range q.Receive(1000, time.Second) {
			if holds(string(m.Body)) {
				found = append(found, "queue "+string(m.Body))
			}
		}
	}
	for line := range strings.Lines(w.out.String()) {
		if holds(line) {
			found = append(found, "log "+line)
		}
	}
	return found
}

// own is everything of one tenant, to compare.
func (w *world) own(id tenant.ID) string {
	var all []string
	w.db.Each(func(owner tenant.ID, table store.Table, it store.Item) bool {
		if owner == id || owner == store.Directory && store.NamesTenant(it, id) {
			all = append(all, fmt.Sprintf("%s %s %s %s %q", table, owner, it.PK, it.SK, it.Attrs)) // maps print sorted
		}
		return true
	})
	w.blobs.Each(func(owner tenant.ID, bucket store.Bucket, name string, body []byte) bool {
		if owner == id {
			all = append(all, fmt.Sprintf("%s %s %q", bucket, name, body))
		}
		return true
	})
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// TestATenantIsErasedThroughTheAPIAndNothingOfItIsLeft goes through all the rooms.
// What may stay of tenant A is its opaque id: in the erasure and its pointer, in
// the key of its ledger, in the marks that no data key is made, and in the
// tombstone; and in messages and log lines, which expire.
func TestATenantIsErasedThroughTheAPIAndNothingOfItIsLeft(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, id := range []tenant.ID{tenantA, tenantB} {
		w.trade(t, id)
	}
	w.pump(t)
	if n := len(w.kept(mark(tenantA))); n < 10 {
		t.Fatalf("the scan finds %d places of a tenant that is there", n)
	}
	confirm := map[string]string{"confirm": "erase everything of " + string(tenantA)}
	status, doc := w.call(t, w.key[tenantA], http.MethodPost, "/privacy/erasures", confirm)
	id, _ := doc["id"].(string)
	if status != http.StatusAccepted || doc["state"] != "cooling" || id == "" {
		t.Fatalf("request: %d %v", status, doc)
	}
	w.clock.Advance(privacy.CoolingOff - time.Hour)
	w.turn(t)
	stops := lane.Stops{DB: w.db}
	if all, err := stops.List(ctx, tenantA); err != nil || len(all) != 0 {
		t.Errorf("stopped while it can be taken back: %v, %v", all, err)
	}
	if _, err := w.keys.Authenticate(ctx, secret.New(w.key[tenantB])); err != nil {
		t.Fatal(err) // notes now that it was used, so that nothing of B changes below
	}
	other := w.own(tenantB)
	for i := 0; doc["state"] != "done"; i++ {
		if i > 40 {
			t.Fatalf("not done: %v", doc)
		}
		w.turn(t)
		if _, doc = w.call(t, "", http.MethodGet, "/privacy/erasures/"+id, nil); doc["state"] == "revoking" {
			if all, err := stops.List(ctx, tenantA); err != nil || len(all) != 1 {
				t.Errorf("nothing stops the sending: %v, %v", all, err)
			}
			if status, _ := w.call(t, w.key[tenantA], http.MethodPost, "/privacy/erasures", confirm); status != http.StatusUnauthorized {
				t.Errorf("its key still works: %d", status)
			}
			// Whoever comes back from a consent is not let in any more; the claim on the
			// seller goes with the tokens, so that nobody else connects it before.
			own := w.own(tenantA)
			if strings.Contains(own, " state#"+mark(tenantA)) || !strings.Contains(own, " seller#EU#") {
				t.Errorf("while tokens are destroyed there is %s", own)
			}
		}
	}
	for _, f := range w.kept(mark(tenantA), w.key[tenantA]) {
		t.Errorf("left: %s", f)
	}
	for line := range strings.Lines(w.own(tenantA)) {
		table, rest, _ := strings.Cut(line, " ")
		stays := table == "ledger" || table == "privacy" && (strings.Contains(rest, " erasure era_") || strings.HasSuffix(strings.TrimSpace(rest), " erasing begun map[]")) || table == "keys" && strings.Contains(rest, `map["erased":%!q(bool=true)]`)
		if !stays {
			t.Errorf("left: %s", line)
		}
	}
	for n := range 4 {
		name := fmt.Sprintf("pm/connection/%s/%s/%d", tenantA, conn, n)
		if _, err := w.vault.Get(ctx, name); !errors.Is(err, secret.ErrNotFound) {
			t.Errorf("a refresh token is left: %s, %v", name, err)
		}
	}
	if _, err := w.vault.Get(ctx, fmt.Sprintf("pm/connection/%s/%s/2", tenantB, conn)); err != nil {
		t.Errorf("the other's token: %v", err)
	}
	if _, err := w.users.Begin(ctx, "m"+mark(tenantA), secret.New(phrase)); !errors.Is(err, provider.ErrRefused) {
		t.Errorf("the member's password is left: %v", err)
	}
	if _, err := w.users.Begin(ctx, "m"+mark(tenantB), secret.New(phrase)); err != nil {
		t.Errorf("the other's member: %v", err)
	}
	if w.own(tenantB) != other {
		t.Error("the other tenant changed")
	}
	size, err := w.log.CheckTree(ctx, tenantA)
	if err != nil || size.Size < 5 {
		t.Errorf("the ledger's tree: %+v, %v", size, err)
	}
	if _, err := w.log.Events(ctx, tenantA, 0, 1); !errors.Is(err, envelope.ErrOpen) {
		t.Errorf("the ledger's values: %v", err)
	}
	if leaves, err := w.log.Events(ctx, tenantB, 0, 100); err != nil || len(leaves) < 5 {
		t.Errorf("the other's ledger: %d, %v", len(leaves), err)
	}
	receipt, _ := doc["receipt"].(string)
	if r, err := privacy.OpenReceipt(receipt, w.signer.VerifierKey()); err != nil || r.Tenant != tenantA || r.Root != size.Root {
		t.Errorf("receipt %+v, %v", r, err)
	}
}

func TestTheAgeOfTheOldestErasureIsReported(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.call(t, w.key[tenantA], http.MethodPost, "/privacy/erasures", map[string]string{"confirm": privacy.ConfirmErasure(tenantA)})
	if err := w.erasures.Hold(ctx, tenantA, "operator:x"); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(25 * 24 * time.Hour)
	w.turn(t)
	if !strings.Contains(w.out.String(), `"ErasureAgeHours":600`) {
		t.Errorf("metrics: %s", w.out)
	}
}

func TestACoolingOffThatLeavesNoTimeIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		off, settle time.Duration
		ok          bool
	}{
		{0, privacy.SettleFor, true}, {privacy.LongestCoolingOff, privacy.SettleFor, true},
		{-time.Second, privacy.SettleFor, false}, {privacy.LongestCoolingOff + time.Second, privacy.SettleFor, false}, {0, time.Minute, false},
	} {
		cfg := config{Base: runtime.Base{Stage: runtime.Prod}, CoolingOff: c.off, Settle: c.settle}
		if err := cfg.Validate(); (err == nil) != c.ok {
			t.Errorf("%s, %s: %v", c.off, c.settle, err)
		}
	}
}
