package store_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"pricemanager/internal/store/sqs"
	"pricemanager/internal/store/storetest"
)

func TestSQSOnTheLocalAWSKeepsThePromisesOfQueue(t *testing.T) {
	t.Parallel()
	client := awssqs.NewFromConfig(cloudConfig(t))
	url := newQueue(t, client, "suite")
	storetest.Queue(t, sqs.New(client, url), func(t *testing.T) [][]byte {
		var bodies [][]byte
		for _, m := range receive(t, client, url) {
			bodies = append(bodies, []byte(*m.Body))
		}
		return bodies
	})
}

func TestATraceTravelsWithTheMessage(t *testing.T) {
	t.Parallel()
	client := awssqs.NewFromConfig(cloudConfig(t))
	url := newQueue(t, client, "trace")
	type traced struct{}
	q := sqs.New(client, url, sqs.WithTrace(func(ctx context.Context) string {
		header, _ := ctx.Value(traced{}).(string)
		return header
	}))
	const header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
	if err := q.Send(context.WithValue(t.Context(), traced{}, header), []byte(`"with"`), 0); err != nil {
		t.Fatal(err)
	}
	if err := q.Send(t.Context(), []byte(`"without"`), 0); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, m := range receive(t, client, url) {
		got[*m.Body] = m.Attributes[string(types.MessageSystemAttributeNameAWSTraceHeader)]
	}
	if len(got) != 2 || got[`"with"`] != header || got[`"without"`] != "" {
		t.Errorf("received the trace headers %q", got)
	}
}

func newQueue(t *testing.T, client *awssqs.Client, name string) string {
	t.Helper()
	out, err := client.CreateQueue(t.Context(), &awssqs.CreateQueueInput{QueueName: aws.String(name)})
	if err != nil {
		t.Fatal(err)
	}
	return *out.QueueUrl
}

// receive takes what is visible off the queue.
func receive(t *testing.T, client *awssqs.Client, url string) []types.Message {
	t.Helper()
	var all []types.Message
	for {
		out, err := client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{
			QueueUrl: &url, MaxNumberOfMessages: 10,
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Messages) == 0 {
			return all
		}
		for _, m := range out.Messages {
			all = append(all, m)
			if _, err := client.DeleteMessage(t.Context(), &awssqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle}); err != nil {
				t.Fatal(err)
			}
		}
	}
}
