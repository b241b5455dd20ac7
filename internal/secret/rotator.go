package secret

import (
	"context"
	"errors"
	"fmt"
)

// Step is one of the four of a rotation, as Secrets Manager asks for them.
type Step string

// The steps, in their order.
const (
	Create Step = "createSecret"
	Set    Step = "setSecret"
	Test   Step = "testSecret"
	Finish Step = "finishSecret"
)

var steps = []Step{Create, Set, Test, Finish}

// Rotator replaces one secret. The version in work is Pending until it has been
// tested; until then, and after a crash at any point, everybody goes on with the
// current one, and the same step again, or Run, goes on where it ended.
type Rotator struct {
	Vault Versions
	Name  string
	// Make returns the next content. ErrNotYet when somebody else makes it and
	// delivers it later.
	Make func(ctx context.Context, current Value) (Value, error)
	// Check refuses a next content that would not work, or that would lose
	// something the current one has.
	Check func(ctx context.Context, current, next Value) error
}

// ErrNotYet: the next content was asked for and will be delivered.
var ErrNotYet = errors.New("secret: the next one was asked for and has not come yet")

// ErrStep is returned for a step that there is not.
var ErrStep = errors.New("secret: no such step of a rotation")

// Do does one step for the version that Secrets Manager has chosen.
func (r Rotator) Do(ctx context.Context, s Step, id string) error {
	switch s {
	case Create:
		return r.create(ctx, id)
	case Set:
		return nil // whoever made the content knows it already
	case Test:
		_, err := r.test(ctx, id)
		return err
	case Finish:
		return r.finish(ctx, id)
	}
	return fmt.Errorf("%w: %q", ErrStep, s)
}

// Run does all steps: for the version that an interrupted rotation has left
// Pending, or else for one named fresh.
func (r Rotator) Run(ctx context.Context, fresh string) error {
	id, err := r.Unfinished(ctx)
	if err != nil {
		return err
	}
	if id == "" {
		id = fresh
	}
	err = r.all(ctx, id)
	if errors.Is(err, ErrMoved) && id != fresh {
		// The interrupted one was overtaken: what it made no longer follows from
		// the current version. A new one takes its place.
		err = r.all(ctx, fresh)
	}
	return err
}

func (r Rotator) all(ctx context.Context, id string) error {
	for _, s := range steps {
		if err := r.Do(ctx, s, id); err != nil {
			return err
		}
	}
	return nil
}

// Unfinished returns the version that is Pending, "" when none is.
func (r Rotator) Unfinished(ctx context.Context) (string, error) {
	p, err := r.Vault.At(ctx, r.Name, Pending)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	c, err := r.Vault.At(ctx, r.Name, Current)
	if err != nil {
		return "", err
	}
	if p.ID == c.ID { // Secrets Manager may leave the label on a version that is current
		return "", nil
	}
	return p.ID, nil
}

func (r Rotator) create(ctx context.Context, id string) error {
	c, err := r.Vault.At(ctx, r.Name, Current)
	if err != nil || c.ID == id {
		return err
	}
	p, err := r.Vault.At(ctx, r.Name, Pending)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err == nil && p.ID == id && !p.Value.Empty() {
		return nil // made before a crash
	}
	next, err := r.Make(ctx, c.Value)
	if err != nil {
		return err
	}
	return r.Vault.Propose(ctx, r.Name, Version{ID: id, Value: next})
}

// test returns the version that id would replace, "" when id is current.
func (r Rotator) test(ctx context.Context, id string) (string, error) {
	c, err := r.Vault.At(ctx, r.Name, Current)
	if err != nil || c.ID == id {
		return "", err
	}
	p, err := r.Vault.At(ctx, r.Name, Pending)
	if err != nil {
		return "", err
	}
	if p.ID != id {
		return "", fmt.Errorf("%w: %s: version %s is not pending", ErrMoved, r.Name, id)
	}
	if p.Value.Empty() {
		return "", ErrNotYet
	}
	return c.ID, r.Check(ctx, c.Value, p.Value)
}

// finish tests once more and switches from the very version that the test
// compared with, so that a rotation beside this one is never undone.
func (r Rotator) finish(ctx context.Context, id string) error {
	from, err := r.test(ctx, id)
	if err != nil || from == "" {
		return err
	}
	return r.Vault.Promote(ctx, r.Name, id, from)
}
