package product_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// alarm breaks token-broker, has price-sync need it, and waits for the message
// that operators would get. The errors are those that the local AWS counts
// itself, as AWS does.
//
// What the local AWS cannot show: it counts only invocations through the Lambda
// API, not those by queues, streams and API Gateway; it looks at alarms when
// somebody puts a metric, not by itself; and it ignores an alarm's dimensions,
// so that the errors alarms of all functions go off together.
func alarm(t *testing.T, r *rig) {
	s := r.seller(t, "alarmed", 3)
	box := r.operators(t)
	if early := box.alarms(t); len(early) != 0 {
		t.Fatalf("%v went off with nothing broken", early)
	}
	repair := r.breakDown(t, "token-broker")
	r.forgetTokens(t)
	batch := s.change(t, "20.70")
	eventually(t, 30*time.Second, "the operators are told that token-broker fails", func() bool {
		for _, a := range box.alarms(t) {
			if a.AlarmName == "pm-local-token-broker-errors" && a.Trigger.MetricName == "Errors" {
				return true
			}
		}
		return false
	})
	repair()
	s.isObserved(t, batch, "20.70")
}

// mailbox is a queue that is subscribed to the alarm topic.
type mailbox struct {
	r     *rig
	queue string
}

// operators subscribes to the alarms.
func (r *rig) operators(t *testing.T) mailbox {
	t.Helper()
	queues := sqs.NewFromConfig(r.Config())
	q, err := queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("operators")})
	if err != nil {
		t.Fatal(err)
	}
	about, err := queues.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: q.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameQueueArn},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = sns.NewFromConfig(r.Config()).Subscribe(t.Context(), &sns.SubscribeInput{
		TopicArn: aws.String(r.Outputs["AlarmTopicArn"]), Protocol: aws.String("sqs"),
		Endpoint: aws.String(about.Attributes[string(sqstypes.QueueAttributeNameQueueArn)]),
	})
	if err != nil {
		t.Fatal(err)
	}
	return mailbox{r, aws.ToString(q.QueueUrl)}
}

// notification is what CloudWatch tells about an alarm.
type notification struct {
	AlarmName     string
	NewStateValue string
	Trigger       struct{ MetricName, Namespace string }
}

// alarms has the local AWS look at its alarms and returns those that went off
// since the last time.
func (m mailbox) alarms(t *testing.T) (all []notification) {
	t.Helper()
	// Any metric will do: this one belongs to no alarm.
	_, err := cloudwatch.NewFromConfig(m.r.Config()).PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{
		Namespace: aws.String("test"), MetricData: []cwtypes.MetricDatum{{MetricName: aws.String("tick"), Value: aws.Float64(1)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	queues := sqs.NewFromConfig(m.r.Config())
	for {
		out, err := queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: aws.String(m.queue), MaxNumberOfMessages: 10})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Messages) == 0 {
			return all
		}
		for _, message := range out.Messages {
			envelope := decode[struct{ Message string }](t, "notification", []byte(aws.ToString(message.Body)))
			n := decode[notification](t, "alarm", []byte(envelope.Message))
			if n.NewStateValue == "ALARM" { // the others say that all is well
				all = append(all, n)
			}
		}
	}
}
