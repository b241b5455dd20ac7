package lane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Kind says what a doorbell rings for.
type Kind string

// The kinds of doorbells.
const (
	KindLane  Kind = "lane"  // a connection has work: prices to send or read, or a catalogue to import
	KindApply Kind = "apply" // a batch is to be staged and committed
	// KindSubscribe: Amazon is to tell us about a connection. It is none of the
	// engine's work; whoever takes doorbells in passes it to package connect.
	KindSubscribe Kind = "subscribe"
)

// Doorbell is a message of the queue. It carries no work: losing or repeating
// one changes nothing but the time.
type Doorbell struct {
	Kind       Kind               `json:"kind"`
	Tenant     tenant.ID          `json:"tenant"`
	Connection price.ConnectionID `json:"connection,omitempty"`
	Batch      string             `json:"batch,omitempty"`
	Plan       string             `json:"plan,omitempty"`
	Trace      string             `json:"trace,omitempty"` // X-Ray header of the cause
}

// ErrMalformed is returned for a message that is no doorbell. It can never
// succeed; the queue's redrive policy moves it to the dead-letter queue.
var ErrMalformed = errors.New("lane: malformed doorbell")

// ParseDoorbell reads a message body.
func ParseDoorbell(body []byte) (Doorbell, error) {
	var d Doorbell
	if err := json.Unmarshal(body, &d); err != nil {
		return Doorbell{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	ok := d.Tenant.Valid()
	switch d.Kind {
	case KindLane, KindSubscribe:
		ok = ok && d.Connection != ""
	case KindApply, KindRevert:
		ok = ok && d.Batch != ""
	case KindPreview:
		ok = ok && d.Plan != ""
	default:
		ok = false
	}
	if !ok {
		return Doorbell{}, fmt.Errorf("%w: kind %q", ErrMalformed, d.Kind)
	}
	return d, nil
}

// A marker in the directory says that a lane or an apply job is open, so that
// the sweep can find it without knowing the tenants. It is written before the
// work it announces, and removed only if nobody touched it since the lane was
// found empty.
const (
	markerPK   = "open"
	aMarkerSeq = "seq"
	aKind      = "kind"
	aTenant    = "tenant"
	aSince     = "since"
)

func markerKey(d Doorbell) store.Key {
	sk := string(d.Tenant) + "/" + string(d.Kind) + "/" + string(d.Connection) + d.Batch
	return store.Key{PK: markerPK, SK: sk}
}

// open writes the marker and returns its sequence number.
func open(ctx context.Context, db store.DB, d Doorbell, now time.Time) (int64, error) {
	it, err := db.Update(ctx, store.Directory, store.Offers, markerKey(d), store.Update{
		Set: map[string]any{aTenant: string(d.Tenant), aKind: string(d.Kind), aSince: store.Millis(now)},
		Add: map[string]int64{aMarkerSeq: 1},
	})
	if err != nil {
		return 0, fmt.Errorf("lane: mark open: %w", err)
	}
	return it.Int(aMarkerSeq), nil
}

// seenOpen returns the marker's sequence number, 0 when there is none.
func seenOpen(ctx context.Context, db store.DB, d Doorbell) (int64, error) {
	it, err := db.Get(ctx, store.Directory, store.Offers, markerKey(d))
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	return it.Int(aMarkerSeq), err
}

// closeMarker removes the marker if nobody opened it again since seq was read.
func closeMarker(ctx context.Context, db store.DB, d Doorbell, seq int64) error {
	err := db.Delete(ctx, store.Directory, store.Offers, markerKey(d), store.Eq(aMarkerSeq, seq))
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

func parseMarker(it store.Item) (Doorbell, error) {
	parts := strings.SplitN(it.SK, "/", 3)
	if len(parts) != 3 {
		return Doorbell{}, fmt.Errorf("%w: marker %q", ErrMalformed, it.SK)
	}
	d := Doorbell{Kind: Kind(parts[1]), Tenant: tenant.ID(parts[0])}
	if d.Kind == KindApply || d.Kind == KindRevert {
		d.Batch = parts[2]
	} else {
		d.Connection = price.ConnectionID(parts[2])
	}
	return d, nil
}

// Bell rings doorbells: it marks the work as open, tells a lane's holder, and
// sends the message. Rooms that create work for a lane use it.
type Bell struct {
	DB    store.DB
	Queue store.Queue
	Now   func() time.Time
	// Trace returns the X-Ray header of ctx, "" when there is none.
	Trace func(context.Context) string
}

// Ring opens the marker and sends the doorbell. Call it after the work it
// announces is written; when the announcement itself must come first (so that
// a crash in between is found by the sweep), call Announce before.
func (b Bell) Ring(ctx context.Context, d Doorbell, delay time.Duration) error {
	if err := b.Announce(ctx, d); err != nil {
		return err
	}
	if d.Connection != "" {
		if err := ring(ctx, b.DB, d.Tenant, d.Connection); err != nil {
			return err
		}
	}
	return b.send(ctx, d, delay)
}

// Announce only opens the marker.
func (b Bell) Announce(ctx context.Context, d Doorbell) error {
	_, err := open(ctx, b.DB, d, b.Now())
	return err
}

// send sends the message, in the trace of ctx unless the doorbell names another.
func (b Bell) send(ctx context.Context, d Doorbell, delay time.Duration) error {
	if d.Trace == "" && b.Trace != nil {
		d.Trace = b.Trace(ctx)
	}
	if err := b.Queue.Send(ctx, mustJSON(d), delay); err != nil {
		return fmt.Errorf("lane: ring: %w", err)
	}
	return nil
}
