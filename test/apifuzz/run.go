package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"pricemanager/infra/local/demo"
	"pricemanager/infra/local/localaws"
	"pricemanager/infra/local/stack"
	"pricemanager/internal/price"
)

// What takes away what the fuzzer works with is tried alone and last: its own API
// key, and its own session, whose id it finds in the lists.
const endsKey, endsSession = "notMe", "signOut,endSession,endMembersSessions"

// people are the operations of members, which an API key cannot ask for.
const people = "/x-function == account"

func run(ctx context.Context, getenv func(string) string) (r report, err error) {
	start := time.Now()
	defer func() { r.Seconds = time.Since(start).Round(time.Second).Seconds() }()
	root, err := localaws.ProjectRoot()
	if err != nil {
		return r, err
	}
	seconds, seed, err := settings(getenv)
	if err != nil {
		return r, err
	}
	dir, err := os.MkdirTemp("", "apifuzz-")
	if err != nil {
		return r, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	python, err := localaws.EnsureVenvFor(ctx, "", filepath.Join("test", "apifuzz", "requirements.txt"), os.Stderr)
	if err != nil {
		return r, err
	}
	fmt.Println("Starting a stack and doing the main job on it, for something to be found")
	s, ids, err := world(ctx, root, dir)
	if err != nil {
		return r, err
	}
	defer func() { _ = s.Close() }()
	judge := &judge{python: python, contract: filepath.Join(root, "infra", "openapi.yaml"), dir: dir, seed: seed, ids: ids}
	key := "Authorization: Bearer " + s.APIKey.Reveal()
	owner, err := signedIn(ctx, s)
	if err != nil {
		return r, err
	}
	fmt.Println("Controls: a server error and a wrong answer, made on purpose")
	if r.Controls, err = controls(ctx, judge, s.URL, key); err != nil {
		return r, err
	}
	fmt.Printf("Trying the API for up to %d s\n", seconds)
	var verdicts []verdict
	for _, part := range []struct {
		credential string
		seconds    int
		args       []string
	}{
		{key, seconds * 2 / 3, []string{"--exclude-by", people, "--exclude-operation-id", endsKey}},
		// The cookie goes along with everything, also where the fuzzer would leave it out:
		// what is answered without one is for the matrix of test/isolation.
		{owner, seconds / 3, append([]string{"--include-by", people, "--generation-with-security-parameters", "false"}, each("--exclude-operation-id", endsSession)...)},
		{owner, 10, append([]string{"--generation-with-security-parameters", "false"}, each("--include-operation-id", endsSession)...)},
		{key, 10, []string{"--include-operation-id", endsKey}},
	} {
		v, err := judge.try(ctx, s.URL, part.credential, append(part.args, "--max-time", strconv.Itoa(max(part.seconds, 1)))...)
		if err != nil {
			return r, err
		}
		verdicts = append(verdicts, v)
	}
	r.Operations = verdicts[0].Operations.Total
	r.Failures = map[string]int{}
	for _, v := range verdicts {
		r.Tested += v.Operations.Tested
		r.Requests += v.Cases.Generated
		for _, f := range v.Failures {
			r.Failures[f.Code+" "+f.Title] += f.Count
			if f.Code == serverError {
				r.ServerErrors += f.Count
			} else {
				r.Violations += f.Count
			}
		}
		for _, e := range v.Errors {
			err = errors.Join(err, fmt.Errorf("schemathesis: %s (%d)", e.Title, e.Count))
		}
	}
	if r.ServerErrors+r.Violations > 0 {
		err = errors.Join(err, errors.New("the API does not keep its contract"))
	}
	if r.Tested != r.Operations || r.Tested == 0 {
		err = errors.Join(err, fmt.Errorf("%d of %d operations were tried", r.Tested, r.Operations))
	}
	return r, err
}

// each says an option once for each of the names.
func each(option, names string) (args []string) {
	for _, n := range strings.Split(names, ",") {
		args = append(args, option, n)
	}
	return args
}

func settings(getenv func(string) string) (seconds, seed int, err error) {
	seconds, seed = 60, 20261122
	for name, to := range map[string]*int{"SECONDS": &seconds, "SEED": &seed} {
		if text := getenv(name); text != "" {
			if *to, err = strconv.Atoi(text); err != nil || *to < 1 {
				return 0, 0, fmt.Errorf("%s is %q: want a whole number from 1", name, text)
			}
		}
	}
	return seconds, seed, nil
}

// world is a stack on which the main job was done, and the ids that it left.
func world(ctx context.Context, root, dir string) (*stack.Stack, ids, error) {
	prices := filepath.Join(root, "events", "prices")
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, nil, err
	}
	s, err := stack.Up(ctx, stack.Options{
		Root: root, StateDir: filepath.Join(dir, "state"), Speed: 60, Log: log, EnforceIAM: true,
		SeedFile: filepath.Join(prices, "fakeamazon-seed.json"),
		Parameters: map[string]string{"Visibility": "2s", "UnknownFor": "2s", "ConfirmWithin": "10s",
			// The limits on requests are tried elsewhere; here they would hide every other answer.
			"LimitAllow": "127.0.0.1,::1", "TenantQuota": "60000", "CallerQuota": "60000"},
	})
	if err != nil {
		text, _ := os.ReadFile(log.Name())
		return nil, nil, fmt.Errorf("%w\n%s", err, text[max(0, len(text)-2000):])
	}
	found := ids{}
	_, err = demo.Run(ctx, demo.Options{
		URL: s.URL, APIKey: s.APIKey, ExportDir: dir, Out: io.Discard, Transport: found,
		Files:   []demo.File{{Path: filepath.Join(prices, "us-price-quantity.txt"), Marketplace: "US"}},
		Sellers: map[price.Region]string{price.NA: "A2DEMOSELLERNA"},
	})
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("main job: %w", err), s.Close())
	}
	return s, found, nil
}

// ids are what the main job's requests named, by what is before the underscore.
type ids map[string]string

func (i ids) RoundTrip(r *http.Request) (*http.Response, error) {
	for _, part := range strings.Split(r.URL.Path, "/") {
		if kind, rest, ok := strings.Cut(part, "_"); ok && rest != "" {
			i[kind] = part
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

// controls lets schemathesis judge two answers that are made wrong on the way, and
// counts those that it objects to.
func controls(ctx context.Context, j *judge, target, credential string) (int, error) {
	u, err := url.Parse(target)
	if err != nil {
		return 0, err
	}
	caught := 0
	for name, spoil := range map[string]func(*http.Response) error{
		serverError: func(r *http.Response) error { r.StatusCode = http.StatusInternalServerError; return nil },
		wrongBody: func(r *http.Response) error {
			body, err := json.Marshal(map[string]any{"version": 7})
			_ = r.Body.Close()
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(string(body))), int64(len(body))
			r.Header.Set("Content-Length", strconv.Itoa(len(body)))
			return err
		},
	} {
		proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) }, ModifyResponse: spoil}
		front := httptest.NewServer(proxy)
		v, err := j.try(ctx, front.URL, credential, "--include-operation-id", "version", "--max-time", "5")
		front.Close()
		if err != nil {
			return caught, err
		}
		ok := false
		for _, f := range v.Failures {
			ok = ok || f.Code == name
		}
		if !ok {
			return caught, fmt.Errorf("schemathesis passed an answer that was made wrong: it ought to report %s, and reports %+v", name, v.Failures)
		}
		caught++
	}
	return caught, nil
}
