package pull

import (
	"context"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/guard"
	"pricemanager/internal/plan"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

const (
	// Most is how many sources a tenant has at most.
	Most = 10
	// deletedKept is how long the ledger's stream has to see who deleted a source.
	deletedKept = 7 * 24 * time.Hour

	pullsPK = "pulls"
)

// Attributes of a source's item.
const (
	aSource, aRevision, aActor, aAt = "source", "rev", "actor", "at" // as set, how often, by whom and when
	aAccountable                    = "accountable"
	aAddress                        = "address" // sealed: see addresses
	aState, aDue, aForce            = "state", "due", "force"
	aLease, aRun                    = "lease", "run" // end of the lease; how often it was taken
	aETag, aModified, aSum, aSize   = "etag", "modified", "sha256", "size"
	aChecked, aChanged              = "checked", "changed"
	aPlan, aMade                    = "plan", "made" // the last plan; see Pull.Made
	aFailures, aProblem, aTTL       = "failures", "problem", "ttl"
)

var idForm = regexp.MustCompile(`^pull_[a-z2-7]{26}$`)

func itemKey(id string) store.Key { return store.Key{PK: pullsPK, SK: id} }

// State is where a source is in its life.
type State string

// The states.
const (
	Active State = "active"
	Paused State = "paused" // failed too often; changing it makes it active
	// deleted is shown to nobody; the item stays until the ledger must have it.
	deleted State = "deleted"
)

// Pull is a source with what became of it.
type Pull struct {
	ID string
	Source
	Revision    int64 // counts the times that it was set, from 1
	ChangedBy   string
	Accountable string // who answers for what it brings
	ChangedAt   time.Time
	State       State
	Next        time.Time // when it is fetched next; of no meaning when paused
	Checked     time.Time // when the server was last asked, zero for never
	Fetched     time.Time // when a new file was last found, zero for never
	SHA256      string    // of that file
	Size        int64
	LastPlan    string // "" of rates
	Made        int64  // how many plans, or tables of rates, came of it
	Failures    int64  // in a row
	Problem     *plan.Problem
}

func open(ctx context.Context, s Sealer, t tenant.ID, it store.Item) (Pull, error) {
	p := Pull{ID: it.SK, Revision: it.Int(aRevision), ChangedBy: it.Str(aActor), Accountable: it.Str(aAccountable), ChangedAt: it.Time(aAt), State: State(it.Str(aState)),
		Next: it.Time(aDue), Checked: it.Time(aChecked), Fetched: it.Time(aChanged), SHA256: it.Str(aSum), Size: it.Int(aSize),
		LastPlan: it.Str(aPlan), Made: it.Int(aMade), Failures: it.Int(aFailures)}
	if err := json.Unmarshal(it.Bytes(aSource), &p.Source); err != nil {
		return Pull{}, fmt.Errorf("pull: source %s: %w", it.SK, err)
	}
	if err := unseal(ctx, s, t, p.ID, it.Bytes(aAddress), &p.Source); err != nil {
		return Pull{}, err
	}
	if p.Kind == "" { // as sources were before they had a kind
		p.Kind = Prices
	}
	if b := it.Bytes(aProblem); b != nil {
		if err := json.Unmarshal(b, &p.Problem); err != nil {
			return Pull{}, fmt.Errorf("pull: problem of %s: %w", it.SK, err)
		}
	}
	return p, nil
}

// By is who sets a source, and who answers for that and for the prices that
// it brings.
type By struct{ Actor, Accountable string }

// Store keeps sources.
type Store struct {
	DB     store.DB
	Sealer Sealer // of the addresses
	Clock  clock.Clock
	// Check reads an address as a customer gave it: fetch.Client.Check.
	Check func(string) (string, error)
}

func notFound() error {
	return fault.New(fault.NotFound, "pull-not-found", "There is no such source.").Because(store.ErrNotFound)
}

func moved() error {
	return fault.New(fault.Conflict, "pull-changed", "The source is no longer the one that If-Match names. Read it again, and decide anew.")
}

// Get returns a source. One that is missing or of another tenant is a fault of
// kind NotFound.
func (s *Store) Get(ctx context.Context, t tenant.ID, id string) (Pull, error) {
	if !idForm.MatchString(id) {
		return Pull{}, notFound()
	}
	it, err := s.DB.Get(ctx, t, store.Offers, itemKey(id))
	if errors.Is(err, store.ErrNotFound) || err == nil && State(it.Str(aState)) == deleted {
		return Pull{}, notFound()
	}
	if err != nil {
		return Pull{}, fmt.Errorf("pull: read source: %w", err)
	}
	return open(ctx, s.Sealer, t, it)
}

// List returns all sources of the tenant, by id.
func (s *Store) List(ctx context.Context, t tenant.ID) ([]Pull, error) {
	out := []Pull{}
	for after := ""; ; {
		page, err := s.DB.Query(ctx, t, store.Offers, store.Query{PK: pullsPK, After: after})
		if err != nil {
			return nil, fmt.Errorf("pull: list sources: %w", err)
		}
		for _, it := range page.Items {
			if State(it.Str(aState)) == deleted {
				continue
			}
			p, err := open(ctx, s.Sealer, t, it)
			if err != nil {
				return nil, err
			}
			out = append(out, p)
		}
		if after = page.Next; after == "" {
			return out, nil
		}
	}
}

// Create keeps a new source. Faults: what is wrong with it; pulls-full.
func (s *Store) Create(ctx context.Context, t tenant.ID, by By, src Source, random io.Reader) (Pull, error) {
	src, err := src.checked(s.Check)
	if err != nil {
		return Pull{}, err
	}
	// Two at the same time may make one too many, which is no harm.
	if all, err := s.List(ctx, t); err != nil {
		return Pull{}, err
	} else if len(all) >= Most {
		return Pull{}, fault.New(fault.Conflict, "pulls-full", "There are %d sources already, the most that are kept. Delete or change one.", len(all))
	}
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return Pull{}, fmt.Errorf("pull: new source: %w", err)
	}
	id, now := "pull_"+letters(b[:]), s.Clock.Now()
	inClear, sealed, err := s.kept(ctx, t, id, src)
	if err != nil {
		return Pull{}, err
	}
	it := store.Item{Key: itemKey(id), Attrs: map[string]any{
		aSource: inClear, aAddress: sealed, aRevision: int64(1), aActor: by.Actor, aAccountable: by.Accountable, aAt: store.Millis(now),
		aState: string(Active), aDue: store.Millis(src.Schedule.first(now)),
	}}
	writes := []store.Write{{Tenant: t, Table: store.Offers, Put: &it, If: []store.Cond{store.Absent()}}, reminder(t, id, it.Time(aDue))}
	if err := s.DB.Transact(ctx, append(writes, notice(t, by, now, 1, src.Kind)...)...); err != nil {
		return Pull{}, fmt.Errorf("pull: write source: %w", err)
	}
	return open(ctx, s.Sealer, t, it)
}

