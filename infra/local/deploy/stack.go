package deploy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"

	"pricemanager/internal/clock"
)

// Stack says what to deploy.
type Stack struct {
	Name       string
	Template   *Template
	Archives   map[string]Archive // by logical id, as Build returns them
	Parameters map[string]string
	Bucket     string // for code and template; made when it is missing
}

// pollEvery is how often CloudFormation is asked how far it is.
const pollEvery = 50 * time.Millisecond

// Deploy creates the stack on a local AWS, or updates it when it exists, waits
// for the end and returns the stack's outputs.
func Deploy(ctx context.Context, cfg aws.Config, s Stack) (map[string]string, error) {
	b, err := openBucket(ctx, cfg, s.Bucket)
	if err != nil {
		return nil, err
	}
	if err := b.upload(ctx, s.Archives); err != nil {
		return nil, err
	}
	keys := make(map[string]string, len(s.Archives))
	for id, a := range s.Archives {
		keys[id] = a.Key
	}
	text, err := s.Template.WithCode(b.name, keys)
	if err != nil {
		return nil, err
	}
	// By URL: CloudFormation takes at most 51,200 bytes inside a request.
	key := s.Name + ".yaml"
	if err := b.put(ctx, key, text); err != nil {
		return nil, fmt.Errorf("deploy: upload template: %w", err)
	}
	url := strings.TrimSuffix(aws.ToString(cfg.BaseEndpoint), "/") + "/" + b.name + "/" + key
	d := deployment{client: cloudformation.NewFromConfig(cfg), stack: s, clock: clock.Real{}}
	outputs, err := d.run(ctx, url)
	if err != nil {
		return nil, err
	}
	if api, types := outputs["ApiId"], s.Template.binaryMediaTypes(); api != "" && len(types) > 0 {
		if err := setBinaryMediaTypes(ctx, cfg, api, types, d.clock.Now()); err != nil {
			return nil, err
		}
	}
	said, err := s.Template.gatewayResponses()
	if err != nil {
		return nil, err
	}
	if api := outputs["ApiId"]; api != "" && len(said) > 0 {
		if err := setGatewayResponses(ctx, cfg, api, s.Parameters["Stage"], said, d.clock.Now()); err != nil {
			return nil, err
		}
	}
	return outputs, nil
}

type deployment struct {
	client *cloudformation.Client
	stack  Stack
	clock  clock.Clock
}

func (d deployment) run(ctx context.Context, templateURL string) (map[string]string, error) {
	before, err := d.describe(ctx)
	if err != nil {
		return nil, err
	}
	began := d.clock.Now()
	changed := true
	switch {
	case before == nil:
		err = d.create(ctx, templateURL)
	case before.StackStatus == types.StackStatusRollbackComplete || before.StackStatus == types.StackStatusRollbackFailed:
		return nil, fmt.Errorf("deploy: stack %s never came up (%s): delete it, or start over with: make clean", d.stack.Name, before.StackStatus)
	default:
		changed, err = d.update(ctx, templateURL)
	}
	if err != nil {
		return nil, fmt.Errorf("deploy: stack %s: %w", d.stack.Name, err)
	}
	after, err := d.wait(ctx)
	if err != nil {
		return nil, err
	}
	if changed && after.StackStatus != types.StackStatusCreateComplete && after.StackStatus != types.StackStatusUpdateComplete {
		return nil, d.failure(ctx, after, began)
	}
	outputs := make(map[string]string, len(after.Outputs))
	for _, o := range after.Outputs {
		outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	return outputs, nil
}

func (d deployment) create(ctx context.Context, url string) error {
	_, err := d.client.CreateStack(ctx, &cloudformation.CreateStackInput{
		StackName: &d.stack.Name, TemplateURL: &url, Parameters: d.parameters(), Capabilities: capabilities(),
	})
	return err
}

// update reports whether there was anything to change.
func (d deployment) update(ctx context.Context, url string) (bool, error) {
	_, err := d.client.UpdateStack(ctx, &cloudformation.UpdateStackInput{
		StackName: &d.stack.Name, TemplateURL: &url, Parameters: d.parameters(), Capabilities: capabilities(),
	})
	if err != nil && strings.Contains(err.Error(), "No updates are to be performed") {
		return false, nil
	}
	return true, err
}

func (d deployment) parameters() []types.Parameter {
	var list []types.Parameter
	for _, name := range slices.Sorted(maps.Keys(d.stack.Parameters)) {
		list = append(list, types.Parameter{ParameterKey: aws.String(name), ParameterValue: aws.String(d.stack.Parameters[name])})
	}
	return list
}

// capabilities: the template names its roles and uses the SAM transform.
func capabilities() []types.Capability {
	return []types.Capability{types.CapabilityCapabilityNamedIam, types.CapabilityCapabilityAutoExpand}
}

// describe returns the stack, or nil when there is none.
func (d deployment) describe(ctx context.Context) (*types.Stack, error) {
	out, err := d.client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &d.stack.Name})
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "ValidationError" && strings.Contains(api.ErrorMessage(), "does not exist") {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("deploy: stack %s: %w", d.stack.Name, err)
	}
	return &out.Stacks[0], nil
}

// wait returns when CloudFormation is at rest.
func (d deployment) wait(ctx context.Context) (*types.Stack, error) {
	for {
		s, err := d.describe(ctx)
		if err != nil {
			return nil, err
		}
		if s == nil {
			return nil, fmt.Errorf("deploy: stack %s disappeared", d.stack.Name)
		}
		if !strings.HasSuffix(string(s.StackStatus), "_IN_PROGRESS") {
			return s, nil
		}
		if err := d.clock.Sleep(ctx, pollEvery); err != nil {
			return nil, fmt.Errorf("deploy: stack %s is still %s: %w", d.stack.Name, s.StackStatus, err)
		}
	}
}

// failure collects what went wrong since the deployment began.
func (d deployment) failure(ctx context.Context, s *types.Stack, since time.Time) error {
	var b strings.Builder
	fmt.Fprintf(&b, "deploy: stack %s ended as %s", d.stack.Name, s.StackStatus)
	if reason := aws.ToString(s.StackStatusReason); reason != "" {
		fmt.Fprintf(&b, ": %s", reason)
	}
	out, err := d.client.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: &d.stack.Name})
	if err != nil {
		return fmt.Errorf("%s (and its events cannot be read: %w)", b.String(), err)
	}
	for _, e := range slices.Backward(out.StackEvents) { // newest first
		failed := strings.HasSuffix(string(e.ResourceStatus), "_FAILED")
		// CloudFormation's clock may be a little behind ours.
		if failed && aws.ToTime(e.Timestamp).After(since.Add(-time.Minute)) {
			fmt.Fprintf(&b, "\n  %s (%s): %s", aws.ToString(e.LogicalResourceId), aws.ToString(e.ResourceType), aws.ToString(e.ResourceStatusReason))
		}
	}
	return errors.New(b.String())
}
