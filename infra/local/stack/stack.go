package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/sync/errgroup"

	"pricemanager/infra/local/deploy"
	"pricemanager/infra/local/flock"
	"pricemanager/infra/local/localaws"
	"pricemanager/internal/secret"
	"pricemanager/internal/tenant"
)

// Options of Up. The zero value is an isolated stack on free ports that
// forgets everything when closed.
type Options struct {
	// Root of the project; "" finds it from the working directory.
	Root string
	// StateDir keeps what the stack knows between runs; "" keeps nothing. Two
	// stacks cannot share one.
	StateDir string
	// Port is where the product listens, AWSPort the local AWS and AmazonPort the
	// fake Amazon, all on 127.0.0.1. 0 takes a free one.
	Port, AWSPort, AmazonPort int
	// EndpointForFunctions is the AWS endpoint that functions are given, for a
	// proxy that makes faults; "" is the local AWS itself.
	EndpointForFunctions string
	// EnforceIAM has the local AWS check every call of a function against the
	// role that the template gives it. It does not go with EndpointForFunctions:
	// a request that passes a proxy no longer fits its signature.
	EnforceIAM bool
	// Speed makes the fake Amazon that many times faster than the real one.
	Speed int
	// SeedFile is JSON with sellers and listings for the fake Amazon.
	SeedFile string
	// AmazonArgs are further flags of the fake Amazon.
	AmazonArgs []string
	// Parameters are further parameters of template.yaml.
	Parameters map[string]string
	// Log takes the output of the local AWS and of the fake Amazon; nil discards it.
	Log io.Writer
}

// ErrRunning says that another process runs a stack from the same StateDir.
var ErrRunning = errors.New("a stack is running from this directory already")

// Stack is the running product.
type Stack struct {
	// URL is the product's address, without a trailing slash.
	URL string
	// GatewayURL is the product behind the front: there a caller says by
	// X-Forwarded-For which address API Gateway sees.
	GatewayURL string
	// AmazonURL is the fake Amazon's own address, and AdminURL that of its
	// control panel.
	AmazonURL, AdminURL string
	// Tenant is a tenant of this stack and APIKey a key with all scopes for it.
	Tenant tenant.ID
	APIKey secret.Value
	// Outputs are the outputs of template.yaml.
	Outputs map[string]string

	state   string
	cloud   *localaws.Cloud
	amazon  *fakeAmazon
	front   *http.Server
	cleanup []func() error // run from last to first

	closing sync.Once
	closed  error
}

// name of the CloudFormation stack and of the bucket that its code comes from.
const (
	stage      = "local"
	stackName  = "pm-" + stage
	codeBucket = "pm-" + stage + "-code"
)

// answerWithin bounds how long the product may take to answer for the first
// time after it is deployed.
const answerWithin = time.Minute

// Up starts a stack. ctx bounds the start only; the stack runs until Close.
func Up(ctx context.Context, o Options) (*Stack, error) {
	s := &Stack{}
	if err := s.up(ctx, o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Stack) up(ctx context.Context, o Options) (err error) {
	if o.EnforceIAM && o.EndpointForFunctions != "" {
		return errors.New("stack: EnforceIAM does not go with EndpointForFunctions")
	}
	if o.Root == "" {
		if o.Root, err = localaws.ProjectRoot(); err != nil {
			return err
		}
	}
	if err := s.openState(o.StateDir); err != nil {
		return err
	}
	if o.AWSPort, err = choosePort(s.state, o.AWSPort); err != nil {
		return err
	}
	o.Log = &inTurn{w: o.Log}
	// The front's address first: consent comes back to it, so the fake Amazon and
	// the functions have to know it.
	front, err := listen(ctx, o.Port, "PORT")
	if err != nil {
		return fmt.Errorf("stack: %w", err)
	}
	s.cleanup = append(s.cleanup, closer(front))
	s.URL = "http://localhost:" + strconv.Itoa(front.Addr().(*net.TCPAddr).Port) //nolint:forcetypeassert // a TCP listener

	text, err := os.ReadFile(filepath.Join(o.Root, "template.yaml"))
	if err != nil {
		return fmt.Errorf("stack: %w", err)
	}
	template, err := deploy.ParseTemplate(text)
	if err != nil {
		return err
	}
	if o.EnforceIAM {
		if err := template.RolesOnly(); err != nil {
			return err
		}
	}
	archives, err := s.start(ctx, o, template)
	if err != nil {
		return err
	}
	if err := keepPort(s.state, s.cloud.Port()); err != nil {
		return err
	}
	s.Outputs, err = deploy.Deploy(ctx, s.Config(), deploy.Stack{
		Name: stackName, Bucket: codeBucket, Template: template, Archives: archives, Parameters: s.parameters(o.Parameters),
	})
	if err != nil {
		return err
	}
	s.GatewayURL = s.cloud.Endpoint() + "/restapis/" + s.Outputs["ApiId"] + "/" + stage + "/_user_request_"
	if err := s.seed(ctx); err != nil {
		return err
	}
	s.front = &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second}
	s.cleanup = append(s.cleanup, s.front.Close)
	go func() { _ = s.front.Serve(front) }() // ends with Close
	s.startCourier(o.Log)                    //nolint:contextcheck // it runs on when ctx, which bounds the start, has ended
	return s.answers(ctx)
}

