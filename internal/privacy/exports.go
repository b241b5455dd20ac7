package privacy

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/fault"
	"pricemanager/internal/ledger"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Times of an export.
const (
	// LinkFor is how long a download link works.
	LinkFor = 15 * time.Minute
	// Keep is how long an archive can be downloaded. The bucket's lifecycle
	// deletes after one day, S3's shortest.
	Keep = 24 * time.Hour
	// lease is how long one worker has an export to itself: longer than the
	// function that works may run (10 minutes), so that it never has company.
	lease = 11 * time.Minute
	// ringAgain is when somebody who asks for a running export has its message
	// sent again. A retry of the queue comes after an hour (its visibility
	// timeout); later than that the message was lost.
	ringAgain = 65 * time.Minute
	// attempts is how often an export is tried before it has failed.
	attempts = 4
)

// ErrBusy: another worker has this export now. Let the message come again.
var ErrBusy = errors.New("privacy: another worker has the export")

// State is where an export stands.
type State string

// The states. Done and failed are final.
const (
	Running State = "running"
	Done    State = "done"
	Failed  State = "failed"
)

// Export is one request for everything of a tenant, or of one of its members.
type Export struct {
	ID       string
	Member   string // whose data it is, as the ledger names them; "" for everything of the tenant
	State    State
	By       string // who asked
	At       time.Time
	Finished time.Time // zero while running
	Files    int       // in the archive, its manifest included
	Bytes    int64     // of the archive
	SHA256   string    // of the archive, hex
	Expires  time.Time // of the archive
	Reason   string    // of a failure, for the user

	request string // id of the HTTP request
	object  string
	sealed  []byte // the archive's password
	rung    time.Time
	attempt int64
}

// Ledger is the part of *ledger.Log that goes into an export.
type Ledger interface {
	WriteExport(ctx context.Context, t tenant.ID, w io.Writer) (ledger.Exported, error)
	WriteActor(ctx context.Context, t tenant.ID, actor string, w io.Writer) (events int64, err error)
}

var _ Ledger = (*ledger.Log)(nil)

// Sealer seals the password of an archive; *envelope.Sealer is one.
type Sealer interface {
	Seal(ctx context.Context, t tenant.ID, p envelope.Purpose, at envelope.Where, plaintext []byte) ([]byte, error)
	Open(ctx context.Context, t tenant.ID, p envelope.Purpose, at envelope.Where, sealed []byte) ([]byte, error)
}

// Exports takes requests for exports and works them off. All fields but Trace
// are needed; Ledger, Objects, Spool and Sources only by Run.
type Exports struct {
	DB    store.DB
	Blobs store.Blobs
	// Objects keeps the archive, which may be larger than memory.
	Objects store.Large
	// Spool makes a temporary file, for what is larger than memory.
	Spool   func() (Temp, error)
	Sealer  Sealer
	Queue   store.Queue
	Ledger  Ledger
	Sources []Source
	Clock   clock.Clock
	Rand    io.Reader
	// Trace gives the trace header to send along with a message.
	Trace func(context.Context) string
}

// Items of the privacy table.
const (
	exportPK     = "export"
	attrState    = "state"
	attrBy       = "by"
	attrRequest  = "request"
	attrAt       = "at"
	attrRung     = "rungAt"
	attrAttempt  = "attempt"
	attrLease    = "leaseUntil"
	attrFinished = "finishedAt"
	attrFiles    = "files"
	attrBytes    = "bytes"
	attrSHA256   = "sha256"
	attrObject   = "object"
	attrReason   = "reason"
	attrMember   = "member"
	attrPassword = "password" // sealed
)

func exportKey(id string) store.Key { return store.Key{PK: exportPK, SK: id} }

func exportOf(item store.Item) Export {
	e := Export{
		ID: item.SK, State: State(item.Str(attrState)), By: item.Str(attrBy), request: item.Str(attrRequest),
		At: item.Time(attrAt), Finished: item.Time(attrFinished), Files: int(item.Int(attrFiles)),
		Bytes: item.Int(attrBytes), SHA256: item.Str(attrSHA256), Reason: item.Str(attrReason),
		Member: item.Str(attrMember), sealed: item.Bytes(attrPassword),
		object: item.Str(attrObject), rung: item.Time(attrRung), attempt: item.Int(attrAttempt),
	}
	if e.State == Done {
		e.Expires = e.Finished.Add(Keep)
	}
	return e
}

// Message is what the privacy queue and the erasure queue carry.
type Message struct {
	Kind    string    `json:"kind"` // KindExport or KindErasure
	Tenant  tenant.ID `json:"tenant"`
	Export  string    `json:"export,omitempty"`
	Erasure string    `json:"erasure,omitempty"`
	Trace   string    `json:"trace,omitempty"`
}

