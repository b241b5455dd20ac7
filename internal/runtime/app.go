package runtime

import (
	"context"
	"io"
	"log/slog"
	"os"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"pricemanager/internal/clock"
	"pricemanager/internal/runtime/logs"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/runtime/trace"
	"pricemanager/internal/store/awshttp"
)

// App is one running function.
type App struct {
	Base    Base
	Log     *slog.Logger
	Metrics *metrics.Writer
	Clock   clock.Clock
}

// Open loads cfg from the environment and starts the log, metrics and tracing.
// It calls nobody and takes about a millisecond.
func Open(ctx context.Context, cfg Config) (*App, error) {
	if err := Load(ctx, cfg); err != nil {
		return nil, err
	}
	// Before any client is made, which is when instrumentation is decided.
	if err := trace.FromEnv(); err != nil {
		return nil, err
	}
	app := newApp(cfg.base(), os.Stdout, clock.Real{})
	// The libraries below us write to the standard log: through ours their lines
	// are JSON and redacted like any other.
	slog.SetDefault(app.Log)
	return app, nil
}

func newApp(b Base, w io.Writer, c clock.Clock) *App {
	out := &lines{w: w}
	return &App{
		Base:    b,
		Log:     logs.New(out, b.LogLevel, b.Service, b.Version),
		Metrics: metrics.New(out, c, b.Service, string(b.Stage)),
		Clock:   c,
	}
}

// lines lets the log and the metrics share an output: each writes a line with
// one Write, and the lines do not mix.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// OpenWithAWS is Open for a function that calls AWS.
func OpenWithAWS(ctx context.Context, cfg Config) (*App, aws.Config, error) {
	app, err := Open(ctx, cfg)
	if err != nil {
		return nil, aws.Config{}, err
	}
	clients, err := app.AWS(ctx)
	return app, clients, err
}

// AWS is the one AWS configuration that all of the function's clients share:
// three attempts with the SDK's standard backoff, every call traced. Load has
// refused endpoints without TLS.
func (a *App) AWS(ctx context.Context) (aws.Config, error) {
	cfg, err := config.LoadDefaultConfig(ctx,
		config.WithRetryMode(aws.RetryModeStandard), config.WithRetryMaxAttempts(3))
	if err != nil {
		return aws.Config{}, err
	}
	cfg.HTTPClient = awshttp.Wrap(cfg.HTTPClient)
	trace.Instrument(&cfg)
	return cfg, nil
}

// Main runs a function's composition root and ends the process when it fails:
// Lambda then starts a new one. The error is logged, redacted.
func Main(run func(context.Context) error) {
	ctx := context.Background()
	err := run(ctx)
	if err == nil {
		return
	}
	// run may have failed before it had a log of its own.
	logs.New(os.Stdout, slog.LevelInfo, os.Getenv("AWS_LAMBDA_FUNCTION_NAME"), os.Getenv("SERVICE_VERSION")).
		ErrorContext(ctx, "start failed", "cause", err)
	os.Exit(1)
}
