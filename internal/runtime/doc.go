// Package runtime is what every function needs at its start and around each
// invocation: configuration from the environment, the log, metrics, tracing,
// the AWS configuration, and the loop that serves Lambda events.
//
// What it promises when things fail: a configuration that is not complete or
// not safe stops the function at its start, with every mistake named and no
// value shown. A handler's error or panic is logged with the invocation's
// request id and reported to Lambda with credentials masked. A queue message
// that fails, panics or cannot be read comes back by itself and does not take
// its neighbours along.
//
// It reads no secret and calls nobody at start: clients of other services
// connect on their first use.
package runtime
