package main

import (
	"context"
	"errors"
	"io"
	"time"

	"pricemanager/internal/plan"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/privacy"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// givenFiles writes the price files as they were given to us, byte for byte, as long
// as they are kept: uploads, what was fetched, and what came with a request. They
// stand under the names of their objects, which are ids; what the sender called them
// is in the tables of uploads and plans.
type givenFiles struct {
	plans *plan.Store
	blobs store.Blobs
}

type uploadRow struct {
	ID      string    `json:"id"`
	File    string    `json:"file"`
	Expires time.Time `json:"expiresAt"`
}

func (s givenFiles) export(ctx context.Context, t tenant.ID, w *privacy.Writer) error {
	table, err := w.Table("uploads", "id", "file", "expires_at")
	if err != nil {
		return err
	}
	for after := ""; ; {
		list, next, err := s.plans.Uploads(ctx, t, after, page)
		if err != nil {
			return err
		}
		for _, u := range list {
			if err := table.Add(uploadRow{u.ID, u.File, u.Expires}, u.ID, u.File, privacy.Stamp(u.Expires)); err != nil {
				return err
			}
		}
		if after = next; after == "" {
			break
		}
	}
	names, err := s.blobs.List(ctx, t, store.Files, plan.UploadName(""))
	if err != nil {
		return err
	}
	for after := ""; ; {
		list, next, err := s.plans.List(ctx, t, after, page)
		if err != nil {
			return err
		}
		for _, p := range list {
			names = append(names, plan.ContentName(p.ID)) // not every plan has one
		}
		if after = next; after == "" {
			break
		}
	}
	for _, name := range names {
		if err := s.copy(ctx, t, name, w); err != nil {
			return err
		}
	}
	return nil
}

// spool makes temporary files in the directory, "" for the system's own. They lose
// their names as soon as they are open, so that nothing stays behind.
func spool(dir string) func() (privacy.Temp, error) {
	files := pricefile.TempFiles(dir)
	return func() (privacy.Temp, error) { return files() }
}

func (s givenFiles) copy(ctx context.Context, t tenant.ID, name string, w *privacy.Writer) error {
	in, _, err := s.blobs.Read(ctx, t, store.Files, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // all of it was read, or the error counts
	out, _, err := w.Create("files/" + name)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return err
}
