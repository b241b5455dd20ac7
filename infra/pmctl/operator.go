package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"pricemanager/internal/store/awshttp"
	"pricemanager/internal/tenant"
	"pricemanager/internal/web"
)

// operatorCommands let an operator look into a company. They work with the AWS
// credentials of whoever calls them, who has to have taken on the stack's role
// "operator"; the function account decides, tells the company, and says what came of
// it.
func operatorCommands() []command {
	return []command{
		{
			name: "operator enter", usage: "TENANT --stage STAGE --operator NAME [--grant ID | --emergency REASON]",
			about: "look into a company that lets you, or, telling its owners, in an emergency; prints the session's cookie",
			run: func(ctx context.Context, args []string, out io.Writer) error {
				return runOperator(ctx, "operator-enter", args, out)
			},
		},
		{
			name: "operator leave", usage: "TENANT SESSION --stage STAGE --operator NAME",
			about: "end your session in a company",
			run: func(ctx context.Context, args []string, out io.Writer) error {
				return runOperator(ctx, "operator-leave", args, out)
			},
		},
	}
}

// visit is what the function is asked.
type visit struct {
	Job       string    `json:"job"`
	Tenant    tenant.ID `json:"tenant"`
	Operator  string    `json:"operator"`
	Grant     string    `json:"grant,omitempty"`
	Emergency string    `json:"emergency,omitempty"`
	Session   string    `json:"session,omitempty"`
}

// invoker calls a function and returns its answer.
type invoker func(ctx context.Context, payload []byte) ([]byte, error)

func runOperator(ctx context.Context, job string, args []string, out io.Writer) error {
	v, stage, err := readVisit(job, args)
	if err != nil {
		return err
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	cfg.HTTPClient = awshttp.Wrap(cfg.HTTPClient)
	// One attempt: a second one would be a second visit, and a second alarm for owners.
	cfg.RetryMaxAttempts = 1
	client := lambda.NewFromConfig(cfg)
	return v.do(ctx, func(ctx context.Context, payload []byte) ([]byte, error) {
		res, err := client.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("pm-" + stage + "-account"), Payload: payload})
		if err != nil {
			return nil, err
		}
		if res.FunctionError != nil {
			return nil, functionError(res.Payload)
		}
		return res.Payload, nil
	}, out)
}

// functionError is what a function said of its failure.
func functionError(payload []byte) error {
	var said struct{ ErrorMessage string }
	if err := json.Unmarshal(payload, &said); err != nil || said.ErrorMessage == "" {
		return errors.New("the function failed and did not say why")
	}
	return errors.New(said.ErrorMessage)
}

func readVisit(job string, args []string) (v visit, stage string, err error) {
	f := newFlags("operator")
	v.Job = job
	f.StringVar(&stage, "stage", "", "")
	f.StringVar(&v.Operator, "operator", "", "")
	if job == "operator-enter" {
		f.StringVar(&v.Grant, "grant", "", "")
		f.StringVar(&v.Emergency, "emergency", "", "")
	}
	operands, err := parse(f, args)
	if err != nil {
		return v, "", err
	}
	want := map[string]int{"operator-enter": 1, "operator-leave": 2}[job]
	if len(operands) != want || stage == "" || v.Operator == "" || v.Grant != "" && v.Emergency != "" {
		return v, "", errors.New("give the tenant (and the session that you leave), --stage and --operator; of --grant and --emergency one at most")
	}
	if want == 2 {
		v.Session = operands[1]
	}
	v.Tenant, err = tenant.Parse(operands[0])
	return v, stage, err
}

func (v visit) do(ctx context.Context, call invoker, out io.Writer) error {
	payload, err := json.Marshal(v)
	if err != nil {
		return err
	}
	body, err := call(ctx, payload)
	if err != nil {
		return err
	}
	var said struct {
		Session, Cookie string
		Until           time.Time
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return fmt.Errorf("the function's answer: %w", err)
	}
	if v.Job == "operator-leave" {
		fmt.Fprintf(out, "left: session %s of %s ended\n", v.Session, v.Tenant)
		return nil
	}
	if said.Session == "" || said.Cookie == "" {
		return errors.New("the function let nobody in and did not say why")
	}
	fmt.Fprintf(out, "in: session %s of %s until %s; the company sees it\n%s=%s\n", said.Session, v.Tenant, said.Until.Format(time.RFC3339), web.SessionCookie, said.Cookie)
	return nil
}
