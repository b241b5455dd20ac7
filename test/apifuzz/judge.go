package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// The codes of schemathesis that are asked about by name.
const (
	serverError = "ST101"
	wrongBody   = "ST108"
)

// judge is schemathesis with its settings.
type judge struct {
	python, contract, dir string
	seed                  int
	ids                   ids
	runs                  int
}

// verdict is the part of schemathesis's JSON report that is looked at.
type verdict struct {
	Complete   bool
	Operations struct{ Total, Tested int }
	Cases      struct{ Generated int } `json:"test_cases"`
	Failures   []struct {
		Code, Title string
		Count       int
	}
	Errors []struct {
		Title string
		Count int
	}
}

// left out are the checks that no contract can decide: whether a request that is
// well formed is taken (the plan it names may not exist), and what API Gateway
// itself answers to methods that no route has.
const leftOut = "positive_data_acceptance,unsupported_method,allow_header_conformance,ensure_resource_availability,use_after_free"

// try runs schemathesis against target with a credential, a header. Failures are in the verdict; an error is a
// run that did not come to one.
func (j *judge) try(ctx context.Context, target, credential string, args ...string) (verdict, error) {
	var v verdict
	j.runs++
	config := filepath.Join(j.dir, "schemathesis.toml")
	if err := os.WriteFile(config, []byte(j.config()), 0o600); err != nil {
		return v, err
	}
	out := filepath.Join(j.dir, fmt.Sprintf("report-%d.json", j.runs))
	args = append([]string{
		"--config-file", config, "run", j.contract, "--url", target, "--header", credential,
		"--seed", strconv.Itoa(j.seed), "--max-examples", "8", "--phases", "examples,coverage,fuzzing", "--exclude-checks", leftOut,
		"--generation-database", "none", "--request-timeout", "30", "--workers", "1", "--continue-on-failure",
		"--warnings", "off", "--report-json-path", out,
	}, args...)
	cmd := exec.CommandContext(ctx, filepath.Join(filepath.Dir(j.python), "schemathesis"), args...)
	cmd.Dir = j.dir
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return v, err
	}
	text, rerr := os.ReadFile(out)
	if rerr != nil {
		return v, fmt.Errorf("schemathesis came to no verdict: %w\n%s", err, said.String())
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return v, fmt.Errorf("schemathesis's report: %w", err)
	}
	if !v.Complete {
		return v, fmt.Errorf("schemathesis did not finish\n%s", said.String())
	}
	if len(v.Failures)+len(v.Errors) > 0 && !strings.HasPrefix(target, "http://127.0.0.1") {
		fmt.Print(said.String())
	}
	return v, nil
}

// config names the resources that are there, so that not every path ends in a 404.
func (j *judge) config() string {
	var b strings.Builder
	for kind, under := range map[string]string{"plan": "/plans/", "bat": "/batches/", "conn": "/connections/", "exp": "/exports/"} {
		if id := j.ids[kind]; id != "" {
			fmt.Fprintf(&b, "[[operations]]\ninclude-path-regex = %q\nparameters = { \"path.id\" = %q }\n\n", "^"+under+`\{id\}`, id)
		}
	}
	// A body that is too large is refused as that, which is also a refusal.
	b.WriteString("[checks.negative_data_rejection]\nexpected-statuses = [\"4XX\"]\n\n")
	if id := j.ids["conn"]; id != "" {
		fmt.Fprintf(&b, "[parameters]\n\"query.connection\" = %q\n", id)
	}
	return b.String()
}
