package replay

import (
	"context"
	"maps"
	"strings"
	"testing"
)

// RefusesForeignHosts starts a function outside the local stage with each of the
// variables naming another host than Amazon's, and one without TLS: none may start.
// env is what the function needs besides, and complaint what its error is about.
// The caller cannot be parallel to other tests.
func RefusesForeignHosts(t *testing.T, run func(context.Context) error, env map[string]string, complaint string, variables ...string) {
	t.Helper()
	all := map[string]string{
		"STAGE": "prod", "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_EC2_METADATA_DISABLED": "true",
	}
	maps.Copy(all, env)
	for name, value := range all {
		t.Setenv(name, value)
	}
	for _, name := range variables {
		for address, want := range map[string]string{
			"https://sellingpartnerapi-eu.amazon.com.example.net": complaint,
			"https://example.net": complaint,
			"http://localhost":    "plain HTTP",
		} {
			t.Run(name+" "+address, func(t *testing.T) {
				t.Setenv(name, address)
				if err := run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("started with %v, want an error with %q", err, want)
				}
			})
		}
	}
}
