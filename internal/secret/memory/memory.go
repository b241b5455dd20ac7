// Package memory is a secret.Vault that lives in the process, for tests and
// simulations. It keeps the same promises as the real one and forgets
// everything when the process ends.
package memory

import (
	"context"
	"fmt"
	"sort"
	"sync"

	"pricemanager/internal/secret"
)

// Vault is a secret.Vault in memory. Its zero value is ready.
type Vault struct {
	// Hook, when set, runs before every operation ("put", "get", "delete",
	// "propose", "promote"). An
	// error from it is returned to the caller; applied says whether the
	// operation takes effect all the same, as when an answer is lost.
	Hook func(op, name string) (applied bool, err error)

	mu      sync.Mutex
	secrets map[string]*versions
}

var _ secret.Vault = (*Vault)(nil)

func (v *Vault) hook(op, name string) (applied bool, err error) {
	if v.Hook == nil {
		return true, nil
	}
	applied, err = v.Hook(op, name)
	return applied || err == nil, err
}

// Put keeps s under name.
func (v *Vault) Put(_ context.Context, name string, s secret.Value) error {
	applied, err := v.hook("put", name)
	v.mu.Lock()
	defer v.mu.Unlock()
	if applied {
		if v.secrets == nil {
			v.secrets = map[string]*versions{}
		}
		if v.secrets[name] == nil {
			v.secrets[name] = newVersions()
		}
		v.secrets[name].put(s)
	}
	return err
}

// Get returns the secret, or secret.ErrNotFound.
func (v *Vault) Get(_ context.Context, name string) (secret.Value, error) {
	if _, err := v.hook("get", name); err != nil {
		return secret.Value{}, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	all, ok := v.secrets[name]
	if !ok {
		return secret.Value{}, fmt.Errorf("%w: %s", secret.ErrNotFound, name)
	}
	return all.content[all.at[secret.Current]], nil
}

// Delete removes the secret.
func (v *Vault) Delete(_ context.Context, name string) error {
	applied, err := v.hook("delete", name)
	v.mu.Lock()
	defer v.mu.Unlock()
	if applied {
		delete(v.secrets, name)
	}
	return err
}

// Names lists the secrets, sorted.
func (v *Vault) Names() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	names := make([]string, 0, len(v.secrets))
	for n := range v.secrets {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}
