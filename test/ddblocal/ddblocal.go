// Package ddblocal runs Amazon's DynamoDB Local for tests: a second opinion, by
// DynamoDB's own makers, on what the store's backends believe DynamoDB does.
//
// Start returns a server that answers, or an error that says what to do;
// ErrUnavailable when this machine lacks Java or Maven, which a test skips on by
// name. The server keeps everything in memory and cannot outlive its process.
// The first start on a machine fetches about 48 MB from Maven Central. Tables
// makes the product's tables on it as template.yaml declares them.
package ddblocal

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"pricemanager/infra/local/leash"
	"pricemanager/infra/local/localaws"
)

// ErrUnavailable says that this machine cannot run DynamoDB Local.
var ErrUnavailable = errors.New("DynamoDB Local needs Java 17 and Maven: " +
	"install them, for example with: apt-get install openjdk-17-jre-headless maven")

//go:embed pom.xml
var pom []byte

// copyDependencies is pinned, as everything that Maven would choose by itself.
const copyDependencies = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"

const (
	startWithin = 90 * time.Second // 1 s on an idle machine
	pollEvery   = 20 * time.Millisecond
	endWithin   = 5 * time.Second
)

// Options of Start.
type Options struct {
	// Root is where the libraries live; "" is <project>/.local/ddblocal.
	Root string
	// Log takes the output of Maven and the server; nil discards it.
	Log io.Writer
}

// Server is a running DynamoDB Local.
type Server struct {
	endpoint string
	process  *leash.Process
	scratch  string
}

// Start fetches the libraries unless they are there, runs a server on a free
// port and returns when it answers. ctx bounds the start only.
func Start(ctx context.Context, o Options) (*Server, error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, fmt.Errorf("ddblocal: java: %w", ErrUnavailable)
	}
	lib, err := ensureLibraries(ctx, o)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	// Between choosing a free port and listening on it another process may take
	// it. The server then ends at once, and we choose again.
	for attempt := 1; ; attempt++ {
		s, err := start(ctx, java, lib, o.Log)
		if err == nil || attempt == 3 || ctx.Err() != nil {
			return s, err
		}
	}
}

func start(ctx context.Context, java, lib string, log io.Writer) (*Server, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("ddblocal: %w", err)
	}
	address := l.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	_ = l.Close()
	scratch, err := os.MkdirTemp("", "ddblocal-")
	if err != nil {
		return nil, fmt.Errorf("ddblocal: %w", err)
	}
	s := &Server{endpoint: "http://" + address, scratch: scratch}
	s.process, err = leash.Start(leash.Spec{
		Path: java,
		Args: []string{
			"-Xmx512m", "-Djava.io.tmpdir=" + scratch, "-Dsqlite4java.library.path=" + lib,
			"-cp", filepath.Join(lib, "*"), "software.amazon.dynamodb.services.local.main.ServerRunner",
			"-inMemory", "-sharedDb", "-disableTelemetry", "-port", port,
		},
		Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + scratch, "LANG=C.UTF-8"},
		Dir: scratch, Output: log,
	})
	if err != nil {
		_ = os.RemoveAll(scratch)
		return nil, fmt.Errorf("ddblocal: %w", err)
	}
	if err := s.ready(ctx); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// ready waits until the server answers anything, which it does in DynamoDB's
// manner: a request without a signature is a 400.
func (s *Server) ready(ctx context.Context) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.endpoint, http.NoBody)
		if err != nil {
			return fmt.Errorf("ddblocal: %w", err)
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
			return nil
		}
		tick, stop := context.WithTimeout(ctx, pollEvery)
		select {
		case <-s.process.Done():
			stop()
			return fmt.Errorf("ddblocal: the server ended while starting (%v); its log says why", s.process.Err()) //nolint:errorlint // nil when it exited well
		case <-tick.Done():
			stop()
		}
		if ctx.Err() != nil {
			return fmt.Errorf("ddblocal: the server at %s did not answer in time: %w", s.endpoint, ctx.Err())
		}
	}
}

// Endpoint is the URL of the server.
func (s *Server) Endpoint() string { return s.endpoint }

// Config is how a client reaches the server, built from nothing else: nothing
// of the caller's shell can point it at a real account.
func (s *Server) Config() aws.Config {
	return aws.Config{
		Region:       localaws.Region,
		BaseEndpoint: aws.String(s.endpoint),
		Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
	}
}

// Close ends the server and forgets its data.
func (s *Server) Close() error {
	return errors.Join(s.process.Close(endWithin), os.RemoveAll(s.scratch))
}

// ensureLibraries returns the directory with the jars and native libraries. It
// is named after the pom's content, so a new version is a new directory; a
// process that finds another one fetching waits for it.
func ensureLibraries(ctx context.Context, o Options) (string, error) {
	root := o.Root
	if root == "" {
		project, err := localaws.ProjectRoot()
		if err != nil {
			return "", fmt.Errorf("ddblocal: %w", err)
		}
		root = filepath.Join(project, ".local", "ddblocal")
	}
	sum := sha256.Sum256(pom)
	dir := filepath.Join(root, hex.EncodeToString(sum[:6]))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("ddblocal: %w", err)
	}
	// The kernel gives the lock back however the process ends.
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", fmt.Errorf("ddblocal: %w", err)
	}
	defer func() { _ = lock.Close() }()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("ddblocal: lock %s: %w", lock.Name(), err)
	}
	lib, stamp := filepath.Join(dir, "lib"), filepath.Join(dir, "complete")
	if _, err := os.Stat(stamp); err == nil {
		return lib, nil
	}
	if err := fetch(ctx, dir, lib, o.Log); err != nil {
		return "", err
	}
	// Last of all: without the stamp the next who comes fetches again.
	if err := os.WriteFile(stamp, []byte(strconv.Itoa(len(pom))), 0o600); err != nil {
		return "", fmt.Errorf("ddblocal: %w", err)
	}
	return lib, nil
}

func fetch(ctx context.Context, dir, lib string, log io.Writer) error {
	maven, err := exec.LookPath("mvn")
	if err != nil {
		return fmt.Errorf("ddblocal: mvn: %w", ErrUnavailable)
	}
	file := filepath.Join(dir, "pom.xml")
	if err := os.WriteFile(file, pom, 0o600); err != nil {
		return fmt.Errorf("ddblocal: %w", err)
	}
	cmd := exec.CommandContext(ctx, maven, "-q", "-B", "-f", file, copyDependencies, "-DoutputDirectory="+lib, "-DincludeScope=runtime")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("ddblocal: cannot fetch DynamoDB Local (see the log; is Maven Central reachable?): %w", err)
	}
	return nil
}
