// Package ses is a mail.Sender by Amazon SES. Each message goes out as plain text, to
// one address, marked as written by a machine, so that no holiday note answers it.
//
// It relies on the SDK's retries: a message may go out twice. What is left after them
// comes back with the API's error code and not its text, which quotes addresses.
package ses

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sesv2/types"
	"github.com/aws/smithy-go"

	"pricemanager/internal/mail"
)

// API is the part of the SDK's client that is used.
type API interface {
	SendEmail(context.Context, *sesv2.SendEmailInput, ...func(*sesv2.Options)) (*sesv2.SendEmailOutput, error)
}

var _ API = (*sesv2.Client)(nil)

// Sender sends by SES.
type Sender struct {
	api  API
	from string
}

var _ mail.Sender = (*Sender)(nil)

// New returns a Sender; from is an address of an identity that SES has verified.
func New(api API, from string) *Sender { return &Sender{api: api, from: from} }

// Send hands a message to SES.
func (s *Sender) Send(ctx context.Context, m mail.Message) error {
	text := func(s string) *types.Content { return &types.Content{Data: &s, Charset: aws.String("UTF-8")} }
	_, err := s.api.SendEmail(ctx, &sesv2.SendEmailInput{
		FromEmailAddress: &s.from,
		Destination:      &types.Destination{ToAddresses: []string{m.To.Reveal()}},
		Content: &types.EmailContent{Simple: &types.Message{
			Subject: text(m.Subject),
			Body:    &types.Body{Text: text(m.Body.Reveal())},
			// RFC 3834 section 5.
			Headers: []types.MessageHeader{{Name: aws.String("Auto-Submitted"), Value: aws.String("auto-generated")}},
		}},
	})
	if err == nil {
		return nil
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		return fmt.Errorf("mail: ses: %s: message %q: %s", api.ErrorCode(), m.Once, api.ErrorFault())
	}
	return fmt.Errorf("mail: ses: message %q: %w", m.Once, err)
}
