package localaws

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"pricemanager/infra/local/leash"
	"pricemanager/internal/store/awshttp"
)

// Region is where everything local lives: the product keeps its data in the EU.
const Region = "eu-central-1"

// Times of the cloud's own life. A start takes 0.3 s on an idle machine; the
// bound is for one that is busy with something else. Saving the state of a
// desk-sized stack takes well under a second. One that keeps nothing has nothing to
// lose: with gigabytes in memory it would take longer than a minute to end.
const (
	startWithin = 60 * time.Second
	pollEvery   = 10 * time.Millisecond
	saveWithin  = 20 * time.Second

	forgetWithin = 2 * time.Second
)

// Options of Start. The zero value is an empty cloud on a free port that
// forgets everything when closed.
type Options struct {
	// Root is where Python environments live; "" is <project>/.local/venv.
	Root string
	// Port to listen on at 127.0.0.1; 0 takes a free one.
	Port int
	// StateDir keeps the state between runs; "" keeps nothing.
	StateDir string
	// Env adds settings for the server, NAME=value. AUTH=true makes it check
	// every call against IAM policies.
	Env []string
	// EndpointForFunctions is the AWS endpoint that functions are given, for a
	// proxy in between; "" is the cloud's own.
	EndpointForFunctions string
	// Log takes the server's output; nil discards it.
	Log io.Writer
}

// PortBusyError says that somebody else listens on the wanted port.
type PortBusyError struct{ Port int }

func (e *PortBusyError) Error() string {
	return fmt.Sprintf("port %d is in use by another program", e.Port)
}

// Cloud is a running local AWS.
type Cloud struct {
	endpoint string
	port     int
	process  *leash.Process
	scratch  string
	forgets  bool // keeps no state

	closing sync.Once
	closed  error
}

// Start runs a cloud and returns when it answers. ctx bounds the start only;
// the cloud runs until Close.
func Start(ctx context.Context, o Options) (*Cloud, error) {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	python, err := EnsureVenv(ctx, o.Root, o.Log)
	if err != nil {
		return nil, err
	}
	if o.StateDir != "" {
		if err := rewindStreams(o.StateDir); err != nil {
			return nil, err
		}
	}
	// Between choosing a free port and listening on it another process may take
	// it. The server then ends at once, and we choose again.
	for attempt := 1; ; attempt++ {
		c, err := start(ctx, python, o)
		if err == nil || o.Port != 0 || attempt == 3 || ctx.Err() != nil {
			return c, err
		}
	}
}

func start(ctx context.Context, python string, o Options) (*Cloud, error) {
	port, err := choosePort(ctx, o.Port)
	if err != nil {
		return nil, err
	}
	// The server unpacks the functions' code and writes a pid file into its
	// temporary directory: its own, so that nothing collides or stays behind.
	scratch, err := makeScratch(o.StateDir)
	if err != nil {
		return nil, err
	}
	c := &Cloud{endpoint: fmt.Sprintf("http://127.0.0.1:%d", port), port: port, scratch: scratch, forgets: o.StateDir == ""}
	// Asked back from the health page: proves that the answer comes from the
	// process started here and not from a stranger on the same port.
	mark := rand.Text()
	c.process, err = leash.Start(leash.Spec{
		Path: python, Args: []string{"-m", "ministack"},
		Env: c.env(o, port, mark), Dir: scratch, Output: o.Log,
	})
	if err != nil {
		_ = os.RemoveAll(scratch)
		return nil, err
	}
	if err := c.ready(ctx, mark); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// env is the whole environment of the server, and so of the functions, which
// inherit it: nothing of the caller's shell, least of all AWS credentials.
func (c *Cloud) env(o Options, port int, mark string) []string {
	forFunctions := o.EndpointForFunctions
	if forFunctions == "" {
		forFunctions = c.endpoint
	}
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + c.scratch, "TMPDIR=" + c.scratch, "LANG=C.UTF-8",
		"PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1",
		"GATEWAY_PORT=" + strconv.Itoa(port), "BIND_HOST=127.0.0.1",
		"MINISTACK_REGION=" + Region, "MINISTACK_EDITION=" + mark,
		"AWS_ENDPOINT_URL=" + forFunctions,
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
		"AWS_EC2_METADATA_DISABLED=true",
		// Parts that would open ports of their own, or reach for the user's
		// Docker containers.
		"IOT_MTLS_ENABLED=0", "SFTP_ENABLED=0", "DOCKER_HOST=unix://" + filepath.Join(c.scratch, "no-docker.sock"),
	}
	if o.StateDir != "" {
		env = append(env, "PERSIST_STATE=1", "STATE_DIR="+o.StateDir,
			"S3_PERSIST=1", "S3_DATA_DIR="+filepath.Join(o.StateDir, "s3"))
	}
	return append(env, o.Env...)
}

