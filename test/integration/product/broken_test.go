package product_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// invoke calls a function through the Lambda API and returns how it failed, ""
// when it did not.
func (r *rig) invoke(t *testing.T, function, event string) string {
	t.Helper()
	out, err := lambda.NewFromConfig(r.Config()).Invoke(t.Context(), &lambda.InvokeInput{
		FunctionName: aws.String(r.Function(function)), Payload: []byte(event),
	})
	if err != nil {
		t.Fatalf("invoke %s: %v", function, err)
	}
	if out.FunctionError != nil {
		return fmt.Sprintf("%s: %s", *out.FunctionError, out.Payload)
	}
	return ""
}

// environment replaces the environment of a function, which starts it anew.
func (r *rig) environment(t *testing.T, function string, change func(map[string]string)) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // repairs are made when a test has failed, too
	client, name := lambda.NewFromConfig(r.Config()), aws.String(r.Function(function))
	now, err := client.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: name})
	if err != nil {
		t.Fatal(err)
	}
	variables := maps.Clone(now.Environment.Variables)
	change(variables)
	_, err = client.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
		FunctionName: name, Environment: &types.Environment{Variables: variables},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// breakDown makes a function fail at every start, by the wrong configuration
// that a bad deployment brings, and returns what repairs it: at the end of the
// test at the latest.
func (r *rig) breakDown(t *testing.T, function string) (repair func()) {
	t.Helper()
	var stage string
	r.environment(t, function, func(v map[string]string) {
		stage = v["STAGE"]
		delete(v, "STAGE")
	})
	var once sync.Once
	repair = func() {
		t.Helper()
		once.Do(func() { r.environment(t, function, func(v map[string]string) { v["STAGE"] = stage }) })
	}
	t.Cleanup(repair)
	return repair
}

// forgetTokens has price-sync start anew, without the access tokens it holds.
func (r *rig) forgetTokens(t *testing.T) {
	t.Helper()
	r.environment(t, "price-sync", func(v map[string]string) { v["STARTED_FOR"] = t.Name() })
}

// oneFunctionFailing breaks each function by itself. What the seller sees of the
// others must not change, work that needs the broken one waits, and it is done
// when the function is repaired.
func oneFunctionFailing(t *testing.T, r *rig) {
	s := r.seller(t, "onefails", 3)
	prices := 0
	// next is a price that the offers do not have yet.
	next := func() string {
		prices++
		return fmt.Sprintf("20.%02d", prices)
	}
	// works checks the routes of the three functions that answer the API, but for
	// the broken one.
	works := func(t *testing.T, broken string) {
		t.Helper()
		for function, path := range map[string]string{
			"oauth": "/connections", "gdpr-export": "/ledger", "price-upload": "/offers?connection=" + string(s.conn) + "&marketplace=" + string(de),
		} {
			if function == broken {
				s.api.refuses(t, http.MethodGet, path, "")
				continue
			}
			ask[struct{}](t, s.api, http.StatusOK, http.MethodGet, path, "")
		}
	}

	t.Run("price-sync", func(t *testing.T) {
		repair := r.breakDown(t, "price-sync")
		to := next()
		batch := s.change(t, to)
		works(t, "price-sync")
		if b := s.batch(t, batch); b.State != "staging" {
			t.Errorf("%v with nobody to work on it, want staging", b)
		}
		repair()
		// The doorbell has failed and is hidden for minutes: the sweep rings again.
		eventually(t, time.Minute, "the batch is done", func() bool {
			r.sweep(t)
			return s.batch(t, batch).State == "done"
		})
		s.isObserved(t, batch, to)
	})
	t.Run("token-broker", func(t *testing.T) {
		repair := r.breakDown(t, "token-broker")
		r.forgetTokens(t)
		to := next()
		batch := s.change(t, to)
		works(t, "token-broker")
		eventually(t, 30*time.Second, "the batch is under way", func() bool { return s.batch(t, batch).State == "sending" })
		repair()
		s.isObserved(t, batch, to)
	})
	t.Run("audit-stream", func(t *testing.T) {
		repair := r.breakDown(t, "audit-stream")
		size := ask[ledgerDoc](t, s.api, http.StatusOK, http.MethodGet, "/ledger", "").Size
		to := next()
		batch := s.change(t, to)
		works(t, "audit-stream")
		s.isObserved(t, batch, to)
		if now := ask[ledgerDoc](t, s.api, http.StatusOK, http.MethodGet, "/ledger", "").Size; now != size {
			t.Errorf("the ledger grew from %d to %d events with nobody to write it", size, now)
		}
		repair()
		h := s.history(t, batch)
		h.isOnce(t)
	})
	t.Run("gdpr-export", func(t *testing.T) {
		repair := r.breakDown(t, "gdpr-export")
		to := next()
		batch := s.change(t, to)
		works(t, "gdpr-export")
		s.api.refuses(t, http.MethodPost, "/exports", "{}")
		s.isObserved(t, batch, to)
		repair()
		h := s.history(t, batch)
		h.isOnce(t)
	})
	t.Run("scheduler", func(t *testing.T) {
		repair := r.breakDown(t, "scheduler")
		if r.invoke(t, "scheduler", `{"job":"sweep"}`) == "" {
			t.Error("the scheduler works and should be broken")
		}
		to := next()
		batch := s.change(t, to)
		works(t, "scheduler")
		s.isObserved(t, batch, to)
		repair()
		r.sweep(t)
	})
	t.Run("oauth", func(t *testing.T) {
		repair := r.breakDown(t, "oauth")
		to := next()
		batch := s.change(t, to)
		works(t, "oauth")
		s.isObserved(t, batch, to)
		repair()
		ask[struct{}](t, s.api, http.StatusOK, http.MethodGet, "/connections", "")
	})
	t.Run("price-upload", func(t *testing.T) {
		to := next()
		batch := s.change(t, to)
		repair := r.breakDown(t, "price-upload")
		works(t, "price-upload")
		s.api.refuses(t, http.MethodPost, "/plans?file=prices.csv", s.file(next()))
		ask[connectionDoc](t, s.api, http.StatusCreated, http.MethodPost, "/connections", `{"region":"NA"}`)
		ask[exportDoc](t, s.api, http.StatusAccepted, http.MethodPost, "/exports", "{}")
		eventually(t, 30*time.Second, "Amazon shows what was applied before", func() bool {
			for _, sku := range s.skus {
				if r.amazon.shows(t, s.account, de, sku) != to {
					return false
				}
			}
			return true
		})
		repair()
		s.isObserved(t, batch, to)
	})
}
