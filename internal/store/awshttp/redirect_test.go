package awshttp_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"pricemanager/internal/store/awshttp"
)

func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer other.Close()
	for _, status := range []int{301, 302, 307, 308} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, status) }))
		defer s.Close()
		for name, client := range map[string]awshttp.Client{"the default": awshttp.Wrap(nil), "the SDK's": awshttp.Wrap(sdk.NewBuildableClient())} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL, strings.NewReader("prices"))
			if err != nil {
				t.Fatal(err)
			}
			res, err := client.Do(r)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			_ = res.Body.Close()
			if res.StatusCode != status {
				t.Errorf("%s answers %d with %d", name, status, res.StatusCode)
			}
		}
	}
}
