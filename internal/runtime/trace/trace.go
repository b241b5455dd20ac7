// Package trace follows one piece of work through the functions: from an API
// request through a queue message to a call to Amazon, as one X-Ray trace. It
// is the only package that knows the X-Ray SDK, which ends its support on
// 2027-02-25; replacing it means replacing this package.
//
// Tracing never fails the work: without a daemon (AWS_XRAY_DAEMON_ADDRESS is
// unset, as on a desk) nothing is recorded, sent or logged, and the trace id
// still travels in messages and log lines. A segment lost on its way (UDP) is
// lost. Segments carry the tenant and batch as annotations, hosts and status
// codes, and no credential, query, seller, SKU or price.
package trace

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync/atomic"

	"github.com/aws/aws-xray-sdk-go/header"
	"github.com/aws/aws-xray-sdk-go/strategy/ctxmissing"
	"github.com/aws/aws-xray-sdk-go/strategy/sampling"
	"github.com/aws/aws-xray-sdk-go/xray"
	"github.com/aws/aws-xray-sdk-go/xraylog"

	"pricemanager/internal/runtime/logs"
)

// lambdaKey is the context key, a plain string, under which the Lambda runtime
// library keeps the trace header of the invocation.
const lambdaKey = "x-amzn-trace-id"

// Whether a daemon was given, and how to reach it. They are global because the
// SDK behind them is.
var (
	on       atomic.Bool
	settings atomic.Pointer[xray.Config]
)

// FromEnv turns tracing on when AWS_XRAY_DAEMON_ADDRESS names a daemon, which
// is always so in Lambda, and off otherwise.
func FromEnv() error { return Use(os.Getenv("AWS_XRAY_DAEMON_ADDRESS")) }

// Use sends segments to the daemon at addr ("host:port", UDP); "" turns tracing
// off. Call it once at start, before Instrument.
func Use(addr string) error {
	on.Store(false)
	xray.SetLogger(xraylog.NullLogger)
	if addr == "" {
		return nil
	}
	udp, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return fmt.Errorf("trace: AWS_XRAY_DAEMON_ADDRESS %q: %w", addr, err)
	}
	em, err := xray.NewDefaultEmitter(udp)
	if err != nil {
		return fmt.Errorf("trace: emitter: %w", err)
	}
	ex, err := newExceptions()
	if err != nil {
		return err
	}
	streaming, err := xray.NewDefaultStreamingStrategy()
	if err != nil {
		return fmt.Errorf("trace: streaming: %w", err)
	}
	cfg := xray.Config{
		Emitter: em, SamplingStrategy: never{}, StreamingStrategy: streaming, ExceptionFormattingStrategy: ex,
		ContextMissingStrategy: ctxmissing.NewDefaultIgnoreErrorStrategy(),
	}
	if err := xray.Configure(cfg); err != nil {
		return fmt.Errorf("trace: configure: %w", err)
	}
	settings.Store(&cfg)
	on.Store(true)
	return nil
}

// never leaves the sampling decision to whoever began the trace (API Gateway
// or Lambda). The SDK's own strategy polls the daemon for rules over TCP.
type never struct{}

func (never) ShouldTrace(*sampling.Request) *sampling.Decision { return &sampling.Decision{} }

// Invocation enters the trace that Lambda began for this invocation: what is
// traced with the returned ctx appears below Lambda's own segment, and log
// lines carry the trace id. It records nothing by itself.
func Invocation(ctx context.Context) context.Context {
	raw, _ := ctx.Value(lambdaKey).(string)
	h := header.FromString(raw)
	if !wellFormed(h) {
		return ctx
	}
	ctx = logs.With(ctx, logs.Fields{Trace: h.TraceID})
	if on.Load() {
		ctx, _ = xray.BeginFacadeSegment(ctx, "invocation", h)
	}
	return ctx
}

// Resume continues the trace of a message's producer, whose Header travelled
// with the message, in a segment of its own. A header that says nothing leaves
// ctx in the trace it is in. end closes the segment and must be called once.
func Resume(ctx context.Context, from, name string) (_ context.Context, end func(error)) {
	h := header.FromString(from)
	if !wellFormed(h) {
		return ctx, func(error) {}
	}
	ctx = logs.With(ctx, logs.Fields{Trace: h.TraceID})
	// What the SDK or Header find later must be this trace, not the invocation's.
	ctx = context.WithValue(ctx, lambdaKey, clean(h).String()) //nolint:staticcheck // the Lambda library's key
	if !on.Load() || h.SamplingDecision != header.Sampled {
		return context.WithValue(ctx, xray.ContextKey, (*xray.Segment)(nil)), func(error) {}
	}
	ctx, seg := root(ctx, name, h)
	return ctx, seg.Close
}

// Header is the value to put into a message so that its consumer can Resume
// the trace; "" when ctx is in none.
func Header(ctx context.Context) string {
	if seg := xray.GetSegment(ctx); seg != nil {
		return clean(seg.DownstreamHeader()).String()
	}
	raw, _ := ctx.Value(lambdaKey).(string)
	h := header.FromString(raw)
	if !wellFormed(h) {
		return ""
	}
	return clean(h).String()
}
