package lambdarig_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pricemanager/test/lambdarig"
)

var build = sync.OnceValues(func() (string, error) {
	bin := filepath.Join(buildDir, "bootstrap")
	out, err := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", bin, "./testdata/echo").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return bin, nil
})

var buildDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "lambdarig")
	if err != nil {
		panic(err)
	}
	buildDir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func start(t *testing.T, env ...string) (*lambdarig.Function, *bytes.Buffer, error) {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	f, err := lambdarig.Start(t.Context(), lambdarig.Options{Binary: bin, Env: env, Output: &out})
	if err == nil {
		t.Cleanup(func() { _ = f.Stop() })
	}
	return f, &out, err
}

func TestFunctionAnswersFailsAndGoesOn(t *testing.T) {
	t.Parallel()
	f, out, err := start(t, "STAGE=prod")
	if err != nil {
		t.Fatal(err)
	}
	if f.InitTime() <= 0 {
		t.Errorf("init time %v", f.InitTime())
	}
	const traceHeader = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
	for _, c := range []struct {
		event, want string
		failed      bool
	}{
		{`{"do":"echo","text":"hello"}`, `"hello"`, false},
		{`{"do":"fail","text":"refused Atzr|CANARY-token"}`, "refused", true},
		{`{"do":"panic","text":"boom Atzr|CANARY-token"}`, "panic", true},
		{`not json`, "not what this function takes", true},
		{`{"do":"echo","text":"still Atzr|CANARY-token"}`, "still", false},
	} {
		r, err := f.Invoke(context.Background(), []byte(c.event), traceHeader)
		if err != nil {
			t.Fatal(err)
		}
		if r.Failed != c.failed || !strings.Contains(string(r.Payload), c.want) {
			t.Errorf("%s gave %v %s", c.event, r.Failed, r.Payload)
		}
		if c.failed && strings.Contains(string(r.Payload), "CANARY") {
			t.Errorf("%s: the error that goes to Lambda leaks: %s", c.event, r.Payload)
		}
	}
	_ = f.Stop()
	logged := out.String()
	if strings.Contains(logged, "CANARY") {
		t.Errorf("the output leaks: %s", logged)
	}
	if !strings.Contains(logged, `"trace":"1-5759e988-bd862e3fe1be46a994272793"`) || !strings.Contains(logged, "00000000-0000-4000-8000-000000000001") {
		t.Errorf("lines lack the trace or request id: %s", logged)
	}
	if !strings.Contains(logged, "flushed") {
		t.Errorf("SIGTERM did not flush: %s", logged)
	}
	if _, err := f.Invoke(context.Background(), []byte("{}"), ""); !errors.Is(err, lambdarig.ErrEnded) {
		t.Errorf("a stopped function gave %v", err)
	}
}

func TestLocalFunctionEndsAtSIGTERMWithoutNoise(t *testing.T) {
	t.Parallel()
	f, out, err := start(t, "STAGE=local")
	if err != nil {
		t.Fatal(err)
	}
	if r, err := f.Invoke(context.Background(), []byte(`{"text":"hi"}`), ""); err != nil || r.Failed {
		t.Fatal(r, err)
	}
	_ = f.Stop()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], `"echo"`) || lines[1] != "flushed" {
		t.Errorf("output %q, want one log line and the flush", lines)
	}
}

func TestAFunctionThatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	_, _, err := start(t, "STAGE=prod", "AWS_ENDPOINT_URL=http://canary.example")
	if !errors.Is(err, lambdarig.ErrEnded) || !strings.Contains(err.Error(), "AWS_ENDPOINT_URL") || strings.Contains(err.Error(), "canary") {
		t.Errorf("error %v, want the variable's name and not its value", err)
	}
}

func TestAFunctionThatExitsIsAnErrorNotAHang(t *testing.T) {
	t.Parallel()
	f, _, err := start(t, "STAGE=local")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Invoke(context.Background(), []byte(`{"do":"exit"}`), ""); !errors.Is(err, lambdarig.ErrEnded) {
		t.Errorf("error %v", err)
	}
}
