package trace

import (
	"context"
	"regexp"
	"time"

	"github.com/aws/aws-xray-sdk-go/header"
	"github.com/aws/aws-xray-sdk-go/strategy/exception"
	"github.com/aws/aws-xray-sdk-go/xray"

	"pricemanager/internal/runtime/logs"
)

// root opens a segment that continues the trace of h.
//
// It is put together here rather than with xray.NewSegmentFromHeader, which
// starts a goroutine per segment that can send the segment a second time when
// it is closed, with its subsegments listed twice.
func root(ctx context.Context, name string, h *header.Header) (context.Context, *xray.Segment) {
	s := &xray.Segment{
		Name: name, ID: xray.NewSegmentID(), TraceID: h.TraceID, ParentID: h.ParentID,
		StartTime: float64(time.Now().UnixNano()) / float64(time.Second), InProgress: true,
		Sampled: true, RequestWasTraced: true, Origin: "AWS::Lambda::Function",
	}
	s.ParentSegment = s
	s.Configuration = settings.Load()
	annotate(ctx, s)
	return context.WithValue(ctx, xray.ContextKey, s), s
}

// annotate records on s what ctx knows about the work, so that traces can be
// searched by tenant and by batch.
func annotate(ctx context.Context, s *xray.Segment) {
	if s == nil {
		return
	}
	f := logs.From(ctx)
	for name, v := range map[string]string{"tenant": string(f.Tenant), "batch": f.Batch} {
		if v != "" {
			_ = s.AddAnnotation(name, v) // strings are always accepted
		}
	}
}

var (
	traceID  = regexp.MustCompile(`^1-[0-9a-f]{8}-[0-9a-f]{24}$`)
	parentID = regexp.MustCompile(`^[0-9a-f]{16}$`)
)

// wellFormed keeps anything but a trace header out of logs and segments: it
// may come from a message that somebody else wrote.
func wellFormed(h *header.Header) bool {
	return traceID.MatchString(h.TraceID) && (h.ParentID == "" || parentID.MatchString(h.ParentID))
}

// clean drops what else a header can carry (Lineage, Self, anything).
func clean(h *header.Header) header.Header {
	return header.Header{TraceID: h.TraceID, ParentID: h.ParentID, SamplingDecision: h.SamplingDecision}
}

// exceptions is the SDK's way to record errors, with credentials masked.
type exceptions struct {
	*exception.DefaultFormattingStrategy
}

var _ exception.FormattingStrategy = exceptions{}

func newExceptions() (exceptions, error) {
	d, err := exception.NewDefaultFormattingStrategy()
	return exceptions{d}, err
}

// ExceptionFromError records err with its text redacted.
func (e exceptions) ExceptionFromError(err error) exception.Exception {
	x := e.DefaultFormattingStrategy.ExceptionFromError(err)
	x.Message = logs.Redact(x.Message)
	return x
}
