package plan

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// A price file that is too large for a request is uploaded to the files bucket
// first. The upload's item remembers what the file is called; whether there is a
// file only the bucket knows.
const (
	uploadsPK = "uploads"
	aFile     = "file"
	// UploadWithin is how long an upload may begin.
	UploadWithin = 15 * time.Minute
	// MaxUpload bounds an uploaded file, in bytes.
	MaxUpload = pricefile.MaxBytes
	// uploadKept is how long a plan can be made of an upload.
	uploadKept = 24 * time.Hour
)

var uploadForm = regexp.MustCompile(`^upl_[a-z2-7]{26}$`)

func uploadKey(id string) store.Key { return store.Key{PK: uploadsPK, SK: id} }

// UploadName is the blob of an upload.
func UploadName(id string) string { return "uploads/" + id }

// Upload is a file that may have been uploaded.
type Upload struct {
	ID   string
	File string // the name that the seller gave it
	Form store.Form
	// Expires is when the form does.
	Expires time.Time
}

// NewUpload makes an upload and the form that it is sent with.
//
// Crash points: the item comes before the form, so that what was uploaded is
// known; an item without a file expires.
func (s *Store) NewUpload(ctx context.Context, t tenant.ID, file, contentType string, random io.Reader) (Upload, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return Upload{}, fmt.Errorf("plan: new upload: %w", err)
	}
	id := "upl_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
	now := s.Clock.Now()
	err := s.DB.Put(ctx, t, store.Offers, store.Item{Key: uploadKey(id), Attrs: map[string]any{
		aFile: file, aTTL: now.Add(uploadKept).Unix(),
	}}, store.Absent())
	if err != nil {
		return Upload{}, fmt.Errorf("plan: write upload: %w", err)
	}
	form, err := s.Blobs.Form(ctx, t, store.Files, UploadName(id), store.Upload{
		ContentType: contentType, Min: 1, Max: MaxUpload, Valid: UploadWithin,
	})
	if err != nil {
		return Upload{}, fmt.Errorf("plan: sign upload: %w", err)
	}
	return Upload{ID: id, File: file, Form: form, Expires: now.Add(UploadWithin)}, nil
}

// Uploaded returns the name of an uploaded file. Faults: NotFound for an upload
// that does not exist, is another tenant's or too old; Conflict when its content
// has not arrived.
func (s *Store) Uploaded(ctx context.Context, t tenant.ID, id string) (file string, err error) {
	missing := fault.New(fault.NotFound, "upload-not-found", "There is no such upload. An upload can be planned for %d hours.", int(uploadKept/time.Hour))
	if !uploadForm.MatchString(id) {
		return "", missing
	}
	it, err := s.DB.Get(ctx, t, store.Offers, uploadKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return "", missing.Because(err)
	}
	if err != nil {
		return "", fmt.Errorf("plan: read upload: %w", err)
	}
	if s.Clock.Now().Unix() >= it.Int(aTTL) {
		return "", missing
	}
	body, _, err := s.Blobs.Read(ctx, t, store.Files, UploadName(id))
	if errors.Is(err, store.ErrNotFound) {
		return "", fault.New(fault.Conflict, "upload-incomplete", "The file has not been uploaded yet. Send the form that came with the upload first.").Because(err)
	}
	if err != nil {
		return "", fmt.Errorf("plan: look for upload: %w", err)
	}
	return it.Str(aFile), body.Close()
}

// content is an upload in a temporary file.
type content struct {
	pricefile.Temp
	size int64
}

func (c content) Size() int64 { return c.size }

// fetch brings an upload to where it can be read several times.
func (r *run) fetch(ctx context.Context, name string) (content, error) {
	body, _, err := r.Blobs.Read(ctx, r.tenant, store.Files, name)
	if errors.Is(err, store.ErrNotFound) {
		return content{}, fault.New(fault.Gone, "upload-not-found", "The uploaded file is not there any more. Upload it again.").Because(err)
	}
	if err != nil {
		return content{}, fmt.Errorf("plan: read upload: %w", err)
	}
	defer func() { _ = body.Close() }() // all of it was read, or the error counts
	spool := r.Spool
	if spool == nil {
		spool = pricefile.TempFiles("")
	}
	file, err := spool()
	if err != nil {
		return content{}, err
	}
	// The form bounds what is uploaded; this bounds what is believed about it.
	n, err := io.Copy(file, io.LimitReader(body, MaxUpload+1))
	if err != nil {
		return content{}, errors.Join(fmt.Errorf("plan: read upload: %w", err), file.Close())
	}
	return content{file, n}, nil
}
