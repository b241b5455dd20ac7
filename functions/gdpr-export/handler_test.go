package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/identity"
	"pricemanager/internal/ledger"
	"pricemanager/internal/privacy"
	"pricemanager/internal/privacy/locked"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/logs"
	"pricemanager/internal/secret"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

const (
	tenantA tenant.ID = "t_aaaaaa"
	tenantB tenant.ID = "t_aaaaaaa"
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
	clock  *clock.Manual
	db     *memory.DB
	blobs  *memory.Blobs
	queue  *memory.Queue
	sealer *envelope.Sealer
	kms    *memkms.KMS
	key    map[tenant.ID]string // API keys with every scope
}

func setup(t *testing.T) *world {
	t.Helper()
	clk := clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	w := &world{clock: clk, db: memory.New(clk), blobs: memory.NewBlobs(clk), queue: memory.NewQueue(clk), key: map[tenant.ID]string{}}
	w.kms = memkms.New(rand.Reader)
	w.sealer = envelope.New(w.kms, w.db, clk)
	d := deps{
		app: &runtime.App{Log: logs.New(io.Discard, runtime.Base{}.LogLevel, "gdpr-export", "test"), Clock: clk},
		cfg: config{Secrets: runtime.Secrets{Pepper: "pepper", LedgerSigner: "signer"}},
		db:  w.db, blobs: w.blobs, objects: w.blobs, spool: spool(t.TempDir()), queue: w.queue, sealer: w.sealer, random: rand.Reader,
		secrets: secrets{"pepper": strings.Repeat("pepper", 8), "signer": strings.Repeat("signer", 8)},
	}
	var err error
	if w.handler, err = newHandler(d); err != nil {
		t.Fatal(err)
	}
	for _, id := range []tenant.ID{tenantA, tenantB} {
		if err := identity.NewTenants(w.db, w.sealer, clk).Create(ctx, id, "operator", "Company of "+string(id)); err != nil {
			t.Fatal(err)
		}
		w.key[id] = w.newKey(t, id, identity.Scopes()...)
	}
	return w
}

func (w *world) newKey(t *testing.T, id tenant.ID, scopes ...identity.Scope) string {
	t.Helper()
	_, key, err := w.keys.Create(ctx, id, "operator", "key of "+string(id), scopes)
	if err != nil {
		t.Fatal(err)
	}
	return key.Reveal()
}

