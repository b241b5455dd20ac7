package main

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/clock"
	"pricemanager/internal/connect"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/plan"
	"pricemanager/internal/preview"
	"pricemanager/internal/price"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
	"pricemanager/internal/web"
	"pricemanager/test/openapi"
	"pricemanager/test/replay"
)

const (
	seller   = tenant.ID("t_replay0001")
	stranger = tenant.ID("t_stranger01")
	conn     = price.ConnectionID("conn_aaaaaaaaaaaaaaaaaaaaaaaaaa")
	de       = price.MarketplaceID("A1PA6795UKMFR9")
)

// doorman knows three keys of one tenant, one of them for offers only, and one of
// another; and two members of the first, of whom one made the first key, and one of the
// other. How members really
// come is shown where sessions are.
type doorman struct{}

func (doorman) Authenticate(_ context.Context, key secret.Value) (identity.Principal, error) {
	switch key.Reveal() {
	case "pmk_goodgoodgoodgood_goodgoodgoodgood":
		return identity.Principal{Tenant: seller, Actor: "key:good", Role: identity.Machine, Scopes: identity.Scopes(), MadeBy: "member:mfounder"}, nil
	case "pmk_secondsecondseco_secondsecondseco":
		return identity.Principal{Tenant: seller, Actor: "key:second", Role: identity.Machine, Scopes: identity.Scopes()}, nil
	case "pmk_colleaguecolleag_colleaguecolleag":
		return person("msecond", identity.Owner), nil
	case "pmk_strangerstranger_strangerstranger":
		p := person("mstranger", identity.Owner)
		p.Tenant = stranger
		return p, nil
	case "pmk_foundsfoundsfoun_foundsfoundsfoun":
		return person("mfounder", identity.Owner), nil
	case "pmk_otherotherother1_otherotherother1":
		return identity.Principal{Tenant: stranger, Actor: "key:other", Role: identity.Machine, Scopes: identity.Scopes()}, nil
	case "pmk_offersoffersoffe_offersoffersoffe":
		return identity.Principal{Tenant: seller, Actor: "key:offers", Role: identity.Machine, Scopes: []identity.Scope{identity.OffersRead}}, nil
	}
	return identity.Principal{}, fault.New(fault.Unauthenticated, "", "The API key is not valid.").Because(errors.New("unknown"))
}

// person is a member who gave a code just now.
func person(id string, role identity.Role) identity.Principal {
	return identity.Principal{Tenant: seller, Actor: "member:" + id, Role: role, Member: id, Session: "s" + id, Enrolled: true, MFAAt: began}
}

// began is when worlds begin.
var began = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

type world struct {
	t     *testing.T
	db    *memory.DB
	blobs *memory.Blobs
	queue *memory.Queue
	// planQueue has the plans of uploads made.
	planQueue *memory.Queue
	tables    *memory.Queue // has downloads made
	notices   *noticeQueue  // has owners told
	clock     *clock.Manual
	serve     replay.Handler
	// ledger is fed by hand, see record.
	ledger *ledger.Log
	sealer *envelope.Sealer
	kms    *memkms.KMS
	// router is what serve asks.
	router *web.Router
	// revoked are the API keys that were revoked.
	revoked []string
}