// The kinds of a Message. Each kind has a queue and a function of its own.
const (
	KindExport  = "export"
	KindErasure = "erasure"
)

// Request begins an export of everything of the tenant, or with a member, as the
// ledger names them, of what is about that member. by is who asked and request the id
// of the HTTP request, for the ledger.
func (x *Exports) Request(ctx context.Context, t tenant.ID, by, request, member string) (Export, error) {
	id, err := newID(x.Rand)
	if err != nil {
		return Export{}, err
	}
	now := store.Millis(x.Clock.Now())
	item := store.Item{Key: exportKey(id), Attrs: map[string]any{
		attrState: string(Running), attrBy: by, attrRequest: request, attrAt: now, attrRung: now,
	}}
	if member != "" {
		item.Attrs[attrMember] = member
	}
	// The item comes first. After a crash here the export is running and nobody
	// works on it; whoever asks for it later has its message sent again.
	if err := x.DB.Put(ctx, t, store.Privacy, item, store.Absent()); err != nil {
		return Export{}, fmt.Errorf("privacy: keep export request: %w", err)
	}
	if err := x.ring(ctx, t, id); err != nil {
		return Export{}, fault.New(fault.Unavailable, "", "The export was noted as %s but could not be started. Ask for it in %d minutes.",
			id, int(ringAgain.Minutes())).Because(err)
	}
	return exportOf(item), nil
}

func (x *Exports) ring(ctx context.Context, t tenant.ID, id string) error {
	m := Message{Kind: KindExport, Tenant: t, Export: id}
	if x.Trace != nil {
		m.Trace = x.Trace(ctx)
	}
	if err := store.SendJSON(ctx, x.Queue, m, 0); err != nil {
		return fmt.Errorf("privacy: send export %s: %w", id, err)
	}
	return nil
}

// Get returns an export; another tenant's is as missing as one that never was.
func (x *Exports) Get(ctx context.Context, t tenant.ID, id string) (Export, error) {
	missing := fault.New(fault.NotFound, "", "There is no such export.")
	if !validID(id) {
		return Export{}, missing
	}
	item, err := x.DB.Get(ctx, t, store.Privacy, exportKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return Export{}, missing.Because(err)
	}
	if err != nil {
		return Export{}, fmt.Errorf("privacy: read export %s: %w", id, err)
	}
	e := exportOf(item)
	if e.State == Running && x.Clock.Now().Sub(e.rung) >= ringAgain {
		x.ringAgain(ctx, t, e)
	}
	return e, nil
}

// ringAgain sends the message of an export that should be done by now. The
// condition lets one of many readers do it. It is a help on the side of a
// read: when it fails, the next reader after ringAgain tries again.
func (x *Exports) ringAgain(ctx context.Context, t tenant.ID, e Export) {
	_, err := x.DB.Update(ctx, t, store.Privacy, exportKey(e.ID), store.Update{
		Set: map[string]any{attrRung: store.Millis(x.Clock.Now())},
		If:  []store.Cond{store.Eq(attrState, string(Running)), store.Eq(attrRung, store.Millis(e.rung))},
	})
	if err == nil {
		_ = x.ring(ctx, t, e.ID)
	}
}

// Handed is what opens an archive: where it is and its password.
type Handed struct {
	URL      string // works for LinkFor
	Password secret.Value
}

// Hand gives a done export to who asked for it, and to nobody else of the tenant: the
// archive may hold more than their own rights let them see. It gives nothing, and no
// error, to others and when the archive is no longer kept.
func (x *Exports) Hand(ctx context.Context, t tenant.ID, e Export, actor string) (Handed, error) {
	left := e.Expires.Sub(x.Clock.Now())
	if e.State != Done || actor == "" || actor != e.By || left < time.Second {
		return Handed{}, nil
	}
	password, err := x.Sealer.Open(ctx, t, envelope.Exports, passwordPlace(e.ID), e.sealed)
	if err != nil {
		return Handed{}, fmt.Errorf("privacy: password of export %s: %w", e.ID, err)
	}
	defer clear(password)
	url, err := x.Blobs.Link(ctx, t, store.Exports, e.object, min(LinkFor, left))
	if err != nil {
		return Handed{}, fmt.Errorf("privacy: link to export %s: %w", e.ID, err)
	}
	return Handed{url, secret.New(string(password))}, nil
}

func passwordPlace(id string) envelope.Where {
	return envelope.Where{Table: store.Privacy, Key: exportKey(id), Field: attrPassword}
}

