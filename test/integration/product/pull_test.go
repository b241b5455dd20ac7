package product_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// fed is a seller whose price file is fetched from a web server, and a second
// source of theirs whose host does not exist.
type fed struct {
	seller        *seller
	source, wrong string
}

const fedPrice = "20.70"

type pullDoc struct {
	ID, State, LastPlan, SHA256 string
	Failures                    int
	Problem                     *struct{ Type, Detail string }
}

// feed sets the sources, which the schedule of the template has fetched within a
// minute. The web server is this process, with TLS: price-pull, told so by what
// only the local stage takes, finds it where example.com would be.
func (r *rig) feed(t *testing.T) fed {
	t.Helper()
	s := r.seller(t, "pulling", 3)
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s.file(fedPrice)) }))
	t.Cleanup(srv.Close)
	r.tell(t, "price-pull", map[string]string{
		"FETCH_LOCAL":       "example.com:443=" + srv.Listener.Addr().String(),
		"FETCH_LOCAL_ROOTS": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})),
	})
	create := func(url string) string {
		return ask[pullDoc](t, s.api, http.StatusCreated, http.MethodPost, "/pulls", fmt.Sprintf(`{"url":%q,"schedule":{"everyMinutes":15}}`, url)).ID
	}
	return fed{s, create("https://example.com/prices.csv"), create("https://prices.invalid/prices.csv")}
}

// tell adds to the environment of a function.
func (r *rig) tell(t *testing.T, function string, env map[string]string) {
	t.Helper()
	client, name := lambda.NewFromConfig(r.Config()), aws.String(r.Function(function))
	now, err := client.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: name})
	if err != nil {
		t.Fatal(err)
	}
	all := maps.Clone(now.Environment.Variables)
	maps.Copy(all, env)
	set := func(ctx context.Context, vars map[string]string) error {
		_, err := client.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: name, Environment: &types.Environment{Variables: vars}})
		return err
	}
	if err := set(t.Context(), all); err != nil {
		t.Fatal(err)
	}
}

// isFetched waits for the schedule, and goes the seller's way from there: the plan
// waits, is applied, and its prices show at Amazon.
func (f fed) isFetched(t *testing.T) {
	var p pullDoc
	eventually(t, 2*time.Minute, "the file was fetched", func() bool {
		p = ask[pullDoc](t, f.seller.api, http.StatusOK, http.MethodGet, "/pulls/"+f.source, "")
		if p.Problem != nil {
			t.Fatalf("fetching failed: %+v", p.Problem)
		}
		return p.LastPlan != ""
	})
	var made planDoc
	eventually(t, time.Minute, "the plan is made", func() bool {
		made = ask[planDoc](t, f.seller.api, http.StatusOK, http.MethodGet, "/plans/"+p.LastPlan, "")
		return made.State != "reading"
	})
	if made.State != "ready" || made.Summary.Planned != len(f.seller.skus) {
		t.Fatalf("the plan is %s: %+v", made.State, made.Summary)
	}
	f.seller.isObserved(t, f.seller.apply(t, made).ID, fedPrice)
	eventually(t, time.Minute, "the other source failed", func() bool {
		p = ask[pullDoc](t, f.seller.api, http.StatusOK, http.MethodGet, "/pulls/"+f.wrong, "")
		return p.Failures > 0
	})
	if p.State != "active" || p.Problem == nil || p.Problem.Type != "fetch-host" || p.LastPlan != "" {
		t.Errorf("a host that does not exist: %+v", p)
	}
}
