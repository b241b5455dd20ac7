package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"pricemanager/internal/clock"
)

// notification is one that the fake Amazon has sent, as its control panel tells.
type notification struct {
	Seq         int64
	Type        string
	Destination struct {
		SQS         *struct{ ARN string }
		EventBridge *struct{ Name, Region, AccountID string }
	}
	Body json.RawMessage
}

// courierEvery is how often the courier looks for notifications.
const courierEvery = 500 * time.Millisecond

// courier carries notifications from the fake Amazon to the local AWS: to the
// queues that they are for, and those for EventBridge straight to the function
// behind the rule, since the local EventBridge takes no events of partners.
// What cannot be delivered is tried again, in order.
type courier struct {
	stack *Stack
	log   io.Writer
	after int64 // delivered up to here
}

// startCourier lets a courier run until the stack closes.
func (s *Stack) startCourier(log io.Writer) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		(&courier{stack: s, log: log}).run(ctx)
	}()
	s.cleanup = append(s.cleanup, func() error { cancel(); <-done; return nil })
}

func (c *courier) run(ctx context.Context) {
	told := ""
	for (clock.Real{}).Sleep(ctx, courierEvery) == nil {
		err := c.round(ctx)
		switch {
		case err == nil:
			told = ""
		case ctx.Err() == nil && err.Error() != told: // once, not twice a second
			told = err.Error()
			fmt.Fprintf(c.log, "courier of Amazon's notifications: %v\n", err)
		}
	}
}

func (c *courier) round(ctx context.Context) error {
	text, err := c.stack.fetch(ctx, http.MethodGet, fmt.Sprintf("%s/notifications?after=%d", c.stack.AdminURL, c.after))
	if err != nil {
		return err
	}
	var list []notification
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	for _, n := range list {
		if err := c.deliver(ctx, n); err != nil {
			return fmt.Errorf("%s: %w", n.Type, err)
		}
		c.after = n.Seq
	}
	return nil
}

func (c *courier) deliver(ctx context.Context, n notification) error {
	if n.Destination.EventBridge != nil {
		return c.invoke(ctx, n)
	}
	queues := sqs.NewFromConfig(c.stack.Config())
	// About the application itself: to the queue that an operator registers.
	url := aws.String(c.stack.Outputs["AmazonNotificationsQueueUrl"])
	if to := n.Destination.SQS; to != nil {
		out, err := queues.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String(to.ARN[strings.LastIndexByte(to.ARN, ':')+1:])})
		if err != nil {
			return err
		}
		url = out.QueueUrl
	}
	_, err := queues.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String(string(n.Body))})
	return err
}

// invoke calls amazon-events with what EventBridge would make of a notification.
func (c *courier) invoke(ctx context.Context, n notification) error {
	bus := n.Destination.EventBridge
	event, err := json.Marshal(map[string]any{
		"version": "0", "id": fmt.Sprintf("00000000-0000-4000-8000-%012d", n.Seq), "detail-type": n.Type, "source": bus.Name,
		"account": bus.AccountID, "time": time.Now().UTC().Format(time.RFC3339), "region": bus.Region, "resources": []string{}, "detail": n.Body,
	})
	if err != nil {
		return err
	}
	out, err := lambda.NewFromConfig(c.stack.Config()).Invoke(ctx, &lambda.InvokeInput{
		FunctionName: aws.String(c.stack.Function("amazon-events")), InvocationType: lambdatypes.InvocationTypeEvent, Payload: event,
	})
	if err == nil && out.StatusCode/100 != 2 {
		err = errors.New("the function was not invoked")
	}
	return err
}
