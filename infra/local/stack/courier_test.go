package stack

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"pricemanager/infra/local/localaws"
)

func TestTheCourierDeliversInOrderAndAgainUntilItCan(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a local AWS; left out by -short")
	}
	sent := []string{
		`{"seq":1,"type":"FEED_PROCESSING_FINISHED","destination":{"sqs":{"arn":"arn:aws:sqs:eu-central-1:000000000000:late"}},"body":{"n":1}}`,
		`{"seq":2,"type":"APPLICATION_OAUTH_CLIENT_SECRET_EXPIRY","destination":{},"body":{"n":2}}`,
	}
	amazon := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		after, err := strconv.Atoi(r.URL.Query().Get("after"))
		if err != nil || r.URL.Path != "/_fake/notifications" {
			t.Errorf("asked %s", r.URL)
		}
		fmt.Fprintf(w, "[%s]", strings.Join(sent[after:], ","))
	}))
	t.Cleanup(amazon.Close)
	var log bytes.Buffer
	cloud, err := localaws.Start(t.Context(), localaws.Options{Log: &log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cloud.Close() })
	s := &Stack{cloud: cloud, AdminURL: amazon.URL + "/_fake"}
	queues := sqs.NewFromConfig(s.Config())
	queue := func(name string) *string {
		t.Helper()
		out, err := queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(name)})
		if err != nil {
			t.Fatal(err)
		}
		return out.QueueUrl
	}
	holds := func(url *string, want ...string) {
		t.Helper()
		out, err := queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 10})
		if err != nil || len(out.Messages) != len(want) {
			t.Fatalf("%d messages, %v; want %v", len(out.Messages), err, want)
		}
		for i, m := range out.Messages {
			if aws.ToString(m.Body) != want[i] {
				t.Errorf("got %s, want %s", aws.ToString(m.Body), want[i])
			}
		}
	}
	own := queue("own")
	s.Outputs = map[string]string{"AmazonNotificationsQueueUrl": *own}
	c := &courier{stack: s}
	if err := c.round(t.Context()); err == nil || !strings.Contains(err.Error(), "FEED_PROCESSING_FINISHED") {
		t.Errorf("a queue that is not there: %v", err)
	}
	holds(own) // not before the one that came first
	late := queue("late")
	for range 2 {
		if err := c.round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	holds(late, `{"n":1}`)
	holds(own, `{"n":2}`)
}
