package main

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"pricemanager/internal/fault"
	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
	"pricemanager/internal/web"
)

// head signs the newest state of the ledger, whenever somebody asks.
func (h *handler) head(ctx context.Context, r *web.Request) (*web.Response, error) {
	signed, err := h.log.Checkpoint(ctx, r.Tenant)
	if err != nil {
		return nil, err
	}
	signer, err := h.signer(ctx)
	if err != nil {
		return nil, err
	}
	// Size and root come from the note itself, so that the three always agree.
	c, err := ledger.OpenCheckpoint(signed, signer.VerifierKey())
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, map[string]any{"size": c.Size, "root": c.Root.String(), "checkpoint": signed})
}

// key publishes every key that signs or has signed, with its time.
func (h *handler) key(ctx context.Context, _ *web.Request) (*web.Response, error) {
	signer, err := h.signer(ctx)
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, map[string]any{"key": signer.VerifierKey(), "keys": signer.Keys()})
}

// checkpoints lists archived checkpoints, for whoever kept none of their own.
func (h *handler) checkpoints(ctx context.Context, r *web.Request) (*web.Response, error) {
	after, limit, err := r.Page(20, 50)
	if err != nil {
		return nil, err
	}
	kept, next, err := h.archive.Checkpoints(ctx, r.Tenant, after, limit)
	if err != nil {
		return nil, err
	}
	items := make([]map[string]any, len(kept))
	for i, c := range kept {
		items[i] = map[string]any{"size": c.Size, "root": c.Root.String(), "at": c.At, "checkpoint": c.Signed}
	}
	return web.JSON(http.StatusOK, map[string]any{"items": items, "next": web.Cursor(next)})
}

// inclusion proves that an event is in the ledger of a size, e.g. that of a
// checkpoint which the caller keeps.
func (h *handler) inclusion(ctx context.Context, r *web.Request) (*web.Response, error) {
	leaf, err := number(r, "leaf", true)
	if err != nil {
		return nil, err
	}
	size, err := number(r, "size", false)
	if err != nil {
		return nil, err
	}
	p, err := h.log.Inclusion(ctx, r.Tenant, leaf, size)
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, map[string]any{"leaf": p.Leaf, "size": p.Size, "leafHash": p.Hash, "root": p.Root, "path": list(p.Path)})
}

// consistency proves that the ledger of one size begins with that of another.
func (h *handler) consistency(ctx context.Context, r *web.Request) (*web.Response, error) {
	from, err := number(r, "from", true)
	if err != nil {
		return nil, err
	}
	to, err := number(r, "to", false)
	if err != nil {
		return nil, err
	}
	p, err := h.log.Consistency(ctx, r.Tenant, from, to)
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, map[string]any{"from": p.From, "to": p.To, "fromRoot": p.FromRoot, "toRoot": p.ToRoot, "path": list(p.Path)})
}

// receipt is a page of what a seller can keep of a batch.
func (h *handler) receipt(ctx context.Context, r *web.Request) (*web.Response, error) {
	b, err := h.batches.Get(ctx, r.Tenant, r.Params["id"])
	if errors.Is(err, store.ErrNotFound) {
		return nil, fault.New(fault.NotFound, "batch-not-found", "There is no such batch.").Because(err)
	}
	if err != nil {
		return nil, err
	}
	page, err := h.log.Receipt(ctx, r.Tenant, b.ID, b.Created, b.Finished, r.Query.Get("after"))
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, page)
}

// number reads a parameter of the query: decimal digits, 0 when it may be and is
// absent.
func number(r *web.Request, name string, needed bool) (int64, error) {
	text := r.Query.Get(name)
	if text == "" && !needed {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strings.HasPrefix(text, "+") || n < 0 {
		return 0, fault.New(fault.Invalid, name, "%s is %q: want a whole number from 0 on, such as %s=0.", name, text, name)
	}
	return n, nil
}

// list is never null, also when nothing is needed to prove something.
func list(path []tlog.Hash) []tlog.Hash {
	if path == nil {
		return []tlog.Hash{}
	}
	return path
}
