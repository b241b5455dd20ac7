package template_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"pricemanager/infra/local/deploy"
	"pricemanager/infra/local/localaws"
)

// patience bounds every wait for something that the local AWS does by itself.
const patience = 60 * time.Second

// deployed is the template on a local AWS, with every function replaced by the
// probe: what triggers what can be seen without any of the product's code.
type deployed struct {
	cfg      aws.Config
	endpoint string
	outputs  map[string]string

	mu     sync.Mutex
	events map[string][]json.RawMessage // by function
	wake   chan struct{}
	answer map[string]func(json.RawMessage) (int, string)
}

func deployProbes(t *testing.T) *deployed {
	t.Helper()
	d := &deployed{
		events: map[string][]json.RawMessage{}, wake: make(chan struct{}),
		answer: map[string]func(json.RawMessage) (int, string){},
	}
	remote := httptest.NewServer(d)
	t.Cleanup(remote.Close)
	tpl := parse(t)
	bin := filepath.Join(t.TempDir(), "probe")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", bin, "./probe").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	probe, err := deploy.Pack(bin)
	if err != nil {
		t.Fatal(err)
	}
	archives := map[string]deploy.Archive{}
	for _, f := range tpl.Functions() {
		archives[f.ID] = probe
	}
	var log bytes.Buffer
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("local AWS:\n%s", log.String())
		}
	})
	cloud, err := localaws.Start(t.Context(), localaws.Options{Log: &log, Env: []string{"PROBE_URL=" + remote.URL}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	d.endpoint = cloud.Endpoint()
	if d.cfg, err = cloud.Config(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.outputs, err = deploy.Deploy(t.Context(), d.cfg, deploy.Stack{
		Name: "pm-local", Bucket: "pm-code", Template: tpl, Archives: archives,
		Parameters: map[string]string{"Stage": "local", "PublicUrl": "http://localhost:8080", "ApplicationId": "amzn1.sellerapps.app.0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func parse(t *testing.T) *deploy.Template {
	t.Helper()
	root, err := localaws.ProjectRoot()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	tpl, err := deploy.ParseTemplate(text)
	if err != nil {
		t.Fatal(err)
	}
	return tpl
}

// ServeHTTP takes the events that probes hand over.
func (d *deployed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	event, _ := io.ReadAll(r.Body)
	name := strings.TrimPrefix(path.Base(r.URL.Path), "pm-local-")
	d.mu.Lock()
	d.events[name] = append(d.events[name], event)
	close(d.wake)
	d.wake = make(chan struct{})
	answer := d.answer[name]
	d.mu.Unlock()
	status, body := http.StatusOK, fmt.Sprintf(`{"statusCode":200,"body":%q,"batchItemFailures":[]}`, name)
	if answer != nil {
		status, body = answer(event)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// waitFor returns the first event of a function that ok accepts.
func (d *deployed) waitFor(t *testing.T, function string, ok func(event string) bool) string {
	t.Helper()
	late := time.After(patience)
	for {
		d.mu.Lock()
		wake := d.wake
		for _, e := range d.events[function] {
			if ok(string(e)) {
				d.mu.Unlock()
				return string(e)
			}
		}
		seen := len(d.events[function])
		d.mu.Unlock()
		select {
		case <-wake:
		case <-late:
			t.Fatalf("%s was never called as expected (%d other calls)", function, seen)
		}
	}
}

func (d *deployed) call(t *testing.T, method, path string, body io.Reader) (int, string) {
	t.Helper()
	res, text := d.ask(t, method, path, body)
	return res.StatusCode, text
}

func (d *deployed) ask(t *testing.T, method, path string, body io.Reader) (*http.Response, string) {
	t.Helper()
	url := d.endpoint + "/restapis/" + d.outputs["ApiId"] + "/local/_user_request_" + path
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "text/csv")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

func TestTheDeployedTemplateWorks(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("deploys to a local AWS; left out by -short")
	}
	d := deployProbes(t)
	t.Run("every route reaches its function and no other path does", d.routes)
	t.Run("a file arrives byte for byte", d.bytes)
	t.Run("a doorbell starts price-sync and a hopeless one ends in the dead letters", d.doorbell)
	t.Run("a privacy request starts gdpr-export", d.privacy)
	t.Run("a notification of Amazon starts amazon-events", d.notification)
	t.Run("changes of streamed tables start audit-stream, others do not", d.streams)
	t.Run("an alarm tells the topic when it begins and when it is over", d.alarms)
	t.Run("token-broker answers a direct call", d.broker)
}

func (d *deployed) routes(t *testing.T) {
	for _, r := range routes() {
		status, body := d.call(t, r.method, strings.ReplaceAll(r.path, "{id}", "x_1"), nil)
		if status != http.StatusOK || body != r.function {
			t.Errorf("%s %s answered %d %q, want %s", r.method, r.path, status, body, r.function)
		}
	}
	for _, r := range []route{{"DELETE", "/connections", ""}, {"GET", "/nothing", ""}, {"POST", "/health", ""}} {
		res, body := d.ask(t, r.method, r.path, nil)
		if res.StatusCode != http.StatusNotFound || !strings.Contains(body, `"type":"/problems/not-found"`) {
			t.Errorf("%s %s answered %d %q, want 404 from the gateway", r.method, r.path, res.StatusCode, body)
		}
		for name, want := range answered(t) {
			if got := res.Header.Get(name); got != want && name != "Content-Security-Policy" {
				t.Errorf("%s %s came with %s: %q, want %q", r.method, r.path, name, got, want)
			}
		}
	}
}

func (d *deployed) bytes(t *testing.T) {
	content := []byte{0x1f, 0x8b, 0x00, 0xff, 0xfe, '\r', '\n', 0xe4}
	if status, body := d.call(t, "POST", "/plans?file=a.csv.gz", bytes.NewReader(content)); status != http.StatusOK {
		t.Fatalf("upload answered %d %s", status, body)
	}
	got := d.waitFor(t, "price-upload", func(e string) bool { return strings.Contains(e, "a.csv.gz") })
	var event struct {
		Body            []byte
		IsBase64Encoded bool
	}
	if err := json.Unmarshal([]byte(got), &event); err != nil {
		t.Fatal(err)
	}
	if !event.IsBase64Encoded || !bytes.Equal(event.Body, content) {
		t.Errorf("the function got %x (base64 %t), sent %x", event.Body, event.IsBase64Encoded, content)
	}
}

func (d *deployed) doorbell(t *testing.T) {
	client := sqs.NewFromConfig(d.cfg)
	d.mu.Lock()
	d.answer["price-sync"] = func(e json.RawMessage) (int, string) {
		var batch struct {
			Records []struct{ MessageID, Body string }
		}
		if err := json.Unmarshal(e, &batch); err != nil {
			return http.StatusInternalServerError, err.Error()
		}
		failures := []string{}
		for _, r := range batch.Records {
			if strings.Contains(r.Body, "hopeless") {
				failures = append(failures, fmt.Sprintf(`{"itemIdentifier":%q}`, r.MessageID))
			}
		}
		return http.StatusOK, `{"batchItemFailures":[` + strings.Join(failures, ",") + `]}`
	}
	d.mu.Unlock()
	// What a message has to wait for in life, six times the timeout, is taken
	// out of this test; that it is configured so is another test's matter.
	if _, err := client.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{
		QueueUrl: aws.String(d.outputs["DoorbellQueueUrl"]), Attributes: map[string]string{"VisibilityTimeout": "0"},
	}); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"lane", "hopeless"} {
		d.send(t, "DoorbellQueueUrl", `{"kind":"`+kind+`"}`)
	}
	d.waitFor(t, "price-sync", func(e string) bool { return strings.Contains(e, `lane`) })
	d.receive(t, d.outputs["DoorbellDeadLettersUrl"], "hopeless")
}

func (d *deployed) privacy(t *testing.T) {
	d.send(t, "PrivacyQueueUrl", `{"kind":"export","tenant":"t_1"}`)
	d.waitFor(t, "gdpr-export", func(e string) bool { return strings.Contains(e, `aws:sqs`) && strings.Contains(e, `t_1`) })
}

func (d *deployed) notification(t *testing.T) {
	d.send(t, "AmazonNotificationsQueueUrl", `{"notificationType":"FEED_PROCESSING_FINISHED","payload":{}}`)
	d.waitFor(t, "amazon-events", func(e string) bool {
		return strings.Contains(e, `aws:sqs`) && strings.Contains(e, `FEED_PROCESSING_FINISHED`)
	})
}

func (d *deployed) streams(t *testing.T) {
	db := dynamodb.NewFromConfig(d.cfg)
	put := func(table, mark string) {
		t.Helper()
		item := map[string]dynamotypes.AttributeValue{
			"pk": &dynamotypes.AttributeValueMemberS{Value: mark}, "sk": &dynamotypes.AttributeValueMemberS{Value: "1"},
		}
		if _, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(d.outputs[table]), Item: item}); err != nil {
			t.Fatal(err)
		}
	}
	put("LedgerTableName", "unheard-ledger")
	put("KeysTableName", "unheard-keys")
	for _, table := range []string{"Offers", "Identity", "Connections", "Privacy"} {
		put(table+"TableName", "heard-"+table)
		d.waitFor(t, "audit-stream", func(e string) bool { return strings.Contains(e, "heard-"+table) && strings.Contains(e, "NewImage") })
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.events["audit-stream"] {
		if strings.Contains(string(e), "unheard") {
			t.Errorf("audit-stream saw a change of a table it must not read: %s", e)
		}
	}
}

func (d *deployed) alarms(t *testing.T) {
	client, topics := cloudwatch.NewFromConfig(d.cfg), sns.NewFromConfig(d.cfg)
	queues := sqs.NewFromConfig(d.cfg)
	q, err := queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("on-call")})
	if err != nil {
		t.Fatal(err)
	}
	arn, err := queues.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: q.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{"QueueArn"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := topics.Subscribe(t.Context(), &sns.SubscribeInput{
		TopicArn: aws.String(d.outputs["AlarmTopicArn"]), Protocol: aws.String("sqs"), Endpoint: aws.String(arn.Attributes["QueueArn"]),
	}); err != nil {
		t.Fatal(err)
	}
	report := func(visible float64) {
		t.Helper()
		if _, err := client.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{
			Namespace: aws.String("AWS/SQS"),
			MetricData: []cwtypes.MetricDatum{{
				MetricName: aws.String("ApproximateNumberOfMessagesVisible"), Value: aws.Float64(visible),
				Dimensions: []cwtypes.Dimension{{Name: aws.String("QueueName"), Value: aws.String("pm-local-doorbell-dead-letters")}},
			}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	report(1)
	d.receive(t, *q.QueueUrl, `\"NewStateValue\": \"ALARM\"`, "pm-local-doorbell-dead-letters", "Runbook: dead-letters-doorbell")
	if _, err := client.SetAlarmState(t.Context(), &cloudwatch.SetAlarmStateInput{
		AlarmName: aws.String("pm-local-doorbell-dead-letters"), StateValue: cwtypes.StateValueOk, StateReason: aws.String("looked at"),
	}); err != nil {
		t.Fatal(err)
	}
	d.receive(t, *q.QueueUrl, `\"NewStateValue\": \"OK\"`, "pm-local-doorbell-dead-letters", "looked at")
}

func (d *deployed) broker(t *testing.T) {
	out, err := lambda.NewFromConfig(d.cfg).Invoke(t.Context(), &lambda.InvokeInput{
		FunctionName: aws.String("pm-local-token-broker"), Payload: []byte(`{"op":"access"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	if out.FunctionError != nil || !strings.Contains(string(out.Payload), "token-broker") {
		t.Errorf("token-broker answered %s (error %v)", out.Payload, aws.ToString(out.FunctionError))
	}
}

func (d *deployed) send(t *testing.T, output, body string) {
	t.Helper()
	if _, err := sqs.NewFromConfig(d.cfg).SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: aws.String(d.outputs[output]), MessageBody: aws.String(body),
	}); err != nil {
		t.Fatal(err)
	}
}

// receive waits for a message that has all the marks and takes everything it
// sees off the queue.
func (d *deployed) receive(t *testing.T, url string, marks ...string) {
	t.Helper()
	client := sqs.NewFromConfig(d.cfg)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var others []string
	for {
		out, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 1, WaitTimeSeconds: 20})
		if err != nil {
			t.Fatalf("%s never got a message with %q, only %q: %v", url, marks, others, err)
		}
		for _, m := range out.Messages {
			if _, err := client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle}); err != nil {
				t.Fatal(err)
			}
			body := aws.ToString(m.Body)
			if !slices.ContainsFunc(marks, func(mark string) bool { return !strings.Contains(body, mark) }) {
				return
			}
			others = append(others, body)
		}
	}
}