// start builds the code while the local AWS starts: the two slow parts.
func (s *Stack) start(ctx context.Context, o Options, template *deploy.Template) (archives map[string]deploy.Archive, err error) {
	build := filepath.Join(o.Root, ".local", "build")
	var group errgroup.Group
	group.Go(func() error {
		var err error
		if archives, err = deploy.Build(ctx, o.Root, build, template.Functions(), fakeAmazonPackage); err != nil {
			return err
		}
		s.amazon, err = startAmazon(ctx, o, s.state, filepath.Join(build, "fakeamazon"), s.URL)
		return err
	})
	group.Go(func() error {
		var env []string
		if o.EnforceIAM {
			env = []string{"AUTH=true"}
		}
		keep := ""
		if o.StateDir != "" {
			keep = filepath.Join(s.state, "aws")
		}
		var err error
		s.cloud, err = localaws.Start(ctx, localaws.Options{
			Root: filepath.Join(o.Root, ".local", "venv"), Port: o.AWSPort, StateDir: keep, Env: env,
			EndpointForFunctions: o.EndpointForFunctions, Log: o.Log,
		})
		return portHint(err, "AWS_PORT")
	})
	err = group.Wait()
	if s.amazon != nil {
		s.cleanup = append(s.cleanup, s.amazon.close)
		s.AmazonURL, s.AdminURL = s.amazon.url, s.amazon.url+"/_fake"
	}
	if s.cloud != nil {
		s.cleanup = append(s.cleanup, s.cloud.Close)
	}
	return archives, err
}

// parameters are what differs from the deployment on AWS.
func (s *Stack) parameters(more map[string]string) map[string]string {
	p := map[string]string{
		"Stage": stage, "LogLevel": "INFO", "PublicUrl": s.URL,
		"ApplicationId": applicationID, "ApplicationDraft": "false",
		// Functions speak to the fake directly, browsers through the front.
		"SpApiEndpointNa": s.AmazonURL + "/na", "SpApiEndpointEu": s.AmazonURL + "/eu", "SpApiEndpointFe": s.AmazonURL + "/fe",
		"LwaEndpoint":  s.AmazonURL + "/auth/o2/token",
		"ConsentUrlNa": s.URL + amazonPrefix + "/consent/na" + consentPath,
		"ConsentUrlEu": s.URL + amazonPrefix + "/consent/eu" + consentPath,
		"ConsentUrlFe": s.URL + amazonPrefix + "/consent/fe" + consentPath,
		// A development machine must be able to throw its archive away.
		"ArchiveLockMode": "GOVERNANCE", "ArchiveLockDays": "1",
	}
	maps.Copy(p, more)
	return p
}

// openState makes the directory and takes it for this process alone.
func (s *Stack) openState(dir string) error {
	if dir == "" {
		temp, err := os.MkdirTemp("", "stack-")
		if err != nil {
			return fmt.Errorf("stack: %w", err)
		}
		s.state = temp
		s.cleanup = append(s.cleanup, func() error { return os.RemoveAll(temp) })
		return nil
	}
	s.state = dir
	unlock, err := flock.Try(filepath.Join(dir, "lock"))
	if errors.Is(err, flock.ErrHeld) {
		return fmt.Errorf("stack: %w: %s", ErrRunning, dir)
	}
	if err != nil {
		return fmt.Errorf("stack: %w", err)
	}
	s.cleanup = append(s.cleanup, func() error { unlock(); return nil })
	forget, err := remember(dir)
	if err != nil {
		return err
	}
	s.cleanup = append(s.cleanup, forget)
	return nil
}

// answers returns when the product answers through its front.
func (s *Stack) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	if _, err := s.fetch(ctx, http.MethodGet, s.URL+"/health"); err != nil {
		return fmt.Errorf("stack: the product does not answer at %s: %w", s.URL, err)
	}
	return nil
}

// Config is how a client reaches the local AWS. S3 clients need UsePathStyle.
func (s *Stack) Config() aws.Config { return localaws.ConfigFor(s.cloud.Endpoint()) }

// Function is the full name of a function, e.g. of "price-sync".
func (s *Stack) Function(name string) string { return stackName + "-" + name }

// Wait returns nil when ctx ends, or earlier with an error when a part of the
// stack has died.
func (s *Stack) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-s.cloud.Done():
		return errors.New("stack: the local AWS has ended by itself; its log says why")
	case <-s.amazon.process.Done():
		return errors.New("stack: the fake Amazon has ended by itself; its log says why")
	}
}

// Close ends everything the stack started, in the reverse order. It may be
// called more than once.
func (s *Stack) Close() error {
	s.closing.Do(func() {
		for i := len(s.cleanup) - 1; i >= 0; i-- {
			s.closed = errors.Join(s.closed, s.cleanup[i]())
		}
	})
	return s.closed
}

// listen takes a port; variable is the setting that moves us to another one.
func listen(ctx context.Context, port int, variable string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		err = portHint(&localaws.PortBusyError{Port: port}, variable)
	}
	return l, err
}

// portHint adds to a busy port which setting moves us to another one.
func portHint(err error, variable string) error {
	var busy *localaws.PortBusyError
	if errors.As(err, &busy) {
		return fmt.Errorf("%w: end it, or choose another port with %s=%d", err, variable, busy.Port+1)
	}
	return err
}

// closer closes a listener that a server may have closed before.
func closer(l net.Listener) func() error {
	return func() error {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

// inTurn lets several processes write to one log.
type inTurn struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *inTurn) Write(p []byte) (int, error) {
	if l.w == nil {
		return len(p), nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
