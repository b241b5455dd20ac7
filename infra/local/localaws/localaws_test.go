package localaws_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"pricemanager/infra/local/localaws"
)

func TestACloudAnswersAndIsGoneAfterClose(t *testing.T) {
	t.Parallel()
	c := start(t, localaws.Options{})
	q := sqs.NewFromConfig(config(t, c))
	if _, err := q.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("work")}); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-c.Done():
	default:
		t.Error("Close returned while the server still runs")
	}
	if _, err := c.Config(t.Context()); err == nil {
		t.Error("a closed cloud still hands out a configuration")
	}
}

func TestACloudThatKeepsNothingIsEndedByForceWithoutComplaint(t *testing.T) {
	t.Parallel()
	c := start(t, localaws.Options{})
	if err := syscall.Kill(c.PID(), syscall.SIGSTOP); err != nil { // it hears no SIGTERM
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	<-c.Done()
}

func TestStateSurvivesARestartOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, localaws.Options{StateDir: dir})
	put(t, first)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again := start(t, localaws.Options{StateDir: dir})
	defer closing(t, again)
	if err := get(t, again); err != nil {
		t.Errorf("the object is gone after a restart with the same StateDir: %v", err)
	}
	fresh := start(t, localaws.Options{})
	defer closing(t, fresh)
	if err := get(t, fresh); err == nil {
		t.Error("a cloud without StateDir knows an object of another one")
	}
}

func TestABusyPortIsNamed(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	port := l.Addr().(*net.TCPAddr).Port
	_, err = localaws.Start(t.Context(), localaws.Options{Port: port})
	var busy *localaws.PortBusyError
	if !errors.As(err, &busy) || busy.Port != port {
		t.Errorf("Start = %v, want a PortBusyError for %d", err, port)
	}
}

func TestAFailedStartSaysSoAndLeavesNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if c, err := localaws.Start(ctx, localaws.Options{}); err == nil {
		_ = c.Close()
		t.Error("Start succeeded with a cancelled context")
	}
	// BIND_HOST is taken by the server itself, so this one starts and dies.
	var log bytes.Buffer
	if c, err := localaws.Start(t.Context(), localaws.Options{Port: freePort(t), Env: []string{"BIND_HOST=not-an-address.invalid"}, Log: &log}); err == nil {
		_ = c.Close()
		t.Error("Start succeeded although the server cannot listen")
	} else if !strings.Contains(err.Error(), "ended while starting") {
		t.Errorf("Start = %v, want a report that the server ended (log: %s)", err, log.String())
	}
}

func TestTwoCloudsDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	clouds := make([]*localaws.Cloud, 2)
	errs := make([]error, 2)
	var wg sync.WaitGroup
	for i := range clouds {
		wg.Go(func() { clouds[i], errs[i] = localaws.Start(t.Context(), localaws.Options{}) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	defer closing(t, clouds[0])
	defer closing(t, clouds[1])
	put(t, clouds[0])
	if err := get(t, clouds[1]); err == nil {
		t.Error("an object put into one cloud is in the other")
	}
}

func TestEnsureVenvDoesNotRedoFinishedWork(t *testing.T) {
	t.Parallel()
	var first, second bytes.Buffer
	python, err := localaws.EnsureVenv(t.Context(), "", &first)
	if err != nil {
		t.Fatal(err)
	}
	again, err := localaws.EnsureVenv(t.Context(), "", &second)
	if err != nil {
		t.Fatal(err)
	}
	if again != python || second.Len() != 0 {
		t.Errorf("the second call answered %s and printed %q", again, second.String())
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(filepath.Dir(python)), "complete")); err != nil {
		t.Error(err)
	}
}

func TestAMissingPythonIsExplained(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := localaws.EnsureVenv(t.Context(), t.TempDir(), nil)
	if !errors.Is(err, localaws.ErrNoPython) {
		t.Errorf("EnsureVenv = %v, want ErrNoPython", err)
	}
}

func start(t *testing.T, o localaws.Options) *localaws.Cloud {
	t.Helper()
	c, err := localaws.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func closing(t *testing.T, c *localaws.Cloud) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func config(t *testing.T, c *localaws.Cloud) aws.Config {
	t.Helper()
	cfg, err := c.Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func bucketClient(t *testing.T, c *localaws.Cloud) *s3.Client {
	t.Helper()
	return s3.NewFromConfig(config(t, c), func(o *s3.Options) { o.UsePathStyle = true })
}

func put(t *testing.T, c *localaws.Cloud) {
	t.Helper()
	client := bucketClient(t, c)
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket:                    aws.String("files"),
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: localaws.Region},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("files"), Key: aws.String("a"), Body: strings.NewReader("content"),
	}); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, c *localaws.Cloud) error {
	t.Helper()
	out, err := bucketClient(t, c).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("files"), Key: aws.String("a")})
	if err == nil {
		_ = out.Body.Close()
	}
	return err
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}
