package trace

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-xray-sdk-go/instrumentation/awsv2"
	"github.com/aws/aws-xray-sdk-go/xray"
	"github.com/aws/smithy-go/middleware"
)

// Instrument makes every call of the AWS SDK made with cfg a subsegment.
func Instrument(cfg *aws.Config) {
	if on.Load() {
		awsv2.AWSV2Instrumentor(&cfg.APIOptions)
		cfg.APIOptions = append(cfg.APIOptions, annotateCall)
	}
}

// annotateCall runs inside the subsegment that the instrumentor opened.
func annotateCall(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("AnnotateTrace", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		annotate(ctx, xray.GetSegment(ctx))
		return next.HandleInitialize(ctx, in)
	}), middleware.After)
}

// RoundTripper makes every call through base to somebody else's service a
// subsegment named for the host. The trace id is not sent along: it is ours.
func RoundTripper(base http.RoundTripper) http.RoundTripper { return remote{base} }

type remote struct{ base http.RoundTripper }

func (r remote) RoundTrip(req *http.Request) (*http.Response, error) {
	if !on.Load() || xray.GetSegment(req.Context()) == nil {
		return r.base.RoundTrip(req)
	}
	ctx, seg := xray.BeginSubsegment(req.Context(), req.URL.Hostname())
	annotate(ctx, seg)
	resp, err := r.base.RoundTrip(req)
	seg.Lock()
	seg.Namespace = "remote"
	out := seg.GetHTTP().GetRequest()
	out.Method, out.URL = req.Method, kind(req.URL)
	if resp != nil {
		seg.GetHTTP().GetResponse().Status = resp.StatusCode
		seg.Throttle = resp.StatusCode == http.StatusTooManyRequests
		seg.Error = resp.StatusCode/100 == 4
		seg.Fault = resp.StatusCode/100 == 5
	}
	seg.Unlock()
	// Sent at once: a lane makes hundreds of calls under one segment, which
	// would otherwise all stay in memory until the lane stops.
	seg.CloseAndStream(withoutURL(err))
	return resp, err
}

// kind shortens a URL to host and operation: the first three parts of the path
// are the API and its version; what follows names a seller and a SKU.
func kind(u *url.URL) string {
	parts := strings.SplitN(strings.TrimPrefix(u.EscapedPath(), "/"), "/", 4)
	return u.Scheme + "://" + u.Host + "/" + strings.Join(parts[:min(3, len(parts))], "/")
}

// withoutURL drops the URL that net/http writes into its errors.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