// notice is the write that tells a tenant's members of a source that is one of rates
// now, or was before: prices follow them. It goes with the write of the source.
func notice(t tenant.ID, by By, now time.Time, revision int64, kinds ...Kind) []store.Write {
	if !slices.Contains(kinds, Rates) {
		return nil
	}
	n := guard.Notice{What: guard.ChangedSource, Actor: by.Actor, At: now, After: strconv.FormatInt(revision, 10)}
	if revision > 1 {
		n.Before = strconv.FormatInt(revision-1, 10)
	}
	return []store.Write{n.Write(t, revision)}
}

// letters writes 16 bytes as ids are written.
func letters(b []byte) string {
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b))
}

// Change replaces a source whose revision is still the one given. Nothing is taken
// over from what was fetched before: the file counts as new. It makes a paused
// source active. Faults: what is wrong with it; NotFound; Conflict.
func (s *Store) Change(ctx context.Context, t tenant.ID, id string, by By, src Source, revision int64) (Pull, error) {
	src, err := src.checked(s.Check)
	if err != nil {
		return Pull{}, err
	}
	if !idForm.MatchString(id) {
		return Pull{}, notFound()
	}
	inClear, sealed, err := s.kept(ctx, t, id, src)
	if err != nil {
		return Pull{}, err
	}
	old, err := s.Get(ctx, t, id)
	if err != nil {
		return Pull{}, err
	}
	now := s.Clock.Now()
	due := src.Schedule.first(now)
	return s.update(ctx, t, id, store.Update{
		Set: map[string]any{aSource: inClear, aAddress: sealed, aRevision: revision + 1, aActor: by.Actor, aAccountable: by.Accountable, aAt: store.Millis(now),
			aState: string(Active), aDue: store.Millis(due), aFailures: int64(0)},
		Remove: []string{aETag, aModified, aSum, aSize, aProblem, aForce},
		If:     []store.Cond{store.Eq(aRevision, revision), store.Ne(aState, string(deleted))},
	}, due, moved(), notice(t, by, now, revision+1, src.Kind, old.Kind)...)
}

