package rotation_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"pricemanager/internal/secret"
	"pricemanager/internal/secret/rotation"
)

type function struct {
	failed string
	err    error
	got    []rotation.Request
}

func (f *function) Invoke(_ context.Context, in *lambda.InvokeInput, _ ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	var r rotation.Request
	if err := json.Unmarshal(in.Payload, &r); err != nil {
		return nil, err
	}
	f.got = append(f.got, r)
	out := &lambda.InvokeOutput{}
	if f.failed != "" {
		out.FunctionError = &f.failed
	}
	return out, f.err
}

func TestANewSecretIsHandedOverWholeAndFailuresAreToldWithoutIt(t *testing.T) {
	t.Parallel()
	ends := time.Date(2027, 5, 21, 9, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		f  function
		ok bool
	}{
		"taken":           {function{}, true},
		"function failed": {function{failed: "Unhandled"}, false},
		"not reached":     {function{err: errors.New("no route")}, false},
	} {
		f := c.f
		err := rotation.NewClient(&f, "pm-test-secret-rotation").Take(t.Context(), "amzn1.client", secret.New("hidden"), ends)
		if (err == nil) != c.ok || (err != nil && strings.Contains(err.Error(), "hidden")) {
			t.Errorf("%s: %v", name, err)
		}
		want := rotation.Request{Op: rotation.Take, ClientID: "amzn1.client", NewSecret: "hidden", Ends: ends}
		if len(f.got) != 1 || f.got[0] != want {
			t.Errorf("%s: sent %+v", name, f.got)
		}
	}
}
