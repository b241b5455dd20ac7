package privacy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// An erasure is a state machine, and every step is one conditional write:
//
//	cooling -> closing -> revoking -> deleting -> shredding -> settling -> done
//	   |
//	   +--> cancelled
//
// While it cools off nothing happens, and it can be taken back. Sending goes on
// until then, on purpose: a request that was a mistake, or somebody else's, would
// otherwise stop a company's prices for a week, and sales that end in that week
// would not end. From closing on there is no way back.
//
// Every step can be done again from its beginning, so that a crash anywhere means
// that the step is repeated by whoever gets the message next, or by the hourly
// timer when the message was lost.
const (
	Cooling   State = "cooling"   // can be cancelled until it starts
	Closing   State = "closing"   // sending and every way in is stopped
	Revoking  State = "revoking"  // Amazon's tokens are destroyed
	Deleting  State = "deleting"  // items and objects are deleted
	Shredding State = "shredding" // data keys are destroyed
	Settling  State = "settling"  // what was under way meanwhile ends, and is deleted
	Cancelled State = "cancelled" // before it started
)

// Times of an erasure.
const (
	// CoolingOff is the default; the law gives 30 days for all of it.
	CoolingOff = 7 * 24 * time.Hour
	// LongestCoolingOff leaves ten days for what may go wrong.
	LongestCoolingOff = 20 * 24 * time.Hour
	// ErasedWithin is what the law gives (GDPR 12(3): one month).
	ErasedWithin = 30 * 24 * time.Hour
	// closeFor is longer than a request runs that was let in before the doors were
	// closed (29 s, API Gateway's limit).
	closeFor = 5 * time.Minute
	// SettleFor is longer than anything goes on that began before the keys were
	// destroyed: an access token in some function's memory works for an hour.
	SettleFor = 70 * time.Minute
)

// Erasure is one request to erase everything of a tenant.
type Erasure struct {
	ID        string
	Tenant    tenant.ID
	State     State
	At        time.Time // of the request
	Starts    time.Time // end of the cooling-off
	Due       time.Time // when the law wants it done
	Started   time.Time // zero until then
	Finished  time.Time // done or cancelled; zero until then
	HeldSince time.Time // a legal hold keeps it from starting; zero: none
	Receipt   string    // signed, once done

	by, request string
	attempt     int64
	position    int64 // units of the step that are done
	deleted     int64 // in this pass, while settling
	settled     time.Time
	rung        time.Time
}

// Erasures takes requests for erasures and works them off. Request, Cancel, Get
// and the holds need DB, Queue, Clock and Rand; the rest is for Run and Replay.
type Erasures struct {
	DB    store.DB
	Queue store.Queue
	Clock clock.Clock
	Rand  io.Reader
	// CoolingOff is how long a request can be taken back, Settle how long a tenant
	// has to be quiet at the end: SettleFor, or less where nothing is real.
	CoolingOff, Settle time.Duration
	// Trace gives the trace header to send along with a message.
	Trace func(context.Context) string

	Sweeper store.Sweeper
	Blobs   store.Blobs
	// Keys destroys the tenant's data keys.
	Keys interface {
		Shred(ctx context.Context, t tenant.ID) error
	}
	Ledger interface {
		CheckTree(ctx context.Context, t tenant.ID) (ledger.Head, error)
	}
	Signer ledger.SignerFunc
	// Freeze stops sending for the tenant, Thaw removes the stop when nothing is
	// left to send, and Frozen says which item the stop is: it is deleted last.
	Freeze func(ctx context.Context, t tenant.ID) error
	Thaw   func(ctx context.Context, t tenant.ID) error
	Frozen func(table store.Table, key store.Key) bool
	// Entry says which of the directory's items about connections lets somebody in.
	Entry func(key store.Key) bool
	// Revoke ends what Amazon grants us for the tenant, as far as we can, and
	// destroys every secret of the tenant.
	Revoke func(ctx context.Context, t tenant.ID) error
	// DeleteUser deletes a member's user at the sign-in provider; one that is gone is no
	// error. Replay does without: the users that a restore names are gone, since a
	// tombstone is written last.
	DeleteUser func(ctx context.Context, member string) error
	// Piece is how long one Run works before it hands on. Zero: a minute.
	Piece time.Duration
}

