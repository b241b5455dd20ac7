package runtime

import (
	"context"
	"crypto/tls"
	"log/slog"

	"pricemanager/internal/runtime/metrics"
)

// Negotiated notes the TLS version of a new connection to Amazon. We offer 1.3 and
// refuse less than 1.2; anything between is Amazon's choice, logged as a warning and
// counted in the metric OldTLS, since it is not what we promise for our own side.
func (a *App) Negotiated(host string, version uint16) {
	level := slog.LevelInfo
	if version < tls.VersionTLS13 {
		level = slog.LevelWarn
		a.Metrics.Emit(nil, metrics.Count("OldTLS", 1))
	}
	// A connection is several requests': it has no context of its own.
	a.Log.Log(context.Background(), level, "connected", "host", host, "tls", tls.VersionName(version))
}
