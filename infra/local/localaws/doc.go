// Package localaws runs a local AWS (ministack) as a child process: it makes
// the Python environment, starts the server on a free or a given port, waits
// until it answers and ends it with everything it started, the Lambda functions
// included.
//
// Start either returns a cloud that answers or an error that says what to do;
// it never leaves a process behind. With a StateDir the state is written when
// the cloud is closed, so a cloud that is killed loses what it did since it
// started.
//
// The package knows nothing of this product: what to deploy is the business of
// infra/local/deploy and infra/local/stack.
package localaws
