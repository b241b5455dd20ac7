package runtime

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"pricemanager/internal/clock"
	"pricemanager/internal/identity"
	"pricemanager/internal/runtime/trace"
	"pricemanager/internal/secret"
	"pricemanager/internal/web"
)

// daemon is an X-Ray daemon that keeps the segments it is sent.
type daemon struct{ conn *net.UDPConn }

func startDaemon(t *testing.T) *daemon {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(); _ = trace.Use("") })
	if err := trace.Use(conn.LocalAddr().String()); err != nil {
		t.Fatal(err)
	}
	return &daemon{conn}
}

type segment struct {
	Name, Namespace, Type string
	ID                    string `json:"id"`
	TraceID               string `json:"trace_id"`
	ParentID              string `json:"parent_id"`
	Annotations           map[string]string
	HTTP                  struct {
		Request  struct{ Method, URL string }
		Response struct{ Status int }
	}
	Cause       json.RawMessage
	Subsegments []segment
}

// drain returns every document sent so far. Loopback UDP keeps its order, so
// whatever was sent before the sentinel has arrived when the sentinel has.
func (d *daemon) drain(t *testing.T) (docs []segment, raw string) {
	t.Helper()
	c, err := net.Dial("udp", d.conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Write([]byte("end")); err != nil {
		t.Fatal(err)
	}
	_ = d.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	buf := make([]byte, 64<<10)
	for {
		n, err := d.conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if string(buf[:n]) == "end" {
			return docs, raw
		}
		head, body, _ := strings.Cut(string(buf[:n]), "\n")
		var s segment
		if err := json.Unmarshal([]byte(body), &s); err != nil || !strings.Contains(head, `"version": 1`) {
			t.Fatalf("not a segment: %s, %v", buf[:n], err)
		}
		docs, raw = append(docs, s), raw+body
	}
}

// find returns the first segment of that name at any depth, and flattens the
// rest to check that all of them belong to the same trace.
func find(docs []segment, name string) *segment {
	for i := range docs {
		if docs[i].Name == name {
			return &docs[i]
		}
		if s := find(docs[i].Subsegments, name); s != nil {
			return s
		}
	}
	return nil
}

type anyKey struct{}

func (anyKey) Authenticate(context.Context, secret.Value) (identity.Principal, error) {
	return identity.Principal{Tenant: "t_alpha00001", KeyID: "k1", Role: identity.Machine, Scopes: identity.Scopes()}, nil
}

func testApp(out io.Writer) *App {
	return newApp(Base{Stage: Local, Version: "v1", Service: "price-sync"}, out, clock.NewManual(time.Unix(1, 0)))
}

const (
	apiTrace  = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a:0"
	apiRoot   = "1-5759e988-bd862e3fe1be46a994272793"
	pollTrace = "Root=1-5759e999-ffffffffffffffffffffffff;Parent=1111111111111111;Sampled=1"
	token     = "Atza|CANARY-access-token"
)

// lambdaCtx is the context of an invocation that Lambda began with a trace.
func lambdaCtx(header string) context.Context {
	return context.WithValue(context.Background(), "x-amzn-trace-id", header) //nolint:staticcheck // Lambda's key is a string
}

// TestOneTraceFromRequestThroughMessageToAmazon runs an API handler that sends
// a message through the AWS SDK, and a consumer, in an invocation with a trace
// of its own, that calls Amazon for it.
func TestOneTraceFromRequestThroughMessageToAmazon(t *testing.T) {
	d := startDaemon(t)
	var body string
	queue := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ MessageBody string }
		_ = json.NewDecoder(r.Body).Decode(&in)
		body = in.MessageBody
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_, _ = io.WriteString(w, `{"MessageId":"m1"}`)
	}))
	defer queue.Close()
	var sentAlong http.Header
	amazon := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sentAlong = r.Header
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	defer amazon.Close()

	cfg := aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String(queue.URL),
		Credentials: credentials.NewStaticCredentialsProvider("AKIACANARYCANARYCANA", "canary", ""),
	}
	trace.Instrument(&cfg)
	client := sqs.NewFromConfig(cfg)
	var logged bytes.Buffer
	app := testApp(&logged)
	router, err := web.New(app.Log, app.Clock, "", web.Route{
		Method: "POST", Pattern: "/batches", Scope: identity.BatchesWrite,
		Handler: func(ctx context.Context, _ *web.Request) (*web.Response, error) {
			msg := fmt.Sprintf(`{"kind":"apply","tenant":"t_alpha00001","batch":"bat_1","trace":%q}`, trace.Header(ctx))
			if _, err := client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &queue.URL, MessageBody: &msg}); err != nil {
				return nil, err
			}
			return web.JSON(http.StatusAccepted, map[string]string{"id": "bat_1"})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	caller := &http.Client{Transport: trace.RoundTripper(http.DefaultTransport)}
	function := app.guard(Events{
		API: JSON(router.Lambda(anyKey{})),
		SQS: app.SQS(func(ctx context.Context, _ Message) error {
			req, _ := http.NewRequestWithContext(ctx, http.MethodPatch, amazon.URL+"/listings/2021-08-01/items/ASELLER/SKU-1?marketplaceIds=X", nil)
			req.Header.Set("x-amz-access-token", token)
			resp, err := caller.Do(req)
			if err != nil {
				return err
			}
			_ = resp.Body.Close()
			return errors.New("Amazon refused " + token)
		}),
	}.Handle)

	ev, _ := json.Marshal(events.APIGatewayProxyRequest{
		HTTPMethod: "POST", Path: "/batches", Headers: map[string]string{"Authorization": "Bearer pmk_canarycanary"},
		RequestContext: events.APIGatewayProxyRequestContext{RequestID: "req-12345678"},
	})
	if out, err := function(lambdaCtx(apiTrace), ev); err != nil || !strings.Contains(string(out), `"statusCode":202`) {
		t.Fatalf("%s, %v", out, err)
	}
	ev, _ = json.Marshal(events.SQSEvent{Records: []events.SQSMessage{{MessageId: "m1", Body: body, EventSource: "aws:sqs"}}})
	if _, err := function(lambdaCtx(pollTrace), ev); err == nil {
		t.Fatal("the failed message was not reported")
	}

	docs, raw := d.drain(t)
	for _, s := range docs {
		if s.TraceID != apiRoot {
			t.Errorf("segment %s is in trace %s, want the request's %s", s.Name, s.TraceID, apiRoot)
		}
		if s.Annotations["tenant"] != "t_alpha00001" {
			t.Errorf("segment %s lacks the tenant: %v", s.Name, s.Annotations)
		}
	}
	send, consumer, call := find(docs, "SQS"), find(docs, "price-sync"), find(docs, "127.0.0.1")
	if send == nil || consumer == nil || call == nil || len(docs) != 3 {
		t.Fatalf("want the call to SQS, the consumer and the call to Amazon, have %s", raw)
	}
	if send.ParentID != "53995c3f42cd8ad8" || consumer.ParentID != "53995c3f42cd8ad8" || consumer.Type != "" || call.ParentID != consumer.ID {
		t.Errorf("the parts do not hang together: %s", raw)
	}
	if consumer.Annotations["batch"] != "bat_1" || call.Annotations["batch"] != "bat_1" {
		t.Errorf("the batch is missing: %s", raw)
	}
	if call.Namespace != "remote" || call.HTTP.Response.Status != 429 || call.HTTP.Request.URL != amazon.URL+"/listings/2021-08-01/items" {
		t.Errorf("the call to Amazon is %+v", *call)
	}
	if len(consumer.Cause) == 0 {
		t.Error("the consumer's error is missing")
	}
	for _, leak := range []string{"CANARY", "canary", "ASELLER", "SKU-1", "marketplaceIds"} {
		if strings.Contains(raw, leak) {
			t.Errorf("a segment holds %q: %s", leak, raw)
		}
		if strings.Contains(logged.String(), leak) {
			t.Errorf("the log holds %q: %s", leak, logged.String())
		}
	}
	if sentAlong.Get("X-Amzn-Trace-Id") != "" {
		t.Error("our trace id was sent to Amazon")
	}
	if n := strings.Count(logged.String(), apiRoot); n < 2 { // the access line and the failed message
		t.Errorf("the trace id is in %d log lines, want both sides of the queue: %s", n, logged.String())
	}
}