// newWorld is the function over memory stores, with one connection in Germany
// and two known offers at 20.00 EUR; a stranger has a connection of its own.
func newWorld(t *testing.T) *world {
	t.Helper()
	clk := clock.NewManual(began)
	w := &world{t: t, db: memory.New(clk), blobs: memory.NewBlobs(clk), queue: memory.NewQueue(clk), planQueue: memory.NewQueue(clk), tables: memory.NewQueue(clk), notices: &noticeQueue{Queue: memory.NewQueue(clk)}, clock: clk}
	w.kms = memkms.New(crand.Reader)
	w.sealer = envelope.New(w.kms, w.db, clk)
	w.ledger = ledger.New(w.db, w.sealer, clk, crand.Reader)
	for owner, id := range map[tenant.ID]string{seller: string(conn), stranger: "conn_bbbbbbbbbbbbbbbbbbbbbbbbbb"} {
		err := w.db.Put(t.Context(), owner, store.Connections, store.Item{Key: store.Key{PK: "connections", SK: id}, Attrs: map[string]any{
			"region": "EU", "state": "active", "seller": "A2REPLAY", "authorised": store.Millis(clk.Now()), "markets": []byte(`["A1PA6795UKMFR9"]`),
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"mfounder", "msecond"} {
		w.member(id, identity.Owner)
	}
	known := price.FromMinor(2000, "EUR")
	for _, sku := range []price.SKU{"SKU-1", "SKU-2"} {
		err := lane.NewOffers(w.db).Learn(t.Context(), seller, lane.Read{Prices: price.Prices{Our: &known}, Begun: clk.Now(),
			Key: price.OfferKey{Connection: conn, Marketplace: de, SKU: sku}})
		if err != nil {
			t.Fatal(err)
		}
	}
	h := newHandler(deps{
		app: &runtime.App{Log: replay.Log(t), Metrics: metrics.New(replay.Told(t), clk, "price-upload", "local"), Clock: clk},
		cfg: config{Base: runtime.Base{Stage: runtime.Local, Version: "1"}, Visibility: time.Minute, Public: runtime.Public{URL: "https://api.example.com"}, SecurityContact: "mailto:security@example.com"}, db: w.db, blobs: w.blobs, queue: w.queue, planQueue: w.planQueue, tables: w.tables, notices: w.notices,
		connections: &connect.Service{DB: w.db, Clock: clk}, ledger: w.ledger, sealer: w.sealer, hashes: hashed, revoke: w.revoke, random: bytes.NewReader(bytes.Repeat([]byte("random bytes, as many as are needed "), 100)),
	})
	var err error
	if w.router, err = h.router(); err != nil {
		t.Fatal(err)
	}
	w.serve = replay.Handler(runtime.JSON(w.router.Lambda(doorman{})))
	return w
}

// member has the tenant have a member; a role of "" has them removed.
func (w *world) member(id string, role identity.Role) {
	w.t.Helper()
	item := store.Item{Key: store.Key{PK: "members", SK: id}, Attrs: map[string]any{"role": string(role)}}
	if role == "" {
		item.Attrs = map[string]any{"role": string(identity.Owner), "removedAt": store.Millis(w.clock.Now())}
	}
	if err := w.db.Put(w.t.Context(), seller, store.Identity, item); err != nil {
		w.t.Fatal(err)
	}
}

// What the recorded events name. It follows from newWorld; newRecorded says so
// when it no longer does.
const (
	readyPlan   = "plan_mrswiidsmfxgi33nebrhs5dfom"
	readyToken  = "p1_raNpOj7Lequ3ZmGM0InCjGjr-xsrwEDbx1cWXlaXaNk"
	appliedPlan = "plan_ojqw4zdpnuqge6lumvzsyidbom"
	appliedAs   = "bat_ebwwc3tzebqxgidbojssa3tfmu"
	waiting     = "bat_waitwaitwaitwaitwaitwaitwa"
)

// newRecorded has two plans of three rows: one ready, one applied, whose batch
// is being sent.
func newRecorded(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.recordUploads()
	w.recordDownload()
	w.recordPulls()
	w.remember()
	w.notice()
	w.suspect()
	const file = "sku;marketplace;price\nSKU-1;DE;18,50\nSKU-2;DE;30,00\nSKU-9;DE;18,00\n"
	applied := w.plan(file)
	_, body := w.ask(mine, http.MethodPost, "/batches", "", "k1", `{"plan":"`+applied.ID+`","token":"`+applied.Token+`"}`)
	var b batchDoc
	if err := json.Unmarshal([]byte(body), &b); err != nil {
		t.Fatal(err)
	}
	engine := w.engine()
	if err := engine.Apply(t.Context(), seller, b.ID); err != nil {
		t.Fatal(err)
	}
	ready := w.plan(strings.Replace(file, "18,50", "18,20", 1)) // of the offers as they are now
	err := lane.NewBatches(w.db, w.blobs).Create(t.Context(), seller, lane.NewBatch{ID: waiting, Plan: appliedPlan, File: "p.csv", Actor: "key:good",
		Rows: map[price.ConnectionID]int64{conn: 1}, At: w.clock.Now().Add(time.Hour), RevertAt: w.clock.Now().Add(25 * time.Hour)}, engine.Bell)
	if err != nil {
		t.Fatal(err)
	}
	plans := &plan.Store{DB: w.db, Blobs: w.blobs, Clock: w.clock}
	if _, err := (&preview.Service{DB: w.db, Plans: plans, Clock: w.clock}).Ask(t.Context(), seller, ready.ID, "key:good", engine.Bell); err != nil {
		t.Fatal(err)
	}
	w.lived()
	stops := lane.Stops{DB: w.db, Bell: engine.Bell}
	if err := stops.Set(t.Context(), seller, lane.Stop{Scope: lane.ScopeTenant, Actor: "key:good"}); err != nil {
		t.Fatal(err)
	}
	if got, want := []string{ready.ID, ready.Token, applied.ID, b.ID}, []string{readyPlan, readyToken, appliedPlan, appliedAs}; !slices.Equal(got, want) {
		t.Fatalf("the recorded events name %q; put these into them and here: %q", want, got)
	}
	return w
}

// engine stages and commits batches, as price-sync does.
func (w *world) engine() *lane.Engine {
	plans := &plan.Store{DB: w.db, Blobs: w.blobs, Clock: w.clock}
	return &lane.Engine{DB: w.db, Blobs: w.blobs, Bell: lane.Bell{DB: w.db, Queue: w.queue, Now: w.clock.Now}, Clock: w.clock,
		Planned: func(ctx context.Context, t tenant.ID, id string, c price.ConnectionID, from int64, limit int) ([]lane.Row, error) {
			rows, err := plans.LaneRows(ctx, t, id, c, from, limit)
			out := make([]lane.Row, len(rows))
			for i, r := range rows {
				out[i] = lane.Row(r)
			}
			return out, err
		}}
}

func TestRecordedRequestsAreAnswered(t *testing.T) {
	replay.Run(t, "price-upload", false, func(t *testing.T) replay.Handler { return openapi.Checked(t, newRecorded(t).serve) }, map[string]replay.Check{
		"success-health":                             replay.Status(200, `"ok":true`),
		"success-version":                            replay.Status(200, `"version"`),
		"success-security-txt":                       replay.Status(200, "Contact: mailto:security@example.com\nExpires: 2027-05-21T00:00:00Z\n"),
		"success-security-policy":                    replay.Status(200, `<a href="mailto:security@example.com">`),
		"success-security-acknowledgments":           replay.Status(200, "<h1>Thanks</h1>"),
		"success-upload":                             replay.Status(201, `"upload":"upl_`),
		"success-plan-of-upload":                     replay.Status(202, `"state":"reading"`),
		"failure-upload-without-name":                replay.Status(400, "at most 200 bytes"),
		"failure-upload-of-no-type":                  replay.Status(400, "want a media type"),
		"failure-plan-of-a-foreign-upload":           replay.Status(404, "There is no such upload"),
		"failure-plan-of-an-empty-upload":            replay.Status(409, "not been uploaded yet"),
		"failure-plan-of-no-upload":                  replay.Status(404, "There is no such upload"),
		"success-plan":                               replay.Status(201, `"rows":3,"planned":1,"held":0,"refused":2,"unchanged":0`),
		"success-offers":                             replay.Status(200, `"sku":"SKU-1"`),
		"success-ready-plan":                         replay.Status(200, `"token":"`+readyToken),
		"success-applied-plan":                       replay.Status(200, `"batch":"`+appliedAs),
		"success-plan-file":                          replay.Status(200, `"url":"`),
		"failure-file-of-a-missing-plan":             replay.Status(404, "There is no such plan"),
		"success-put-mapping":                        replay.Status(200, `"fingerprint":"hdr_oe55y3ck6chojh7p5a6fnxts5q"`),
		"success-mappings":                           replay.Status(200, `"changedBy":"key:second"`),
		"success-forget-mapping":                     replay.Status(200, `"forgotten":true`),
		"failure-forget-a-missing-mapping":           replay.Status(404, "No mapping is remembered"),
		"failure-mapping-of-another-header":          replay.Status(400, "The headers are not those"),
		"failure-mapping-without-a-price":            replay.Status(400, "at least one price"),
		"success-plan-rows":                          replay.Status(200, `"verdict":"held"`),
		"success-apply":                              replay.Status(202, `"state":"staging"`),
		"success-apply-later":                        replay.Status(202, `"state":"scheduled"`),
		"success-cancel":                             replay.Status(200, "cancelled before its time by key:good"),
		"success-apply-for-a-time":                   replay.Status(202, `"revert":{"at":"2026-11-29T23:00:00Z","state":"waiting","by":"key:good"}`),
		"failure-revert-before-it-begins":            replay.Status(400, "before it begins at 2026-11-22T23:00:00Z"),
		"success-revert-at":                          replay.Status(200, `"at":"2026-11-29T23:00:00Z","state":"waiting","by":"key:good"`),
		"failure-revert-too-late":                    replay.Status(400, "within the next 28 days"),
		"success-cancel-revert":                      replay.Status(200, `"state":"cancelled","by":"key:good"`),
		"failure-cancel-of-no-revert":                replay.Status(409, "not waiting to be taken back"),
		"success-plan-schedule":                      replay.Status(200, `"revert":{"at":"2026-11-29T23:00:00Z","rows":1,`),
		"success-ask-preview":                        replay.Status(202, `"state":"waiting"`),
		"success-get-preview":                        replay.Status(200, `"planned":1,"valid":0,"invalid":0,"rows":[{"row":2,`),
		"failure-get-no-preview":                     replay.Status(404, "There is no preview of this plan"),
		"failure-ask-preview-of-an-applied-plan":     replay.Status(409, "this one is applied"),
		"failure-apply-in-the-past":                  replay.Status(400, "within the next 28 days"),
		"failure-cancel-of-a-begun-batch":            replay.Status(409, "does not wait for a time"),
		"success-batch":                              replay.Status(200, `"state":"sending"`),
		"success-batch-rows":                         replay.Status(200, `"state":"desired"`),
		"success-rollback":                           replay.Status(201, `"file":"rollback of `),
		"failure-rollback-of-a-missing-batch":        replay.Status(404, "There is no such batch"),
		"success-correction":                         replay.Status(202, `"state":"sending"`),
		"success-correction-of-a-waiting-change":     replay.Status(202, `"state":"sending"`),
		"failure-correction-held":                    replay.Status(409, `"code":"large-move"`),
		"failure-correction-moved":                   replay.Status(409, "no longer as you saw it"),
		"failure-correction-of-a-foreign-connection": replay.Status(404, "There is no such connection"),
		"success-release":                            replay.Status(201, `"by":"member:msecond"`),
		"failure-release-of-ones-own":                replay.Status(403, "Nobody releases their own plan"),
		"success-approve":                            replay.Status(200, `"state":"ready"`),
		"failure-approve-another-token":              replay.Status(409, "does not belong to this plan"),
		"success-guards":                             replay.Status(200, `"version":0`),
		"success-set-guards":                         replay.Status(200, `"version":1,"changedBy":"key:good"`),
		"failure-set-guards-unseen":                  replay.Status(409, "no longer the ones that If-Match names"),
		"failure-set-guards-that-cannot-be":          replay.Status(400, "rules[0]: the amount"),
		"success-guard-notices":                      replay.Status(200, `"what":"settings","changedBy":"key:second"`),
		"failure-too-many-guard-notices":             replay.Status(400, "limit"),
		"success-costs":                              replay.Status(200, "sku,cost,currency"),
		"success-set-costs":                          replay.Status(200, `"costs":1`),
		"failure-set-costs-ambiguous":                replay.Status(400, "Line 2"),
		"success-links":                              replay.Status(200, `"max_age_days":3,"links":[],"version":0`),
		"success-set-links":                          replay.Status(200, `"version":1,"changedBy":"key:good"`),
		"failure-set-links-unseen":                   replay.Status(409, "no longer the ones that If-Match names"),
		"failure-set-links-that-cannot-be":           replay.Status(400, "prices in SE are in SEK"),
		"success-rates":                              replay.Status(200, `"rates":{},"version":0`),
		"success-set-rates":                          replay.Status(200, `"GBP":"0.8312"`),
		"success-set-rates-of-the-ecb":               replay.Status(200, `"source":"European Central Bank`),
		"failure-set-rates-unseen":                   replay.Status(409, "no longer the ones that If-Match names"),
		"failure-set-rates-wrong-lines":              replay.Status(400, "(2 in all)"),
		"success-pulls":                              replay.Status(200, `"id":"`+recordedPull),
		"success-create-pull":                        replay.Status(201, `"nextAt":"2026-11-22T09:00:00Z"`),
		"success-create-pull-of-rates":               replay.Status(201, `"kind":"rates"`),
		"failure-create-pull-of-rates-with-a-policy": replay.Status(400, "leave them out for rates"),
		"failure-create-pull-inside":                 replay.Status(400, "IP addresses are not called"),
		"failure-create-pull-too-often":              replay.Status(400, "from 15 to 10080"),
		"success-pull":                               replay.Status(200, `"everyMinutes":30`),
		"failure-missing-pull":                       replay.Status(404, "There is no such source"),
		"success-put-pull":                           replay.Status(200, `"dailyAt":"06:30"`),
		"failure-put-pull-unseen":                    replay.Status(409, "no longer the one that If-Match names"),
		"success-delete-pull":                        replay.Status(200, `"deleted":true`),
		"success-run-pull":                           replay.Status(202, `"state":"active"`),
		"failure-run-missing-pull":                   replay.Status(404, "There is no such source"),
		"success-stops":                              replay.Status(200, `"name":"tenant"`),
		"success-set-stop":                           replay.Status(201, `"name":"marketplace.A1PA6795UKMFR9"`),
		"success-lift-stop":                          replay.Status(200, `"lifted":true`),
		"success-suspicions":                         replay.Status(200, `"subject":"key:second","at":"2026-11-22T08:59:00Z"`),
		"success-not-me":                             replay.Status(200, `"state":"not-me","answeredBy":"key:good"`),
		"success-was-me":                             replay.Status(200, `"state":"was-me","answeredBy":"key:good"`),
		"failure-was-me-of-ones-own":                 replay.Status(403, "Answer with another key"),
		"failure-foreign-suspicion":                  replay.Status(404, "There is no such suspicion"),
		"failure-not-me-with-a-body":                 replay.Status(400, "Send no body"),
		"failure-unknown-stop":                       replay.Status(404, "No such stop stands"),
		"failure-global-stop":                        replay.Status(400, "scope is tenant"),
		"failure-no-key":                             replay.Status(401, `"reference"`),
		"failure-no-file-name":                       replay.Status(400, "?file=prices.csv"),
		"failure-not-a-price-file":                   replay.Status(400, `"detail"`),
		"failure-wrong-token":                        replay.Status(404, "There is no such plan"),
		"failure-no-idempotency-key":                 replay.Status(400, "Idempotency-Key"),
		"failure-stop-of-a-foreign-connection":       replay.Status(404, "There is no such connection"),
		"success-offer-history":                      replay.Status(200, `"submission":"sub-1"`),
		"success-offer-history-export":               replay.Status(200, `"new":"18.50 EUR"`),
		"success-why":                                replay.Status(200, `"actor":"key:good"`),
		"success-offers-export":                      replay.Status(200, "SKU-1,DE,EUR,20.00,"),
		"success-plan-export":                        replay.Status(200, "SKU-1,price,18.50 EUR,18.20 EUR,allowed,"),
		"failure-export-of-a-missing-plan":           replay.Status(404, "There is no such plan"),
		"success-offers-as-xlsx":                     replay.Status(200, "UEsDB"), // a ZIP, as base64
		"success-download-of-offers":                 replay.Status(202, `"state":"running"`),
		"success-download-of-history":                replay.Status(202, `"what":"history","format":"csv"`),
		"success-download-of-a-batch":                replay.Status(202, `"format":"json"`),
		"success-get-download":                       replay.Status(200, `"linksExpireAt":"2026-11-22T09:15:00Z"`),
		"failure-download-of-faces":                  replay.Status(400, "want offers, history, batch or plan"),
		"failure-download-of-a-foreign-connection":   replay.Status(404, "There is no such connection"),
		"failure-download-of-a-missing-plan":         replay.Status(404, "There is no such plan"),
		"failure-foreign-download":                   replay.Status(404, "There is no such download"),
		"success-batch-export":                       replay.Status(200, `"state":"desired"`),
		"failure-history-without-a-sku":              replay.Status(400, "Name the offer in the query"),
		"failure-why-of-a-foreign-connection":        replay.Status(404, "There is no such connection"),
		"failure-why-of-an-unknown-offer":            replay.Status(404, "Nothing is known about this offer"),
		"failure-export-as-pdf":                      replay.Status(400, "want one of"),
		"failure-export-of-a-missing-batch":          replay.Status(404, "There is no such batch"),
		"failure-missing-batch":                      replay.Status(404, "There is no such batch"),
		"failure-foreign-offers":                     replay.Status(404, "There is no such connection"),
	})
}

func TestRoutesAreThoseOfTheOpenAPIDocument(t *testing.T) {
	t.Parallel()
	openapi.CompareRoutes(t, "price-upload", newWorld(t).router)
}

// ask sends a request with a tenant's key and returns status and body.
func (w *world) ask(key, method, path, query, idempotency, body string) (int, string) {
	w.t.Helper()
	header := map[string]string{"Authorization": "Bearer " + key, "Content-Type": "application/json", "Idempotency-Key": idempotency}
	if strings.HasPrefix(path, "/plans") {
		header["Content-Type"] = "text/csv"
	}
	ev := events.APIGatewayProxyRequest{HTTPMethod: method, Path: path, Body: body, Headers: header, MultiValueQueryStringParameters: map[string][]string{}}
	ev.RequestContext.RequestID = "req-1"
	for _, kv := range strings.Split(query, "&") {
		if k, v, ok := strings.Cut(kv, "="); ok {
			ev.MultiValueQueryStringParameters[k] = []string{v}
		}
	}
	in, err := json.Marshal(ev)
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := w.serve(w.t.Context(), in)
	if err != nil {
		w.t.Fatal(err)
	}
	var res events.APIGatewayProxyResponse
	if err := json.Unmarshal(out, &res); err != nil {
		w.t.Fatal(err)
	}
	return res.StatusCode, res.Body
}

const (
	mine   = "pmk_goodgoodgoodgood_goodgoodgoodgood"
	theirs = "pmk_otherotherother1_otherotherother1"
)

func (w *world) plan(csv string) planDoc {
	w.t.Helper()
	status, body := w.ask(mine, http.MethodPost, "/plans", "file=p.csv", "", csv)
	var p planDoc
	if err := json.Unmarshal([]byte(body), &p); err != nil || status != http.StatusCreated {
		w.t.Fatalf("plan: %d %s", status, body)
	}
	return p
}

const oneRow = "sku;marketplace;price\nSKU-1;DE;19,00\n"

func TestAPlanIsAppliedOnceByItsToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.plan(oneRow)
	accept := `{"plan":"` + p.ID + `","token":"` + p.Token + `"}`

	if status, body := w.ask(mine, http.MethodPost, "/batches", "", "k0", `{"plan":"`+p.ID+`","token":"`+p.Token+`x"}`); status != http.StatusConflict && status != http.StatusBadRequest {
		t.Fatalf("a changed token was answered %d %s", status, body)
	}
	if n := w.queue.Len(); n != 0 {
		t.Fatalf("a refused apply rang %d doorbells", n)
	}
	status, first := w.ask(mine, http.MethodPost, "/batches", "", "k1", accept)
	if status != http.StatusAccepted {
		t.Fatalf("apply: %d %s", status, first)
	}
	if status, again := w.ask(mine, http.MethodPost, "/batches", "", "k1", accept); status != http.StatusAccepted || again != first {
		t.Errorf("the same key gave %d %s, want the first answer %s", status, again, first)
	}
	if status, body := w.ask(mine, http.MethodPost, "/batches", "", "k2", accept); status != http.StatusConflict {
		t.Errorf("a second apply with another key was answered %d %s, want 409", status, body)
	}
}

func TestAForeignPlanAndBatchAreLikeMissingOnes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.plan(oneRow)
	accept := `{"plan":"` + p.ID + `","token":"` + p.Token + `"}`
	_, body := w.ask(mine, http.MethodPost, "/batches", "", "k1", accept)
	var b batchDoc
	if err := json.Unmarshal([]byte(body), &b); err != nil || b.ID == "" {
		t.Fatalf("apply: %s", body)
	}
	for _, c := range []struct{ method, path, missing, body string }{
		{http.MethodGet, "/plans/" + p.ID, "/plans/plan_aaaaaaaaaaaaaaaaaaaaaaaaaa", ""},
		{http.MethodGet, "/plans/" + p.ID + "/rows", "/plans/plan_aaaaaaaaaaaaaaaaaaaaaaaaaa/rows", ""},
		{http.MethodGet, "/batches/" + b.ID, "/batches/bat_aaaaaaaaaaaaaaaaaaaaaaaaaa", ""},
		{http.MethodGet, "/batches/" + b.ID + "/rows", "/batches/bat_aaaaaaaaaaaaaaaaaaaaaaaaaa/rows", ""},
	} {
		status, foreign := w.ask(theirs, c.method, c.path, "", "k9", c.body)
		want, missing := w.ask(theirs, c.method, c.missing, "", "k9", c.body)
		if status != http.StatusNotFound || status != want || foreign != missing {
			t.Errorf("%s: %d %s, a missing one %d %s", c.path, status, foreign, want, missing)
		}
	}
	status, foreign := w.ask(theirs, http.MethodPost, "/batches", "", "k9", accept)
	want, missing := w.ask(theirs, http.MethodPost, "/batches", "", "k9", `{"plan":"plan_aaaaaaaaaaaaaaaaaaaaaaaaaa","token":"`+p.Token+`"}`)
	if status != http.StatusNotFound || status != want || foreign != missing {
		t.Errorf("applying a foreign plan: %d %s, a missing one %d %s", status, foreign, want, missing)
	}
}

// hashed stands for identity.Keys.Hashes.
func hashed(_ context.Context, text string) ([]string, error) {
	sum := sha256.Sum256([]byte(text))
	return []string{hex.EncodeToString(sum[:16])}, nil
}
