package memory

import (
	"context"
	"fmt"
	"strconv"

	"pricemanager/internal/secret"
)

// versions is one secret: its contents by version, and which is at which stage.
type versions struct {
	content map[string]secret.Value
	at      map[secret.Stage]string
	puts    int
}

var _ secret.Versions = (*Vault)(nil)

func newVersions() *versions {
	return &versions{content: map[string]secret.Value{}, at: map[secret.Stage]string{}}
}

// put makes a version of s that is current at once.
func (v *versions) put(s secret.Value) {
	v.puts++
	id := fmt.Sprintf("%032s", strconv.Itoa(v.puts))
	v.content[id] = s
	v.promote(id)
}

func (v *versions) promote(id string) {
	if was := v.at[secret.Current]; was != "" && was != id {
		v.at[secret.Previous] = was
	}
	v.at[secret.Current] = id
	// A version without a stage is forgotten, as in Secrets Manager.
	for old := range v.content {
		if old != v.at[secret.Current] && old != v.at[secret.Previous] && old != v.at[secret.Pending] {
			delete(v.content, old)
		}
	}
}

// Announce makes an empty pending version, as Secrets Manager does when it is
// told to rotate.
func (v *Vault) Announce(name, id string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.secrets[name].at[secret.Pending] = id
}

// At returns the version at a stage.
func (v *Vault) At(_ context.Context, name string, s secret.Stage) (secret.Version, error) {
	if _, err := v.hook("get", name); err != nil {
		return secret.Version{}, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if all := v.secrets[name]; all != nil && all.at[s] != "" {
		return secret.Version{ID: all.at[s], Value: all.content[all.at[s]]}, nil
	}
	return secret.Version{}, fmt.Errorf("%w: %s at %s", secret.ErrNotFound, name, s)
}

// Propose makes a pending version.
func (v *Vault) Propose(_ context.Context, name string, in secret.Version) error {
	applied, err := v.hook("propose", name)
	v.mu.Lock()
	defer v.mu.Unlock()
	all := v.secrets[name]
	if !applied {
		return err
	}
	if all == nil {
		return fmt.Errorf("%w: %s", secret.ErrNotFound, name)
	}
	if was, ok := all.content[in.ID]; ok {
		if was.Reveal() != in.Value.Reveal() {
			return fmt.Errorf("%w: %s", secret.ErrMoved, name)
		}
		return err
	}
	all.content[in.ID], all.at[secret.Pending] = in.Value, in.ID
	return err
}

// Promote makes a version current.
func (v *Vault) Promote(_ context.Context, name, id, from string) error {
	applied, err := v.hook("promote", name)
	v.mu.Lock()
	defer v.mu.Unlock()
	all := v.secrets[name]
	switch {
	case !applied:
		return err
	case all == nil || all.content[id].Empty():
		return fmt.Errorf("%w: %s version %s", secret.ErrNotFound, name, id)
	case all.at[secret.Current] == id:
		return err
	case all.at[secret.Current] != from:
		return fmt.Errorf("%w: %s", secret.ErrMoved, name)
	}
	all.promote(id)
	return err
}
