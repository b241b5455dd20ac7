package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"pricemanager/internal/runtime/logs"
	"pricemanager/internal/runtime/trace"
)

// Handler answers one invocation: raw JSON in, raw JSON out.
type Handler func(ctx context.Context, event json.RawMessage) (json.RawMessage, error)

// JSON makes a Handler of a function over typed events, such as
// web.Router.Lambda or a handler of DynamoDB stream events.
func JSON[In, Out any](h func(context.Context, In) (Out, error)) Handler {
	return func(ctx context.Context, event json.RawMessage) (json.RawMessage, error) {
		var in In
		if err := json.Unmarshal(event, &in); err != nil {
			return nil, fmt.Errorf("runtime: the event is not what this function takes: %w", err)
		}
		out, err := h(ctx, in)
		if err != nil {
			return nil, err
		}
		return json.Marshal(out)
	}
}

// Start serves invocations until the process ends. flush runs when Lambda
// ends it (SIGTERM, half a second before SIGKILL), in order.
func (a *App) Start(h Handler, flush ...func()) {
	h = a.guard(h)
	var opts []lambda.Option
	if a.Base.Stage == Local {
		// A local Lambda has no extension interface; without one the library logs
		// a warning at each start. It does send SIGTERM.
		go func() {
			ended := make(chan os.Signal, 1)
			signal.Notify(ended, syscall.SIGTERM)
			<-ended
			for _, f := range flush {
				f()
			}
			os.Exit(0)
		}()
	} else if len(flush) > 0 {
		opts = append(opts, lambda.WithEnableSIGTERM(flush...))
	}
	lambda.StartWithOptions(invoker(h), opts...)
}

type invoker Handler

var _ lambda.Handler = invoker(nil)

func (h invoker) Invoke(ctx context.Context, event []byte) ([]byte, error) { return h(ctx, event) }

// guard puts around each invocation what all need: the request and trace ids
// for the log and the trace, and a stop for panics. The error that goes back
// to Lambda is written to the log by the Lambda library and to X-Ray by Lambda,
// so it is redacted here.
func (a *App) guard(h Handler) Handler {
	return func(ctx context.Context, event json.RawMessage) (out json.RawMessage, err error) {
		if lc, ok := lambdacontext.FromContext(ctx); ok {
			ctx = logs.With(ctx, logs.Fields{RequestID: lc.AwsRequestID})
		}
		ctx = trace.Invocation(ctx)
		defer func() {
			if v := recover(); v != nil {
				a.Log.ErrorContext(ctx, "invocation panicked", "cause", fmt.Sprint(v), "stack", string(debug.Stack()))
				out, err = nil, errors.New("panic: the log has the details")
			} else if err != nil {
				a.Log.ErrorContext(ctx, "invocation failed", "cause", err)
				out, err = nil, errors.New(logs.Redact(err.Error()))
			}
		}()
		return h(ctx, event)
	}
}
