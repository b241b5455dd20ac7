// Command empty is a Lambda function that does nothing: the yardstick for the
// start-up time of those that do something.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() { lambda.Start(func(context.Context) error { return nil }) }
