// Package logs is the product's structured log: one JSON object a line through
// log/slog, with the fields that tie the lines of one piece of work together
// (tenant, requestId, batch, trace) taken from the context.
//
// It promises that a credential does not reach a line: attributes with a known
// secret name are dropped, and the known forms of tokens and keys are masked in
// every message, string, error and byte slice, also inside structs and maps.
// That is the second line of defence; the first is secret.Value, which does not
// print. A log line that cannot be written is lost without an error: logging
// never fails a request.
//
// It does not measure (package metrics) and it does not audit (package ledger).
package logs

import (
	"context"
	"io"
	"log/slog"

	"pricemanager/internal/tenant"
)

// Fields are what every line of one piece of work carries.
type Fields struct {
	Tenant    tenant.ID
	RequestID string
	Batch     string
	Trace     string // the trace's root id, e.g. "1-5759e988-bd862e3fe1be46a994272793"
}

type key struct{}

// With returns ctx with the non-empty fields of f laid over those it has.
func With(ctx context.Context, f Fields) context.Context {
	cur := From(ctx)
	if f.Tenant != "" {
		cur.Tenant = f.Tenant
	}
	if f.RequestID != "" {
		cur.RequestID = f.RequestID
	}
	if f.Batch != "" {
		cur.Batch = f.Batch
	}
	if f.Trace != "" {
		cur.Trace = f.Trace
	}
	return context.WithValue(ctx, key{}, cur)
}

// From returns the fields of ctx; all empty when it has none.
func From(ctx context.Context) Fields {
	f, _ := ctx.Value(key{}).(Fields)
	return f
}

// New returns the logger of one function: JSON lines to w from the level up.
func New(w io.Writer, level slog.Leveler, service, version string) *slog.Logger {
	h := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})
	return slog.New(&handler{next: h}).With("service", service, "version", version)
}

// handler adds the context's fields and cleans everything on its way out. It
// wraps the whole handler and not only ReplaceAttr, because slog hands groups
// and values of arbitrary types past that hook.
type handler struct{ next slog.Handler }

var _ slog.Handler = (*handler)(nil)

func (h *handler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, r.Level, Redact(r.Message), r.PC)
	f := From(ctx)
	for _, a := range []slog.Attr{
		slog.String("tenant", string(f.Tenant)), slog.String("requestId", f.RequestID),
		slog.String("batch", f.Batch), slog.String("trace", f.Trace),
	} {
		if a.Value.String() != "" {
			out.AddAttrs(a)
		}
	}
	r.Attrs(func(a slog.Attr) bool {
		if a, ok := cleanAttr(a); ok {
			out.AddAttrs(a)
		}
		return true
	})
	return h.next.Handle(ctx, out)
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	kept := make([]slog.Attr, 0, len(attrs))
	for _, a := range attrs {
		if a, ok := cleanAttr(a); ok {
			kept = append(kept, a)
		}
	}
	return &handler{next: h.next.WithAttrs(kept)}
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{next: h.next.WithGroup(name)}
}