// ready waits until the cloud answers with its own mark.
func (c *Cloud) ready(ctx context.Context, mark string) error {
	for {
		if c.answers(ctx, mark) {
			return nil
		}
		// A tick between two looks, cut short when the server ends.
		tick, stop := context.WithTimeout(ctx, pollEvery)
		select {
		case <-c.process.Done():
			stop()
			return fmt.Errorf("localaws: the local AWS ended while starting (%w); its log says why",
				cmp.Or(c.process.Err(), errors.New("exit status 0")))
		case <-tick.Done():
			stop()
		}
		if ctx.Err() != nil {
			return fmt.Errorf("localaws: the local AWS at %s did not answer in time: %w", c.endpoint, ctx.Err())
		}
	}
}

func (c *Cloud) answers(ctx context.Context, mark string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.endpoint+"/_ministack/health", http.NoBody)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = res.Body.Close() }()
	var health struct {
		Edition string `json:"edition"`
	}
	return json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&health) == nil && health.Edition == mark
}

// Port is where the server listens on this machine.
func (c *Cloud) Port() int { return c.port }

// Endpoint is the URL of every AWS service of this cloud.
func (c *Cloud) Endpoint() string { return c.endpoint }

// PID is the process id of the server, which leads its own process group.
func (c *Cloud) PID() int { return c.process.PID() }

// Done is closed when the server has ended, asked or not.
func (c *Cloud) Done() <-chan struct{} { return c.process.Done() }

// Config is how a client reaches this cloud. It is built from nothing but the
// cloud itself: no profile, no shared file and no environment of the caller
// can point it at a real account. S3 clients need UsePathStyle.
func (c *Cloud) Config(_ context.Context) (aws.Config, error) {
	select {
	case <-c.process.Done():
		return aws.Config{}, errors.New("localaws: the local AWS has ended")
	default:
		return ConfigFor(c.endpoint), nil
	}
}

// ConfigFor is Config for a cloud, or a proxy before one, known by its URL.
func ConfigFor(endpoint string) aws.Config {
	return aws.Config{
		Region:       Region,
		BaseEndpoint: aws.String(endpoint),
		Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
		HTTPClient:   awshttp.Wrap(nil),
	}
}

// Close saves the state when there is a StateDir and ends the server and its
// functions, by force when it must: that is an error only if there was a state to
// save. It may be called more than once.
func (c *Cloud) Close() error {
	c.closing.Do(func() {
		grace := saveWithin
		if c.forgets {
			grace = forgetWithin
		}
		err := c.process.Close(grace)
		if c.forgets && errors.Is(err, leash.ErrKilled) {
			err = nil
		}
		c.closed = errors.Join(err, os.RemoveAll(c.scratch))
	})
	return c.closed
}

// makeScratch makes an empty directory. With a StateDir it is always the same
// one, so that what a killed cloud left behind is gone with the next start.
func makeScratch(state string) (string, error) {
	if state == "" {
		dir, err := os.MkdirTemp("", "localaws-")
		if err != nil {
			return "", fmt.Errorf("localaws: %w", err)
		}
		return dir, nil
	}
	dir := filepath.Join(state, "tmp")
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
		return "", fmt.Errorf("localaws: %w", err)
	}
	return dir, nil
}

// choosePort returns want after making sure that it is free, or a free port
// for 0.
func choosePort(ctx context.Context, want int) (int, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(want)))
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return 0, fmt.Errorf("localaws: %w", &PortBusyError{Port: want})
		}
		return 0, fmt.Errorf("localaws: %w", err)
	}
	defer func() { _ = l.Close() }()
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("localaws: unexpected address %s", strings.TrimSpace(l.Addr().String()))
	}
	return addr.Port, nil
}
