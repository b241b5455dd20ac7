package main

import (
	"bytes"
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"strings"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/plan"
	"pricemanager/internal/web"
)

// uploadDoc is an upload as the API shows it.
type uploadDoc struct {
	Upload    string            `json:"upload"`
	File      string            `json:"file"`
	URL       string            `json:"url"`
	Fields    map[string]string `json:"fields"`
	MaxBytes  int64             `json:"maxBytes"`
	ExpiresAt time.Time         `json:"expiresAt"`
}

// createUpload answers a form with which the caller uploads a price file by
// itself, straight into the files bucket.
func (h *handler) createUpload(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in struct{ File, ContentType string }
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	name, err := fileName(in.File)
	if err != nil {
		return nil, err
	}
	typ := in.ContentType
	if typ == "" {
		typ = "application/octet-stream"
	}
	if _, _, err := mime.ParseMediaType(typ); err != nil || len(typ) > 100 {
		return nil, fault.New(fault.Invalid, "content-type", "contentType is %q: want a media type such as text/csv.", typ)
	}
	u, err := h.plans.NewUpload(ctx, r.Tenant, name, typ, h.random)
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusCreated, uploadDoc{Upload: u.ID, File: u.File, URL: u.Form.URL, Fields: u.Form.Fields,
		MaxBytes: plan.MaxUpload, ExpiresAt: u.Expires.UTC().Truncate(time.Second)})
}

func fileName(s string) (string, error) {
	name := strings.TrimSpace(s)
	if name == "" || len(name) > 200 {
		return "", fault.New(fault.Invalid, "file-name", "Give the file's name, at most 200 bytes: in the query as ?file=prices.csv with the content, or as \"file\" of an upload.")
	}
	return name, nil
}

// source is what a plan is made of: the name of the file, and the upload that
// has its content, "" when the request has it.
func (h *handler) source(ctx context.Context, r *web.Request) (name, upload string, err error) {
	if id, ok := uploaded(r.Body); ok {
		name, err = h.plans.Uploaded(ctx, r.Tenant, id)
		return name, id, err
	}
	name, err = fileName(r.Query.Get("file"))
	return name, "", err
}

// uploaded returns the upload that a request names instead of bringing a file:
// its only member is "upload". Whatever else a body is, it is a file.
func uploaded(body []byte) (id string, ok bool) {
	if len(body) > 100 {
		return "", false
	}
	var in struct {
		Upload *string `json:"upload"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if d.Decode(&in) != nil || in.Upload == nil || d.More() {
		return "", false
	}
	return *in.Upload, true
}

// planUpload has a plan made of an upload.
func (h *handler) planUpload(ctx context.Context, in plan.Input, upload string) (*web.Response, error) {
	p, err := h.plans.Begin(ctx, in, plan.UploadName(upload))
	if err != nil {
		return nil, err
	}
	return h.planLater(ctx, p)
}

// planLater has a plan made that was begun, and says where it will be.
//
// Crash points: the plan is written before the message is sent. When that fails
// the caller is told so and asks again, which makes another plan; the first one
// stays at reading until it expires.
func (h *handler) planLater(ctx context.Context, p plan.Stored) (*web.Response, error) {
	if err := h.planBell.Ring(ctx, plan.Job{Tenant: p.Tenant, Plan: p.ID}, 0); err != nil {
		return nil, err
	}
	resp, err := web.JSON(http.StatusAccepted, showPlan(p))
	if err != nil {
		return nil, err
	}
	return resp.With("Location", "/plans/"+p.ID), nil
}