// call makes an API call through the function's entry, as API Gateway does.
func (w *world) call(t *testing.T, key, method, path string) (status int, body map[string]any) {
	t.Helper()
	path, query, _ := strings.Cut(path, "?")
	ev := events.APIGatewayProxyRequest{HTTPMethod: method, Path: path, MultiValueHeaders: map[string][]string{}}
	if name, value, ok := strings.Cut(query, "="); ok {
		ev.MultiValueQueryStringParameters = map[string][]string{name: {value}}
	}
	if key != "" {
		ev.MultiValueHeaders["Authorization"] = []string{"Bearer " + key}
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
	if err := json.Unmarshal([]byte(resp.Body), &body); err != nil {
		t.Fatalf("%s %s: %d %q", method, path, resp.StatusCode, resp.Body)
	}
	return resp.StatusCode, body
}

// work delivers every message of the privacy queue and returns what failed.
func (w *world) work(t *testing.T) (failed int) {
	t.Helper()
	for _, m := range w.queue.Receive(10, time.Minute) {
		if w.deliver(t, m.Body) != nil {
			failed++
			continue
		}
		w.queue.Delete(m.ID)
	}
	return failed
}

func (w *world) deliver(t *testing.T, body []byte) error {
	t.Helper()
	raw, err := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{{
		MessageId: "m1", Body: string(body), EventSource: "aws:sqs",
	}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.events().Handle(ctx, raw)
	return err
}

func TestAnExportFromRequestToDownload(t *testing.T) {
	t.Parallel()
	w := setup(t)
	status, body := w.call(t, w.key[tenantA], http.MethodPost, "/exports")
	id, _ := body["id"].(string)
	if status != http.StatusAccepted || body["state"] != "running" || !strings.HasPrefix(id, "exp_") {
		t.Fatalf("request: %d %v", status, body)
	}
	if status, body := w.call(t, w.key[tenantA], http.MethodGet, "/exports/"+id); status != http.StatusOK || body["state"] != "running" || body["url"] != nil {
		t.Errorf("while running: %d %v", status, body)
	}
	if n := w.work(t); n != 0 {
		t.Fatalf("%d messages failed", n)
	}
	status, body = w.call(t, w.key[tenantA], http.MethodGet, "/exports/"+id)
	url, _ := body["url"].(string)
	password, _ := body["password"].(string)
	if status != http.StatusOK || body["state"] != "done" || url == "" {
		t.Fatalf("when done: %d %v", status, body)
	}
	_, archive, err := w.blobs.Follow(url)
	if err != nil || float64(len(archive)) != body["bytes"] {
		t.Fatalf("archive of %d bytes, %v; want %v", len(archive), err, body["bytes"])
	}
	_, key := w.call(t, "", http.MethodGet, "/ledger/key")
	opts := ledger.VerifyOpts{Key: key["key"].(string)}
	if _, err := privacy.Verify(bytes.NewReader(archive), int64(len(archive)), secret.New(password), opts); err != nil {
		t.Errorf("verify with the public key of the API: %v", err)
	}
	var names []string
	for name, content := range unzip(t, archive, password) {
		names = append(names, name)
		_, secretPart, _ := strings.Cut(w.key[tenantA], "_")
		if strings.Contains(content, string(tenantB)) || strings.Contains(content, secretPart) {
			t.Errorf("%s shows another tenant or a key", name)
		}
	}
	slices.Sort(names)
	want := []string{
		"README.txt", "apikeys.csv", "apikeys.json", "batches.csv", "batches.json", "checkpoint.txt", "company.json", "connections.csv", "connections.json",
		"downloads.csv", "downloads.json", "erasures.csv", "erasures.json", "exports.csv", "exports.json", "guard-notices.csv", "guard-notices.json",
		"history.csv", "ledger.jsonl", "manifest.json", "members.csv", "members.json", "offers.csv", "offers.json", "plans.csv", "plans.json",
		"previews.csv", "previews.json", "prices.csv", "sessions.csv", "sessions.json", "stops.csv", "stops.json", "suspicions.csv", "suspicions.json", "uploads.csv", "uploads.json",
	}
	if !slices.Equal(names, want) {
		t.Errorf("files %v, want %v", names, want)
	}
}

// unzip returns the files of an archive.
func unzip(t *testing.T, archive []byte, password string) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range z.File {
		in, err := locked.Open(f, secret.New(password))
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(content)
	}
	return files
}

func TestAnotherTenantsExportIsTheSame404AsNone(t *testing.T) {
	t.Parallel()
	w := setup(t)
	_, body := w.call(t, w.key[tenantA], http.MethodPost, "/exports")
	foreign, problem := w.call(t, w.key[tenantB], http.MethodGet, "/exports/"+body["id"].(string))
	missing, none := w.call(t, w.key[tenantB], http.MethodGet, "/exports/exp_"+strings.Repeat("a", 26))
	if foreign != http.StatusNotFound || missing != http.StatusNotFound {
		t.Errorf("status %d and %d", foreign, missing)
	}
	delete(problem, "instance")
	delete(none, "instance")
	if fmt.Sprint(problem) != fmt.Sprint(none) {
		t.Errorf("told apart: %v and %v", problem, none)
	}
}

func TestRoutesNeedTheirScope(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, c := range []struct {
		method, path string
		scope        identity.Scope
	}{
		{http.MethodPost, "/exports", identity.ExportsWrite},
		{http.MethodGet, "/exports/exp_x", identity.ExportsRead},
		{http.MethodGet, "/ledger", identity.LedgerRead},
	} {
		others := slices.DeleteFunc(identity.Scopes(), func(s identity.Scope) bool { return s == c.scope })
		if status, _ := w.call(t, w.newKey(t, tenantA, others...), c.method, c.path); status != http.StatusForbidden {
			t.Errorf("%s %s with every other scope: %d", c.method, c.path, status)
		}
		if status, _ := w.call(t, "", c.method, c.path); status != http.StatusUnauthorized {
			t.Errorf("%s %s without a key: %d", c.method, c.path, status)
		}
	}
}

func TestTheLedgerRouteGivesACheckpointThatTheKeyRouteVerifies(t *testing.T) {
	t.Parallel()
	w := setup(t)
	e := ledger.Event{Type: ledger.TokenIssued, At: w.app.Clock.Now(), Target: "x"}
	if err := w.log.AppendDirect(ctx, tenantA, "1", e); err != nil {
		t.Fatal(err)
	}
	status, head := w.call(t, w.key[tenantA], http.MethodGet, "/ledger")
	_, key := w.call(t, "", http.MethodGet, "/ledger/key")
	c, err := ledger.OpenCheckpoint(head["checkpoint"].(string), key["key"].(string))
	if status != http.StatusOK || err != nil || c.Tenant != tenantA || c.Size != 1 || head["size"] != 1.0 || head["root"] != c.Root.String() {
		t.Errorf("%d %v: %+v, %v", status, head, c, err)
	}
}

func TestAMessageThatNobodyCanHandleIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, body := range []string{
		"", "[]", `{"kind":"erase","tenant":"t_aaaaaa"}`, `{"kind":"export","tenant":"","export":"exp_1"}`,
		`{"kind":"export","tenant":"t_aaaaaa","export":"exp_1"}`,
	} {
		if err := w.deliver(t, []byte(body)); err == nil {
			t.Errorf("%q was acknowledged", body)
		}
	}
}

func TestTheLinkIsForWhoAskedAndForNobodyElse(t *testing.T) {
	t.Parallel()
	w := setup(t)
	_, body := w.call(t, w.key[tenantA], http.MethodPost, "/exports")
	id, _ := body["id"].(string)
	if n := w.work(t); n != 0 {
		t.Fatalf("%d messages failed", n)
	}
	colleague := w.newKey(t, tenantA, identity.Scopes()...)
	if status, body := w.call(t, colleague, http.MethodGet, "/exports/"+id); status != http.StatusOK || body["state"] != "done" || body["url"] != nil || body["password"] != nil {
		t.Errorf("another key of the company: %d %v", status, body)
	}
	if status, _ := w.call(t, w.key[tenantB], http.MethodGet, "/exports/"+id); status != http.StatusNotFound {
		t.Errorf("another company: %d", status)
	}
	if status, body := w.call(t, w.key[tenantA], http.MethodGet, "/exports/"+id); status != http.StatusOK || body["url"] == nil {
		t.Errorf("who asked: %d %v", status, body)
	}
}
