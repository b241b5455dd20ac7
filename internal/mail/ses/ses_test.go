package ses_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sesv2/types"
	"github.com/aws/smithy-go"

	"pricemanager/internal/mail"
	"pricemanager/internal/mail/ses"
	"pricemanager/internal/personal"
)

type api struct {
	in  *sesv2.SendEmailInput
	err error
}

func (a *api) SendEmail(_ context.Context, in *sesv2.SendEmailInput, _ ...func(*sesv2.Options)) (*sesv2.SendEmailOutput, error) {
	a.in = in
	return &sesv2.SendEmailOutput{}, a.err
}

func message() mail.Message {
	return mail.Message{To: personal.New("karla@example.com"), Subject: "Ihr Code", Body: personal.New("Ihr Code ist 123456."), Once: "ticket-1"}
}

func TestAMailIsTextToOnePersonByAMachine(t *testing.T) {
	t.Parallel()
	a := &api{}
	if err := ses.New(a, "no-reply@pricemanager.example").Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	m := a.in.Content.Simple
	if to := a.in.Destination; strings.Join(to.ToAddresses, ",") != "karla@example.com" || to.BccAddresses != nil || to.CcAddresses != nil {
		t.Errorf("to %+v", to)
	}
	if *a.in.FromEmailAddress != "no-reply@pricemanager.example" || *m.Subject.Data != "Ihr Code" || *m.Body.Text.Data != "Ihr Code ist 123456." || m.Body.Html != nil ||
		*m.Body.Text.Charset != "UTF-8" || len(m.Headers) != 1 || *m.Headers[0].Name != "Auto-Submitted" || *m.Headers[0].Value != "auto-generated" {
		t.Errorf("sent %+v", m)
	}
}

func TestAFailureNamesNobody(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		&types.MessageRejected{Message: aws.String("Email address is not verified: karla@example.com")},
		&smithy.OperationError{ServiceID: "SESv2", OperationName: "SendEmail", Err: &types.BadRequestException{Message: aws.String("karla@example.com, 123456")}},
		context.DeadlineExceeded,
	} {
		got := ses.New(&api{err: err}, "no-reply@pricemanager.example").Send(t.Context(), message())
		if got == nil || strings.Contains(got.Error(), "karla") || strings.Contains(got.Error(), "123456") || !strings.Contains(got.Error(), "ticket-1") {
			t.Errorf("%v", got)
		}
		if errors.Is(err, context.DeadlineExceeded) && !errors.Is(got, err) {
			t.Errorf("%v does not say why", got)
		}
	}
}