// Delete removes a source whose revision is still the one given. Plans that were
// made of it stay. Faults: NotFound; Conflict.
func (s *Store) Delete(ctx context.Context, t tenant.ID, id, actor string, revision int64) error {
	if _, err := s.Get(ctx, t, id); err != nil {
		return err
	}
	now := s.Clock.Now()
	_, err := s.DB.Update(ctx, t, store.Offers, itemKey(id), store.Update{
		Set:    map[string]any{aRevision: revision + 1, aActor: actor, aAt: store.Millis(now), aState: string(deleted), aTTL: now.Add(deletedKept).Unix()},
		Remove: []string{aAddress},
		If:     []store.Cond{store.Eq(aRevision, revision), store.Ne(aState, string(deleted))},
	})
	if errors.Is(err, store.ErrConflict) {
		return moved()
	}
	if err != nil {
		return fmt.Errorf("pull: delete source: %w", err)
	}
	return nil
}

// RunNow has an active source fetched with the next sweep, and a plan made of its
// file even when that did not change; rates that did not change stay as they are. Faults: NotFound; Conflict for one that is
// paused or being fetched.
func (s *Store) RunNow(ctx context.Context, t tenant.ID, id string) (Pull, error) {
	now := s.Clock.Now()
	return s.update(ctx, t, id, store.Update{
		Set: map[string]any{aDue: store.Millis(now), aForce: true},
		If:  []store.Cond{store.Eq(aState, string(Active)), free(now)},
	}, now, fault.New(fault.Conflict, "pull-busy", "The source is paused or being fetched at this moment. A paused one begins again when it is changed (PUT)."))
}

// free holds while no run has the source.
func free(now time.Time) store.Cond {
	return store.AnyOf(store.Missing(aLease), store.Le(aLease, store.Millis(now)))
}

// update changes a source together with its reminder, so that none is ever without, and
// with what else goes with it.
func (s *Store) update(ctx context.Context, t tenant.ID, id string, u store.Update, due time.Time, conflict error, with ...store.Write) (Pull, error) {
	if _, err := s.Get(ctx, t, id); err != nil {
		return Pull{}, err
	}
	writes := []store.Write{{Tenant: t, Table: store.Offers, Key: itemKey(id), Update: &u}, reminder(t, id, due)}
	err := s.DB.Transact(ctx, append(writes, with...)...)
	if errors.Is(err, store.ErrConflict) {
		return Pull{}, conflict
	}
	if err != nil {
		return Pull{}, fmt.Errorf("pull: change source: %w", err)
	}
	return s.Get(ctx, t, id)
}