func TestManyCallsAtOnceAreEachRecordedOnce(t *testing.T) {
	d := startDaemon(t)
	amazon := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer amazon.Close()
	caller := &http.Client{Transport: trace.RoundTripper(http.DefaultTransport)}
	app := testApp(io.Discard)
	h := app.SQS(func(ctx context.Context, _ Message) error {
		for range 20 {
			req, _ := http.NewRequestWithContext(ctx, http.MethodGet, amazon.URL, nil)
			resp, err := caller.Do(req)
			if err != nil {
				return err
			}
			_ = resp.Body.Close()
		}
		return nil
	})
	var ev events.SQSEvent
	for i := range 5 {
		ev.Records = append(ev.Records, events.SQSMessage{MessageId: fmt.Sprint(i), Body: fmt.Sprintf(`{"trace":%q}`, apiTrace)})
	}
	raw, _ := json.Marshal(ev)
	if _, err := h(lambdaCtx(pollTrace), raw); err != nil {
		t.Fatal(err)
	}
	docs, _ := d.drain(t)
	ids := map[string]bool{}
	for _, s := range docs {
		if ids[s.ID] || len(s.Subsegments) != 0 {
			t.Errorf("segment %s %s came twice or held back its calls", s.Name, s.ID)
		}
		ids[s.ID] = true
	}
	if len(ids) != 105 {
		t.Errorf("%d segments, want 5 messages and 100 calls", len(ids))
	}
}

