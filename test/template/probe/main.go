// Command probe is a Lambda function without a will of its own: it hands every
// event to the test that deployed it and answers what the test says. The test
// reaches it through PROBE_URL, which local functions inherit.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.StartWithOptions(func(ctx context.Context, event json.RawMessage) (json.RawMessage, error) {
		url := os.Getenv("PROBE_URL") + "/" + os.Getenv("AWS_LAMBDA_FUNCTION_NAME")
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(event))
		if err != nil {
			return nil, err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		defer func() { _ = res.Body.Close() }()
		answer, err := io.ReadAll(res.Body)
		if err == nil && res.StatusCode != http.StatusOK {
			err = fmt.Errorf("the test says: %s", answer)
		}
		return answer, err
	})
}
