package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/signin/totp"
)

// TestACodeOfTheCommandLineIsTheAuthenticators: RFC 6238 appendix B at 59 seconds.
func TestACodeOfTheCommandLineIsTheAuthenticators(t *testing.T) {
	t.Parallel()
	const key = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	for _, c := range []struct{ arg, in string }{{key, ""}, {"-", key + "\n"}, {"-", strings.ToLower(key)}} {
		var out bytes.Buffer
		if err := printCode([]string{c.arg}, strings.NewReader(c.in), time.Unix(59, 0), &out); err != nil || out.String() != "287082\n" {
			t.Errorf("%q: %q, %v", c.arg, out.String(), err)
		}
	}
	for _, args := range [][]string{nil, {key, key}, {"no secret!"}, {"-"}} {
		var out bytes.Buffer
		err := printCode(args, strings.NewReader(""), time.Unix(59, 0), &out)
		if err == nil || out.Len() != 0 || len(args) == 1 && !errors.Is(err, totp.ErrSecret) {
			t.Errorf("%q: %q, %v", args, out.String(), err)
		}
	}
}
