// Package awshttp makes the HTTP client of the AWS SDK lose no answers of its
// own making. Every aws.Config of the product goes through it.
//
// The fault: net/http sends a request's body and then looks whether there is
// more of it than announced. When the answer arrives between the two, the SDK
// (smithy-go 1.28.8, transport/http/internal/io) has closed the body already,
// whose WriteTo then returns io.EOF where it must return nil. net/http takes
// that for a failed write and cuts the connection, with an answer on it that
// nobody has read. The SDK asks again, and a conditional write meets its own
// effect. On loopback with two busy cores that was one call in two thousand; a
// Lambda function with a sixth of a core is as busy.
//
// It also follows no redirect: the SDK would follow 307 and 308, to any host, with a
// body that holds customers' data. Endpoints are regional and do not redirect.
//
// It holds no state and changes nothing else about a request.
package awshttp

import (
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// Client is an aws.HTTPClient that hides WriteTo of request bodies from
// net/http: reading one that is closed ends quietly.
type Client struct{ next aws.HTTPClient }

var _ aws.HTTPClient = Client{}

// Wrap returns a client that sends through next; nil is the SDK's default.
// Assign it after the configuration was loaded, because loading may insist on
// a client of the SDK's own type:
//
//	cfg.HTTPClient = awshttp.Wrap(cfg.HTTPClient)
func Wrap(next aws.HTTPClient) Client {
	if next == nil {
		next = sdk.NewBuildableClient()
	}
	if b, ok := next.(*sdk.BuildableClient); ok {
		next = staying(b)
	}
	return Client{next}
}

// staying is the SDK's client, with its transport and its timeout, that takes a redirect
// for the answer.
func staying(b *sdk.BuildableClient) *http.Client {
	return &http.Client{
		Transport: b.GetTransport(), Timeout: b.GetTimeout(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Do sends the request.
func (c Client) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = plain{r.Body}
	}
	return c.next.Do(r)
}

// plain is a body that can only be read and closed.
type plain struct{ io.ReadCloser }