// Items of the privacy table. The state is the tenant's own item; the directory
// finds it by its id, and lists what is open. They stay when all else goes.
const (
	erasurePK     = "erasure"
	erasureOpenPK = "erasure-open"
	holdPK        = "legal-hold"
	holdSK        = "hold"

	attrErasure   = "erasure"
	attrStarts    = "startsAt"
	attrStarted   = "startedAt"
	attrPosition  = "position"
	attrDeleted   = "deleted"
	attrSettled   = "settledAt"
	attrReceipt   = "receipt"
	attrSince     = "since"
	erasurePrefix = "era_"
)

func erasureKey(id string) store.Key     { return store.Key{PK: erasurePK, SK: id} }
func openKey(t tenant.ID) store.Key      { return store.Key{PK: erasureOpenPK, SK: string(t)} }
func erasurePointer(id string) store.Key { return store.Key{PK: erasurePK, SK: id} }

var holdKey = store.Key{PK: holdPK, SK: holdSK}

func erasureOf(t tenant.ID, it store.Item) Erasure {
	e := Erasure{
		ID: it.SK, Tenant: t, State: State(it.Str(attrState)), At: it.Time(attrAt), Starts: it.Time(attrStarts),
		Started: it.Time(attrStarted), Finished: it.Time(attrFinished), Receipt: it.Str(attrReceipt),
		by: it.Str(attrBy), request: it.Str(attrRequest), attempt: it.Int(attrAttempt), position: it.Int(attrPosition),
		deleted: it.Int(attrDeleted), settled: it.Time(attrSettled), rung: it.Time(attrRung),
	}
	e.Due = e.At.Add(ErasedWithin)
	return e
}

// ConfirmErasure is the text that a request has to repeat.
func ConfirmErasure(t tenant.ID) string { return "erase everything of " + string(t) }

// Request begins an erasure of everything of the tenant. confirm is the text that
// the caller typed, by who asked and request the id of the HTTP request.
func (x *Erasures) Request(ctx context.Context, t tenant.ID, by, request, confirm string) (Erasure, error) {
	if confirm != ConfirmErasure(t) {
		return Erasure{}, fault.New(fault.Invalid, "confirm", "In confirm, write %q. Everything that we keep of your company is then erased in %d days, and nobody can bring it back.",
			ConfirmErasure(t), int(x.CoolingOff.Hours()/24))
	}
	id, err := newPrefixed(erasurePrefix, x.Rand)
	if err != nil {
		return Erasure{}, err
	}
	now := x.Clock.Now()
	state := store.Item{Key: erasureKey(id), Attrs: map[string]any{
		attrState: string(Cooling), attrBy: by, attrRequest: request, attrAt: store.Millis(now),
		attrStarts: store.Millis(now.Add(x.CoolingOff)), attrRung: store.Millis(now),
	}}
	pointer := store.Item{Key: erasurePointer(id), Attrs: map[string]any{store.AttrTenant: string(t)}}
	open := store.Item{Key: openKey(t), Attrs: map[string]any{store.AttrTenant: string(t), attrErasure: id}}
	// All or none, and one at a time: there is no state that nobody finds, and the
	// timer knows of every one there is.
	err = x.DB.Transact(ctx,
		store.Write{Tenant: t, Table: store.Privacy, Put: &state, If: []store.Cond{store.Absent()}},
		store.Write{Tenant: store.Directory, Table: store.Privacy, Put: &pointer, If: []store.Cond{store.Absent()}},
		store.Write{Tenant: store.Directory, Table: store.Privacy, Put: &open, If: []store.Cond{store.Absent()}},
	)
	if errors.Is(err, store.ErrConflict) {
		it, err := x.DB.Get(ctx, store.Directory, store.Privacy, openKey(t))
		if err != nil {
			return Erasure{}, fmt.Errorf("privacy: read open erasure: %w", err)
		}
		return Erasure{}, fault.New(fault.Conflict, "erasure-exists", "Everything of your company is to be erased already: %s.", it.Str(attrErasure))
	}
	if err != nil {
		return Erasure{}, fmt.Errorf("privacy: keep erasure request: %w", err)
	}
	e := erasureOf(t, state)
	return e, x.held(ctx, &e)
}

// held fills in the legal hold.
func (x *Erasures) held(ctx context.Context, e *Erasure) error {
	it, err := x.DB.Get(ctx, e.Tenant, store.Privacy, holdKey)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("privacy: read legal hold of %s: %w", e.Tenant, err)
	}
	e.HeldSince = it.Time(attrSince)
	return nil
}

