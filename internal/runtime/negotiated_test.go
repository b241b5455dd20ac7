package runtime

import (
	"bytes"
	"crypto/tls"
	"strings"
	"testing"

	"pricemanager/internal/clock"
)

func TestEveryConnectionIsLoggedAndOldTLSIsCounted(t *testing.T) {
	t.Parallel()
	for version, want := range map[uint16]struct {
		text    string
		counted bool
	}{
		tls.VersionTLS13: {`"tls":"TLS 1.3"`, false},
		tls.VersionTLS12: {`"tls":"TLS 1.2"`, true},
	} {
		var out bytes.Buffer
		app := newApp(Base{Stage: Local, Service: "pm-local-price-sync"}, &out, clock.Real{})
		app.Negotiated("sellingpartnerapi-eu.amazon.com", version)
		got := out.String()
		if !strings.Contains(got, want.text) || !strings.Contains(got, `"host":"sellingpartnerapi-eu.amazon.com"`) {
			t.Errorf("%x: logged %s", version, got)
		}
		if strings.Contains(got, `"OldTLS":1`) != want.counted || strings.Contains(got, `"WARN"`) != want.counted {
			t.Errorf("%x: counted %s", version, got)
		}
	}
}
