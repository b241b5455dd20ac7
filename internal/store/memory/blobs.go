package memory

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Blobs is a store.Blobs in memory. It knows no retention: what a lifecycle
// rule or Object Lock does to a bucket is not imitated.
type Blobs struct {
	// Seen, when set before first use, is told of every call before it is done. It runs
	// without any lock held and concurrently.
	Seen func(method string, t tenant.ID, bucket store.Bucket, name string)

	clock clock.Clock

	mu   sync.RWMutex
	blob map[blobKey]blob
}

type blobKey struct {
	bucket store.Bucket
	tenant tenant.ID
	name   string
}

type blob struct {
	contentType string
	body        []byte
}

var (
	_ store.Blobs = (*Blobs)(nil)
	_ store.Large = (*Blobs)(nil)
)

// NewBlobs returns an empty Blobs. The clock decides when links expire.
func NewBlobs(clk clock.Clock) *Blobs {
	return &Blobs{clock: clk, blob: map[blobKey]blob{}}
}

func (b *Blobs) seen(method string, t tenant.ID, bucket store.Bucket, name string) {
	if b.Seen != nil {
		b.Seen(method, t, bucket, name)
	}
}

// Put stores the object.
func (b *Blobs) Put(ctx context.Context, t tenant.ID, bucket store.Bucket, name, contentType string, body []byte) error {
	b.seen("put", t, bucket, name)
	if err := cmp.Or(ctx.Err(), store.CheckName(t, bucket, name)); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.blob[blobKey{bucket, t, name}] = blob{contentType, append([]byte{}, body...)}
	return nil
}

// PutFrom stores the object, from where body stands.
func (b *Blobs) PutFrom(ctx context.Context, t tenant.ID, bucket store.Bucket, name, contentType string, body io.ReadSeeker) error {
	content, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	return b.Put(ctx, t, bucket, name, contentType, content)
}

// Get returns the object, or store.ErrNotFound.
func (b *Blobs) Get(ctx context.Context, t tenant.ID, bucket store.Bucket, name string) ([]byte, error) {
	b.seen("get", t, bucket, name)
	if err := cmp.Or(ctx.Err(), store.CheckName(t, bucket, name)); err != nil {
		return nil, err
	}
	_, body, err := b.read(blobKey{bucket, t, name})
	return body, err
}

func (b *Blobs) read(k blobKey) (contentType string, body []byte, err error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	o, ok := b.blob[k]
	if !ok {
		return "", nil, store.ErrNotFound
	}
	return o.contentType, append([]byte{}, o.body...), nil
}

// Read returns the object as a stream.
func (b *Blobs) Read(ctx context.Context, t tenant.ID, bucket store.Bucket, name string) (io.ReadCloser, int64, error) {
	body, err := b.Get(ctx, t, bucket, name)
	if err != nil {
		return nil, 0, err
	}
	return io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
}

// Delete removes the object.
func (b *Blobs) Delete(ctx context.Context, t tenant.ID, bucket store.Bucket, name string) error {
	b.seen("delete", t, bucket, name)
	if err := cmp.Or(ctx.Err(), store.CheckName(t, bucket, name)); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.blob, blobKey{bucket, t, name})
	return nil
}

// List returns the names that begin with prefix, sorted.
func (b *Blobs) List(ctx context.Context, t tenant.ID, bucket store.Bucket, prefix string) ([]string, error) {
	b.seen("list", t, bucket, prefix)
	if err := cmp.Or(ctx.Err(), store.CheckPrefix(t, bucket, prefix)); err != nil {
		return nil, err
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	var names []string
	for k := range b.blob {
		if k.bucket == bucket && k.tenant == t && strings.HasPrefix(k.name, prefix) {
			names = append(names, k.name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Link returns a URL that Follow understands; no network serves it.
func (b *Blobs) Link(ctx context.Context, t tenant.ID, bucket store.Bucket, name string, valid time.Duration) (string, error) {
	b.seen("link", t, bucket, name)
	if err := cmp.Or(ctx.Err(), store.CheckName(t, bucket, name), store.CheckLink(valid)); err != nil {
		return "", err
	}
	until := b.clock.Now().Add(valid).UnixMilli()
	u := url.URL{
		Scheme: "memory", Host: string(bucket), Path: "/" + string(t) + "/" + name,
		RawQuery: url.Values{"until": {strconv.FormatInt(until, 10)}}.Encode(),
	}
	return u.String(), nil
}

// Follow is what a browser would do with a link: it returns the object and its
// content type, or store.ErrNotFound when it is gone or the link has expired.
func (b *Blobs) Follow(link string) (contentType string, body []byte, err error) {
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "memory" {
		return "", nil, fmt.Errorf("%w: not a link of a memory.Blobs", store.ErrInvalid)
	}
	until, err := strconv.ParseInt(u.Query().Get("until"), 10, 64)
	if err != nil || b.clock.Now().UnixMilli() >= until {
		return "", nil, store.ErrNotFound
	}
	t, name, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	return b.read(blobKey{store.Bucket(u.Host), tenant.ID(t), name})
}

// Form returns a form that Submit understands; no network serves it.
func (b *Blobs) Form(ctx context.Context, t tenant.ID, bucket store.Bucket, name string, u store.Upload) (store.Form, error) {
	b.seen("form", t, bucket, name)
	if err := cmp.Or(ctx.Err(), store.CheckName(t, bucket, name), store.CheckUpload(u)); err != nil {
		return store.Form{}, err
	}
	policy, err := json.Marshal(formPolicy{string(t) + "/" + name, u, b.clock.Now().Add(u.Valid).UnixMilli()})
	if err != nil {
		return store.Form{}, fmt.Errorf("memory: form: %w", err)
	}
	return store.Form{URL: "memory://" + string(bucket), Fields: map[string]string{
		"key": string(t) + "/" + name, "Content-Type": u.ContentType, "policy": string(policy),
	}}, nil
}

type formPolicy struct {
	Key    string
	Upload store.Upload
	Until  int64 // Unix milliseconds
}

// Submit is what a browser would do with a form: it puts the object, or says
// why S3 would not.
func (b *Blobs) Submit(f store.Form, body []byte) error {
	var p formPolicy
	if err := json.Unmarshal([]byte(f.Fields["policy"]), &p); err != nil {
		return fmt.Errorf("%w: not a form of a memory.Blobs", store.ErrInvalid)
	}
	n := int64(len(body))
	if n < p.Upload.Min || n > p.Upload.Max || b.clock.Now().UnixMilli() >= p.Until ||
		f.Fields["Content-Type"] != p.Upload.ContentType || f.Fields["key"] != p.Key {
		return fmt.Errorf("%w: the policy does not allow it", store.ErrInvalid)
	}
	t, name, _ := strings.Cut(p.Key, "/")
	bucket := store.Bucket(strings.TrimPrefix(f.URL, "memory://"))
	return b.Put(context.Background(), tenant.ID(t), bucket, name, p.Upload.ContentType, body)
}

// Each calls visit with every object there is, of all tenants, until it
// returns false: for byte scans after an erasure.
func (b *Blobs) Each(visit func(t tenant.ID, bucket store.Bucket, name string, body []byte) bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for k, o := range b.blob {
		if !visit(k.tenant, k.bucket, k.name, append([]byte{}, o.body...)) {
			return
		}
	}
}
