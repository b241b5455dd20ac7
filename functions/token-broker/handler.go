package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/connect"
	"pricemanager/internal/ledger"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/logs"
	"pricemanager/internal/secret"
	"pricemanager/internal/spapi/broker/wire"
	"pricemanager/internal/tenant"
)

// config is what the function reads from its environment.
type config struct {
	runtime.Base
	Tables  runtime.Tables
	Secrets secrets
	Amazon  runtime.Amazon
	// SealKey wraps the data keys that access tokens are sealed under.
	SealKey string `env:"KMS_SEAL_KEY, required"`
}

// secrets are runtime.Secrets of which two are needed.
type secrets struct{ runtime.Secrets }

// Validate refuses a broker that would not know where secrets are, or would
// put one connection's beside another's.
func (s secrets) Validate() error {
	if s.LWA == "" || !strings.HasSuffix(s.ConnectionPrefix, "/") {
		return errors.New("SECRET_LWA must be set and SECRET_CONNECTION_PREFIX must end in a slash")
	}
	return nil
}

type handler struct {
	log    *slog.Logger
	broker *connect.Broker
	outbox outbox
	clock  clock.Clock
	random io.Reader
}

// outbox records what the ledger has to know; ledger.Outbox is one.
type outbox interface {
	Record(ctx context.Context, t tenant.ID, key string, e ledger.Event) error
}

// handle answers one request. What went wrong is part of the answer, so that
// the caller learns Amazon's verdict; the log gets the cause and no secret.
func (h *handler) handle(ctx context.Context, r wire.Request) (wire.Response, error) {
	ctx = logs.With(ctx, logs.Fields{Tenant: r.Tenant})
	t, err := h.do(ctx, r)
	if err != nil {
		h.log.WarnContext(ctx, "token request failed", "op", string(r.Op), "connection", string(r.Connection), "grant", r.Grant,
			"outcome", string(amazon.Classify(err)), "cause", err)
	}
	return wire.Answer(t, err), nil
}

func (h *handler) do(ctx context.Context, r wire.Request) (amazon.Token, error) {
	switch r.Op {
	case wire.Exchange:
		return h.broker.Exchange(ctx, r.Tenant, r.Connection, r.Grant, secret.New(r.Code), r.RedirectURI)
	case wire.Access:
		return h.access(ctx, r)
	case wire.Grantless:
		return h.broker.Grantless(ctx, r.Scope)
	case wire.Discard:
		return amazon.Token{}, h.broker.Discard(ctx, r.Tenant, r.Connection, r.Grant)
	}
	return amazon.Token{}, fmt.Errorf("token-broker: there is no operation %q", r.Op)
}

// access gives an access token out once that is recorded: a seller's ledger knows
// of every one. What is recorded and then lost on the way out was still read.
func (h *handler) access(ctx context.Context, r wire.Request) (amazon.Token, error) {
	t, err := h.broker.Access(ctx, amazon.Account{Tenant: r.Tenant, Connection: r.Connection, Grant: r.Grant})
	if err != nil {
		return amazon.Token{}, err
	}
	id := make([]byte, 16)
	if _, err := io.ReadFull(h.random, id); err != nil {
		return amazon.Token{}, fmt.Errorf("token-broker: %w", err)
	}
	err = h.outbox.Record(ctx, r.Tenant, "token#"+hex.EncodeToString(id), ledger.Event{
		Type: ledger.TokenIssued, At: h.clock.Now(), Actor: "system:token-broker", Target: "connection:" + string(r.Connection),
	})
	if err != nil {
		return amazon.Token{}, fmt.Errorf("token-broker: an access token that cannot be recorded is not given out: %w", err)
	}
	return t, nil
}