func TestUnsampledTracesSendNothingAndStayUnsampled(t *testing.T) {
	d := startDaemon(t)
	ctx := trace.Invocation(lambdaCtx("Root=" + apiRoot + ";Parent=53995c3f42cd8ad8;Sampled=0"))
	header := trace.Header(ctx)
	if header != "Root="+apiRoot+";Parent=53995c3f42cd8ad8;Sampled=0" {
		t.Errorf("header %q", header)
	}
	ctx, end := trace.Resume(trace.Invocation(lambdaCtx(pollTrace)), header, "price-sync")
	amazon := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer amazon.Close()
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, amazon.URL, nil)
	resp, err := trace.RoundTripper(http.DefaultTransport).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if next := trace.Header(ctx); !strings.HasPrefix(next, "Root="+apiRoot) || !strings.HasSuffix(next, "Sampled=0") {
		t.Errorf("the next message would carry %q", next)
	}
	end(nil)
	if docs, raw := d.drain(t); len(docs) != 0 {
		t.Errorf("sent %s", raw)
	}
}

func TestWithoutADaemonTheTraceIDStillTravels(t *testing.T) {
	if err := trace.Use(""); err != nil {
		t.Fatal(err)
	}
	cfg := aws.Config{}
	if trace.Instrument(&cfg); len(cfg.APIOptions) != 0 {
		t.Error("calls are instrumented for nobody")
	}
	ctx := trace.Invocation(lambdaCtx(apiTrace))
	header := trace.Header(ctx)
	if header != "Root="+apiRoot+";Parent=53995c3f42cd8ad8;Sampled=1" {
		t.Errorf("header %q", header)
	}
	ctx, end := trace.Resume(trace.Invocation(lambdaCtx(pollTrace)), header, "price-sync")
	if trace.Header(ctx) != header {
		t.Errorf("the next message would carry %q", trace.Header(ctx))
	}
	end(errors.New("x"))
}

func TestAHeaderFromAMessageIsNotTrusted(t *testing.T) {
	for _, h := range []string{"", "x", "Root=Atza|CANARY", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=CANARY"} {
		ctx, end := trace.Resume(trace.Invocation(lambdaCtx(pollTrace)), h, "price-sync")
		if got := trace.Header(ctx); !strings.HasPrefix(got, "Root=1-5759e999-") {
			t.Errorf("%q led to %q", h, got)
		}
		end(nil)
	}
}

func TestABadDaemonAddressIsAnErrorAtStart(t *testing.T) {
	if err := trace.Use("nonsense"); err == nil {
		t.Error("taken")
	}
}
