package main

import (
	"context"
	"errors"
	"fmt"

	"pricemanager/internal/connect"
	"pricemanager/internal/identity"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/secret"
	"pricemanager/internal/secret/rotation"
)

// config is what the function reads from its environment.
type config struct {
	runtime.Base
	Tables  runtime.Tables
	Secrets secrets
	Amazon  runtime.Amazon
}

// secrets are runtime.Secrets of which two are needed.
type secrets struct{ runtime.Secrets }

// Validate refuses a function that would not know what to rotate.
func (s secrets) Validate() error {
	if s.LWA == "" || s.Pepper == "" || s.LWA == s.Pepper {
		return errors.New("SECRET_LWA and SECRET_PEPPER must be set, and be two")
	}
	return nil
}

type handler struct {
	app    *runtime.App
	names  runtime.Secrets
	lwa    *connect.Rotation
	pepper identity.PepperRotation
}

// result says what was done.
type result struct {
	Did []string `json:"did"` // the secrets that a rotation went on for
}

// errUnknown is an event that is none of ours.
var errUnknown = errors.New("secret-rotation: no such operation, step or secret")

// handle answers one invocation. A rotation that waits for Amazon is no failure,
// but for Secrets Manager, which would take it for done.
func (h *handler) handle(ctx context.Context, r rotation.Request) (result, error) {
	did, err := h.do(ctx, r)
	for _, name := range did {
		h.app.Metrics.Emit(map[metrics.Dim]string{metrics.Kind: name}, metrics.Count("SecretRotation", 1))
	}
	h.app.Log.InfoContext(ctx, "rotation", "job", string(r.Op), "step", string(r.Step), "did", did, "ok", err == nil)
	return result{append([]string{}, did...)}, err
}

func (h *handler) do(ctx context.Context, r rotation.Request) ([]string, error) {
	if r.Step != "" {
		return h.step(ctx, r)
	}
	switch {
	case r.Op == rotation.Tick:
		return h.tick(ctx)
	case r.Op == rotation.Take:
		err := h.lwa.Take(ctx, connect.NewSecret{ClientID: r.ClientID, Secret: secret.New(r.NewSecret), Ends: r.Ends})
		return done(rotation.LWA, err == nil, err)
	case r.Op == rotation.Rotate && r.Name == rotation.LWA:
		did, err := h.lwa.Ask(ctx)
		return done(rotation.LWA, did, err)
	case r.Op == rotation.Rotate && r.Name == rotation.Pepper:
		err := h.pepper.Rotate(ctx)
		return done(rotation.Pepper, err == nil, err)
	}
	return nil, fmt.Errorf("%w: job %q, name %q", errUnknown, r.Op, r.Name)
}

// tick looks after every secret; what keeps one from it does not keep the other.
func (h *handler) tick(ctx context.Context) ([]string, error) {
	var did []string
	lwa, lerr := h.lwa.Tick(ctx)
	if lwa {
		did = append(did, rotation.LWA)
	}
	pepper, perr := h.pepper.Tick(ctx)
	if pepper && perr == nil {
		did = append(did, rotation.Pepper)
	}
	return did, errors.Join(lerr, perr)
}

func (h *handler) step(ctx context.Context, r rotation.Request) ([]string, error) {
	switch r.SecretID {
	case h.names.LWA:
		return done(rotation.LWA, true, h.lwa.Step(ctx, r.Step, r.Version))
	case h.names.Pepper:
		return done(rotation.Pepper, true, h.pepper.Step(ctx, r.Step, r.Version))
	}
	return nil, fmt.Errorf("%w: secret %q", errUnknown, r.SecretID)
}

func done(name string, did bool, err error) ([]string, error) {
	if !did || err != nil {
		return nil, err
	}
	return []string{name}, nil
}