// Run works on one export. nil means that nothing is left to do for this
// message, be it that another delivery did it; with any other error the
// message should come again. An export that does not exist is a NotFound fault.
func (x *Exports) Run(ctx context.Context, t tenant.ID, id string) error {
	e, err := x.claim(ctx, t, id)
	if err != nil || e.State != Running {
		return err
	}
	if e.attempt > attempts {
		return x.fail(ctx, t, e)
	}
	made, err := x.make(ctx, t, e)
	if err != nil {
		x.release(ctx, t, e)
		return fmt.Errorf("privacy: export %s, attempt %d: %w", id, e.attempt, err)
	}
	defer func() { _ = made.zip.Close() }() // it is gone either way
	// The archive before the state: after a crash here the next attempt builds
	// another one, under another name, and this one expires with its bucket. The
	// attempt in the name keeps a worker that lost its lease from replacing the
	// archive that was handed out. Its password is kept with the state alone: an
	// archive that was left behind opens for nobody.
	object := fmt.Sprintf("%s/%d.zip", id, e.attempt)
	if err := x.Objects.PutFrom(ctx, t, store.Exports, object, "application/zip", io.NewSectionReader(made.zip, 0, made.size)); err != nil {
		x.release(ctx, t, e)
		return fmt.Errorf("privacy: keep archive of export %s: %w", id, err)
	}
	_, err = x.DB.Update(ctx, t, store.Privacy, exportKey(id), store.Update{
		Set: map[string]any{
			attrState: string(Done), attrFinished: store.Millis(x.Clock.Now()), attrObject: object,
			attrFiles: int64(made.files), attrBytes: made.size, attrSHA256: made.sha256, attrPassword: made.sealed,
		},
		Remove: []string{attrLease},
		If:     mine(e),
	})
	if errors.Is(err, store.ErrConflict) {
		// Another worker took over after our lease. Its archive counts, not ours.
		if err := x.Blobs.Delete(ctx, t, store.Exports, object); err != nil {
			return fmt.Errorf("privacy: remove superseded archive of export %s: %w", id, err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("privacy: finish export %s: %w", id, err)
	}
	return nil
}

// claim takes the lease and counts the attempt. An export that is not running
// comes back as it is.
func (x *Exports) claim(ctx context.Context, t tenant.ID, id string) (Export, error) {
	now := x.Clock.Now()
	item, err := x.DB.Update(ctx, t, store.Privacy, exportKey(id), store.Update{
		Set: map[string]any{attrLease: store.Millis(now.Add(lease))},
		Add: map[string]int64{attrAttempt: 1},
		If: []store.Cond{
			store.Eq(attrState, string(Running)),
			store.AnyOf(store.Missing(attrLease), store.Le(attrLease, store.Millis(now))),
		},
	})
	if err == nil {
		return exportOf(item), nil
	}
	if !errors.Is(err, store.ErrConflict) {
		return Export{}, fmt.Errorf("privacy: take export %s: %w", id, err)
	}
	e, err := x.Get(ctx, t, id)
	if err == nil && e.State == Running {
		err = fmt.Errorf("%w: %s", ErrBusy, id)
	}
	return e, err
}

// mine is the condition that nobody took the export over since e was claimed.
func mine(e Export) []store.Cond {
	return []store.Cond{store.Eq(attrState, string(Running)), store.Eq(attrAttempt, e.attempt)}
}

// release gives the lease back, so that a retry need not wait for its end. If
// that fails, it ends by itself.
func (x *Exports) release(ctx context.Context, t tenant.ID, e Export) {
	_, _ = x.DB.Update(ctx, t, store.Privacy, exportKey(e.ID), store.Update{Remove: []string{attrLease}, If: mine(e)})
}

func (x *Exports) fail(ctx context.Context, t tenant.ID, e Export) error {
	_, err := x.DB.Update(ctx, t, store.Privacy, exportKey(e.ID), store.Update{
		Set: map[string]any{
			attrState: string(Failed), attrFinished: store.Millis(x.Clock.Now()),
			attrReason: fmt.Sprintf("It could not be completed in %d attempts. Ask for a new one, or ask us with this id.", attempts),
		},
		Remove: []string{attrLease},
		If:     mine(e),
	})
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("privacy: give up export %s: %w", e.ID, err)
	}
	return nil
}

const idPrefix = "exp_"

var idCode = base32.StdEncoding.WithPadding(base32.NoPadding)

func newID(rand io.Reader) (string, error) { return newPrefixed(idPrefix, rand) }
func validID(id string) bool               { return validPrefixed(idPrefix, id) }

// newPrefixed is the prefix and 26 characters that hold 128 random bits.
func newPrefixed(prefix string, rand io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return "", fmt.Errorf("privacy: id: %w", err)
	}
	return prefix + strings.ToLower(idCode.EncodeToString(b[:])), nil
}

func validPrefixed(prefix, id string) bool {
	rest, ok := strings.CutPrefix(id, prefix)
	return ok && len(rest) == 26 && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz234567") == ""
}