// Get returns an erasure by its id alone: 128 random bits that only who asked for
// it was told. When it is done no key and no member of the tenant is left that
// could prove anything else.
func (x *Erasures) Get(ctx context.Context, id string) (Erasure, error) {
	missing := fault.New(fault.NotFound, "", "There is no such erasure.")
	if !validPrefixed(erasurePrefix, id) {
		return Erasure{}, missing
	}
	pointer, err := x.DB.Get(ctx, store.Directory, store.Privacy, erasurePointer(id))
	if errors.Is(err, store.ErrNotFound) {
		return Erasure{}, missing.Because(err)
	}
	if err != nil {
		return Erasure{}, fmt.Errorf("privacy: find erasure %s: %w", id, err)
	}
	return x.of(ctx, tenant.ID(pointer.Str(store.AttrTenant)), id)
}

// of returns a tenant's erasure; another tenant's is as missing as none.
func (x *Erasures) of(ctx context.Context, t tenant.ID, id string) (Erasure, error) {
	missing := fault.New(fault.NotFound, "", "There is no such erasure.")
	if !validPrefixed(erasurePrefix, id) {
		return Erasure{}, missing
	}
	it, err := x.DB.Get(ctx, t, store.Privacy, erasureKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return Erasure{}, missing.Because(err)
	}
	if err != nil {
		return Erasure{}, fmt.Errorf("privacy: read erasure %s: %w", id, err)
	}
	e := erasureOf(t, it)
	if e.State != Cooling {
		return e, nil
	}
	return e, x.held(ctx, &e)
}

// Cancel takes an erasure back that has not started; doing so again changes
// nothing.
func (x *Erasures) Cancel(ctx context.Context, t tenant.ID, by, id string) (Erasure, error) {
	e, err := x.of(ctx, t, id)
	if err != nil || e.State == Cancelled {
		return e, err
	}
	now := x.Clock.Now()
	// Together: an erasure that is cancelled and still listed as open would keep the
	// tenant from asking again.
	err = x.DB.Transact(ctx,
		store.Write{Tenant: t, Table: store.Privacy, Key: erasureKey(id), Update: &store.Update{
			Set: map[string]any{attrState: string(Cancelled), attrFinished: store.Millis(now), attrBy: by},
			If:  []store.Cond{store.Eq(attrState, string(Cooling))},
		}},
		store.Write{Tenant: store.Directory, Table: store.Privacy, Key: openKey(t), Delete: true, If: []store.Cond{store.Eq(attrErasure, id)}},
	)
	if errors.Is(err, store.ErrConflict) {
		return Erasure{}, fault.New(fault.Conflict, "erasure-started", "The erasure has started and cannot be taken back.").Because(err)
	}
	if err != nil {
		return Erasure{}, fmt.Errorf("privacy: cancel erasure %s: %w", id, err)
	}
	return x.of(ctx, t, id)
}

// Hold keeps an erasure of the tenant from starting until Lift. One that has
// started cannot be held: that is a Conflict.
func (x *Erasures) Hold(ctx context.Context, t tenant.ID, by string) error {
	hold := store.Item{Key: holdKey, Attrs: map[string]any{attrBy: by, attrSince: store.Millis(x.Clock.Now())}}
	writes := []store.Write{{Tenant: t, Table: store.Privacy, Put: &hold, If: []store.Cond{store.Absent()}}}
	open, err := x.DB.Get(ctx, store.Directory, store.Privacy, openKey(t))
	switch {
	case err == nil:
		// Either the hold comes first or the start does.
		writes = append(writes, store.Write{Tenant: t, Table: store.Privacy, Key: erasureKey(open.Str(attrErasure)), Check: true,
			If: []store.Cond{store.Eq(attrState, string(Cooling))}})
	case !errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("privacy: look for an erasure of %s: %w", t, err)
	}
	err = x.DB.Transact(ctx, writes...)
	if errors.Is(err, store.ErrConflict) {
		if _, gerr := x.DB.Get(ctx, t, store.Privacy, holdKey); gerr == nil {
			return nil // it stands already
		}
		return fault.New(fault.Conflict, "erasure-started", "The erasure of %s has started and cannot be held.", t).Because(err)
	}
	if err != nil {
		return fmt.Errorf("privacy: hold %s: %w", t, err)
	}
	return nil
}

// Lift takes a legal hold away. The timer starts what it kept from starting.
func (x *Erasures) Lift(ctx context.Context, t tenant.ID) error {
	if err := x.DB.Delete(ctx, t, store.Privacy, holdKey); err != nil {
		return fmt.Errorf("privacy: lift hold of %s: %w", t, err)
	}
	return nil
}
