package isolation

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/runtime"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
	"pricemanager/internal/web"
)

const (
	ours   = tenant.ID("t_ours000001")
	theirs = tenant.ID("t_theirs0001")
	thing  = "thing_abcdefghabcdefgh"
)

// doorman takes the tenant for the key.
type doorman struct{}

func (doorman) Authenticate(_ context.Context, key secret.Value) (identity.Principal, error) {
	return identity.Principal{Tenant: tenant.ID(key.Reveal()), Role: identity.Machine, Scopes: identity.Scopes()}, nil
}

// shop is a function with one route, over a store in which ours has a thing.
func shop(t *testing.T, answer func(ctx context.Context, w *World, s *envelope.Sealer, r *web.Request) (*web.Response, error)) World {
	t.Helper()
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	w := World{Function: "shop", Clock: clk, DB: memory.New(clk), KMS: memkms.New(rand.Reader), Blobs: memory.NewBlobs(clk), Queues: []*memory.Queue{memory.NewQueue(clk)},
		Owner: ours, Stranger: theirs, Credential: [2]string{"Authorization", "Bearer " + string(theirs)}}
	sealer := envelope.New(w.KMS, w.DB, clk)
	must(t, w.DB.Put(t.Context(), ours, store.Offers, store.Item{Key: store.Key{PK: "things", SK: thing}, Attrs: map[string]any{"n": int64(1)}}))
	must(t, w.Blobs.Put(t.Context(), ours, store.Files, thing, "text/plain", []byte("x")))
	rt, err := web.New(slog.New(slog.DiscardHandler), clk, "",
		web.Route{Method: http.MethodGet, Pattern: "/things/{id}", Scope: identity.OffersRead, Handler: func(ctx context.Context, r *web.Request) (*web.Response, error) {
			return answer(ctx, &w, sealer, r)
		}})
	must(t, err)
	w.Router = rt
	w.Serve = func(ctx context.Context, in json.RawMessage) (json.RawMessage, error) {
		return runtime.JSON(rt.Lambda(doorman{}))(ctx, in)
	}
	return w
}

// get is what an honest function does.
func get(ctx context.Context, w *World, r *web.Request) (*web.Response, error) {
	_, err := w.DB.Get(ctx, r.Tenant, store.Offers, store.Key{PK: "things", SK: r.Params["id"]})
	if errors.Is(err, store.ErrNotFound) {
		return nil, fault.New(fault.NotFound, "", "There is no such thing.")
	}
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, map[string]string{"id": r.Params["id"]})
}

// exists reports what the stranger must not learn.
func exists(ctx context.Context, w *World, r *web.Request) bool {
	_, err := w.DB.Get(ctx, ours, store.Offers, store.Key{PK: "things", SK: r.Params["id"]})
	return err == nil
}

