package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const seed = `{"sellers":[{"id":"A2ALICE","region":"EU","marketplaces":["A13V1IB3VIYZZH"],"listings":[{"marketplace":"A13V1IB3VIYZZH","sku":"F1","price":"3.00"}]}]}`

// files writes the inputs and returns the common flags.
func files(t *testing.T, report string) (dir string, args []string) {
	t.Helper()
	dir = t.TempDir()
	for name, content := range map[string]string{"secret": "s3cr3t\n", "seed.json": seed, "report.tsv": report} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, []string{"-addr", "127.0.0.1:0", "-state", filepath.Join(dir, "state.json"), "-seed-file", filepath.Join(dir, "seed.json"),
		"-listings", filepath.Join(dir, "report.tsv"), "-marketplace", "A1PA6795UKMFR9", "-seller", "A2ALICE", "-fill", "-drop-sku", "D1",
		"-client-secret-file", filepath.Join(dir, "secret"), "-redirect-uri", "http://localhost:8080/oauth/callback"}
}

// serve runs the command until the returned function is called, which returns
// its error; base is its address.
func serve(t *testing.T, args []string) (base string, log *bytes.Buffer, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	log = &bytes.Buffer{}
	done := make(chan error, 1)
	go func() {
		err := run(ctx, args, slog.New(slog.NewJSONHandler(io.MultiWriter(log, write), nil)))
		write.CloseWithError(io.EOF)
		done <- err
	}()
	dec := json.NewDecoder(read)
	for base == "" {
		var line struct{ Addr string }
		if err := dec.Decode(&line); err != nil {
			cancel()
			return "", log, func() error { return <-done }
		}
		base = line.Addr
	}
	go func() { _, _ = io.Copy(io.Discard, io.MultiReader(dec.Buffered(), read)) }()
	return "http://" + base, log, func() error { cancel(); return <-done }
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCommandSeedsOnceAndKeepsItsState(t *testing.T) {
	t.Parallel()
	_, args := files(t, "seller-sku\tprice\nD1\t7.00\n")
	listing := func(base, marketplace, sku string) string {
		return get(t, base+"/_fake/listing?region=EU&seller=A2ALICE&marketplace="+marketplace+"&sku="+sku)
	}
	base, log, stop := serve(t, args)
	if got := listing(base, "A1PA6795UKMFR9", "D1"); !strings.Contains(got, `"price":"7.00","min":"5.60","max":"10.50"`) {
		t.Errorf("from the report: %s", got)
	}
	if got := get(t, base+"/_fake/faults"); !strings.Contains(got, `"kind":"drop","sku":"D1"`) {
		t.Errorf("faults: %s", got)
	}
	resp, err := http.Post(base+"/_fake/listings?region=EU&seller=A2ALICE", "application/json", strings.NewReader(`[{"marketplace":"A13V1IB3VIYZZH","sku":"F1","price":"4.44"}]`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), "s3cr3t") {
		t.Error("the log holds the secret")
	}

	base, _, stop = serve(t, args)
	if got := listing(base, "A13V1IB3VIYZZH", "F1"); !strings.Contains(got, `"price":"4.44"`) {
		t.Errorf("after a restart: %s", got)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestCommandThatCannotSeedLeavesNoState(t *testing.T) {
	t.Parallel()
	dir, args := files(t, "seller-sku\tprice\nD1\t7,00\n")
	_, _, stop := serve(t, args)
	if err := stop(); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("%v, want the line of the report", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "state.json")); !os.IsNotExist(err) {
		t.Errorf("half a seed was left: %v", err)
	}
}

func TestCommandNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	logger := slog.New(slog.DiscardHandler)
	for _, args := range [][]string{nil, {"-client-secret-file", "x"}, {"-redirect-uri", "x"}, {"-client-secret-file", "/nonexistent", "-redirect-uri", "x"}} {
		if err := run(t.Context(), args, logger); err == nil {
			t.Errorf("%v: it ran", args)
		}
	}
}

func TestCommandWritesANewSecretToItsFileAndNotToItsLog(t *testing.T) {
	t.Parallel()
	dir, args := files(t, "seller-sku\tprice\nD1\t7.00\n")
	queue := filepath.Join(dir, "new-secrets")
	base, log, stop := serve(t, append(args, "-new-secret-file", queue))
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"sellingpartnerapi::client_credential:rotation"},
		"client_id": {"amzn1.application-oa2-client.fake"}, "client_secret": {"s3cr3t"}}
	resp, err := http.PostForm(base+"/auth/o2/token", form)
	if err != nil {
		t.Fatal(err)
	}
	var token struct {
		Access string `json:"access_token"`
	}
	err = json.NewDecoder(resp.Body).Decode(&token)
	resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/eu/applications/2023-11-30/clientSecret", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"User-Agent": {"PM/1 (Language=Go/1.26)"}, "X-Amz-Date": {"20261122T090000Z"}, "X-Amz-Access-Token": {token.Access}}
	if resp, err = http.DefaultClient.Do(r); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Fatalf("rotate: %d", resp.StatusCode)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	line, err := os.ReadFile(queue)
	var message struct {
		Payload struct {
			New struct {
				Secret string `json:"newClientSecret"`
			} `json:"applicationOAuthClientNewSecret"`
		} `json:"payload"`
	}
	if err != nil || json.Unmarshal(line, &message) != nil || message.Payload.New.Secret == "" {
		t.Fatalf("%s, %v", line, err)
	}
	if info, err := os.Stat(queue); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if strings.Contains(log.String(), message.Payload.New.Secret) {
		t.Error("the log holds the new secret")
	}
}