func TestWhatAStrangerCouldTellIsFound(t *testing.T) {
	t.Parallel()
	ev := events.APIGatewayProxyRequest{HTTPMethod: http.MethodGet, Path: "/things/" + thing, Headers: map[string]string{"Authorization": "Bearer " + string(ours)}}
	missing := fault.New(fault.NotFound, "", "There is no such thing.")
	for name, c := range map[string]struct {
		answer func(ctx context.Context, w *World, s *envelope.Sealer, r *web.Request) (*web.Response, error)
		want   string // in what is found; "" for nothing
	}{
		"an honest one": {want: "", answer: func(ctx context.Context, w *World, _ *envelope.Sealer, r *web.Request) (*web.Response, error) {
			return get(ctx, w, r)
		}},
		"another tenant's is given": {want: "answered 200", answer: func(ctx context.Context, w *World, _ *envelope.Sealer, r *web.Request) (*web.Response, error) {
			if exists(ctx, w, r) {
				return web.JSON(http.StatusOK, struct{}{})
			}
			return nil, missing
		}},
		"a look into another tenant": {want: "looked into what is of [" + string(ours), answer: func(ctx context.Context, w *World, _ *envelope.Sealer, r *web.Request) (*web.Response, error) {
			exists(ctx, w, r)
			return get(ctx, w, r)
		}},
		"other words for what is there": {want: "not yours", answer: func(ctx context.Context, w *World, _ *envelope.Sealer, r *web.Request) (*web.Response, error) {
			if r.Tenant != ours && exists(ctx, w, r) {
				return nil, fault.New(fault.NotFound, "", "That thing is not yours.")
			}
			return get(ctx, w, r)
		}},
		"a header for what is there": {want: "X-There", answer: func(ctx context.Context, w *World, _ *envelope.Sealer, r *web.Request) (*web.Response, error) {
			if r.Tenant == ours {
				return get(ctx, w, r)
			}
			res, err := web.JSON(http.StatusNotFound, struct{}{})
			if exists(ctx, w, r) {
				res.With("X-There", "1")
			}
			return res, err
		}},
		"one call more for what is there": {want: "get privacy", answer: func(ctx context.Context, w *World, _ *envelope.Sealer, r *web.Request) (*web.Response, error) {
			if exists(ctx, w, r) {
				_, _ = w.DB.Get(ctx, r.Tenant, store.Privacy, store.Key{PK: "a", SK: "b"})
			}
			return get(ctx, w, r)
		}},
		"the key service is asked for what is there": {want: "kms generate", answer: func(ctx context.Context, w *World, s *envelope.Sealer, r *web.Request) (*web.Response, error) {
			if exists(ctx, w, r) {
				_, err := s.Seal(ctx, r.Tenant, envelope.Exports, envelope.Where{Table: store.Privacy, Key: store.Key{PK: "a", SK: "b"}, Field: "f"}, []byte("x"))
				if err != nil {
					return nil, err
				}
			}
			return get(ctx, w, r)
		}},
		"a message for what is there": {want: "1 sent", answer: func(ctx context.Context, w *World, _ *envelope.Sealer, r *web.Request) (*web.Response, error) {
			if exists(ctx, w, r) {
				must(t, w.Queues[0].Send(ctx, []byte(`{}`), 0))
			}
			return get(ctx, w, r)
		}},
		"an object of another's": {want: "looked into what is of [" + string(ours), answer: func(ctx context.Context, w *World, _ *envelope.Sealer, r *web.Request) (*web.Response, error) {
			_, _ = w.Blobs.Get(ctx, ours, store.Files, r.Params["id"])
			return get(ctx, w, r)
		}},
		"a change of another's": {want: "changed what is of the owner", answer: func(ctx context.Context, w *World, _ *envelope.Sealer, r *web.Request) (*web.Response, error) {
			if r.Tenant != ours {
				must(t, w.DB.Delete(ctx, ours, store.Offers, store.Key{PK: "things", SK: r.Params["id"]}))
			}
			return get(ctx, w, r)
		}},
		"403 for everything": {want: "answered 403", answer: func(ctx context.Context, w *World, _ *envelope.Sealer, r *web.Request) (*web.Response, error) {
			if r.Tenant != ours {
				return nil, fault.New(fault.Forbidden, "", "No.")
			}
			return get(ctx, w, r)
		}},
	} {
		names, leaks := stranger(t, func(t *testing.T) World { return shop(t, c.answer) }, ev, "")
		got := strings.Join(leaks, "\n")
		if !names || (c.want == "") != (got == "") || !strings.Contains(strings.ReplaceAll(got, "\u00a0", " "), c.want) {
			t.Errorf("%s: names %t, found %q, want %q", name, names, got, c.want)
		}
	}
}

func TestAnIDIsReplacedByOneThatLooksLikeIt(t *testing.T) {
	t.Parallel()
	for _, same := range []string{"marketplace.A1PA6795UKMFR9", "SKU-1", "2026-11-22T09:00:00Z"} {
		if got, n := another(same); got != same || n != 0 {
			t.Errorf("%q became %q (%d)", same, got, n)
		}
	}
	for in, form := range map[string]string{
		"plan_mrswiidsmfxgi33nebrhs5dfom":    `^plan_m[a-z2-7]{24}[aeimquy4]$`, // the last letter of 16 bytes
		"/suspicions/000000000000007.x/y":    `^/suspicions/[0-9]{15}\.x/y$`,
		"member:muinhro3vpef66all and SKU-1": `^member:m[a-z2-7]{16} and SKU-1$`,
	} {
		if got, n := another(in); n != 1 || got == in || !regexp.MustCompile(form).MatchString(got) {
			t.Errorf("%q became %q (%d)", in, got, n)
		}
	}
	if a, b := anonymous("x_aaaaaaaaaaaaaaaa, y_bbbbbbbbbbbbbbbb, aaaaaaaaaaaaaaaa"), anonymous("x_cccccccccccccccc, y_dddddddddddddddd, dddddddddddddddd"); a == b || a != "x_#1, y_#2, #1" {
		t.Errorf("%q, %q", a, b)
	}
}
