package fakeamazon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"pricemanager/internal/price"
)

// saveEvery is how long a change may wait before it is on disk.
const saveEvery = time.Second

// stateFile is the content of the state file. Budgets, faults and the request
// log are not in it: they belong to a run.
type stateFile struct {
	Version int           `json:"version"`
	Counter int64         `json:"counter"`
	Auth    authority     `json:"auth"`
	Reports []*reportJob  `json:"reports"`
	Sellers []sellerState `json:"sellers"`
	Uploads []*upload     `json:"uploads,omitempty"`
	Feeds   []*feedJob    `json:"feeds,omitempty"`

	Destinations  []destination   `json:"destinations,omitempty"`
	Subscriptions []*subscription `json:"subscriptions,omitempty"`
}

const stateVersion = 1

type sellerState struct {
	Region       price.Region          `json:"region"`
	ID           string                `json:"id"`
	Name         string                `json:"name"`
	Marketplaces []price.MarketplaceID `json:"marketplaces"`
	Listings     []listingState        `json:"listings"`
}

type listingState struct {
	Marketplace price.MarketplaceID `json:"marketplace"`
	SKU         price.SKU           `json:"sku"`
	ASIN        string              `json:"asin"`
	Title       string              `json:"title"`
	ProductType string              `json:"productType"`
	ProductID   string              `json:"productId,omitempty"`
	Channel     string              `json:"channel"`
	Condition   string              `json:"condition"`
	Quantity    *int64              `json:"quantity,omitempty"`
	Created     time.Time           `json:"created"`
	Updated     time.Time           `json:"updated"`
	Visible     []instance          `json:"visible,omitempty"`
	Pending     []pendingPatch      `json:"pending,omitempty"`
	Patches     int                 `json:"patches,omitempty"`
	Last        []byte              `json:"last,omitempty"`
}

// saveLoop writes the state a second after it changed, until Close, which
// writes the rest.
func (f *Fake) saveLoop() {
	for {
		select {
		case <-f.life.Done():
			return
		case <-f.wake:
		}
		if f.cfg.Clock.Sleep(f.life, saveEvery) != nil {
			return
		}
		if err := f.saveState(); err != nil {
			f.mu.Lock()
			f.log.violate(&Request{Op: "state"}, f.cfg.Clock.Now(), "fake", "%v", err)
			f.mu.Unlock()
		}
	}
}

// saveState writes the state if it changed: a new file, synced, and then put in
// the place of the old one, so that a crash at any point leaves a whole file.
func (f *Fake) saveState() error {
	f.mu.Lock()
	if !f.dirty || f.cfg.StateFile == "" {
		f.mu.Unlock()
		return nil
	}
	state := f.snapshot()
	raw, err := json.Marshal(state)
	f.dirty = false
	f.mu.Unlock()
	if err == nil {
		err = writeFile(f.cfg.StateFile, raw)
	}
	if err != nil {
		f.mu.Lock()
		f.dirty = true
		f.mu.Unlock()
		return fmt.Errorf("fakeamazon: state: %w", err)
	}
	return nil
}

func writeFile(name string, raw []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(raw)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
	}
	return err
}

// snapshot copies the state; the caller holds the lock.
func (f *Fake) snapshot() stateFile {
	out := stateFile{Version: stateVersion, Counter: f.counter, Auth: f.auth}
	for _, job := range f.reports {
		out.Reports = append(out.Reports, job)
	}
	for _, u := range f.uploads {
		out.Uploads = append(out.Uploads, u)
	}
	out.Feeds, out.Destinations, out.Subscriptions = f.feeds, f.destinations, f.subscriptions
	for k, s := range f.sellers {
		st := sellerState{Region: k.region, ID: k.id, Name: s.name, Marketplaces: s.marketplaces()}
		for id, m := range s.markets {
			for _, l := range m.listings {
				st.Listings = append(st.Listings, listingState{
					id, l.sku, l.asin, l.title, l.productType, l.productID, l.channel, l.condition, l.quantity,
					l.created, l.updated, l.visible, l.pending, l.patches, l.last[:],
				})
			}
		}
		out.Sellers = append(out.Sellers, st)
	}
	return out
}

// loadState reads the state file, if there is one.
func (f *Fake) loadState() error {
	if f.cfg.StateFile == "" {
		return nil
	}
	raw, err := os.ReadFile(f.cfg.StateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var state stateFile
	if err == nil {
		err = json.Unmarshal(raw, &state)
	}
	if err == nil && state.Version != stateVersion {
		err = fmt.Errorf("version %d, want %d", state.Version, stateVersion)
	}
	if err != nil {
		return fmt.Errorf("fakeamazon: state file %s: %w; remove it to start afresh", f.cfg.StateFile, err)
	}
	f.counter = state.Counter
	f.auth.restore(state.Auth)
	for _, job := range state.Reports {
		f.reports[job.ID] = job
	}
	for _, st := range state.Sellers {
		if err := f.AddSeller(Seller{ID: st.ID, Name: st.Name, Region: st.Region, Marketplaces: st.Marketplaces}); err != nil {
			return err
		}
		s := f.sellers[sellerKey{st.Region, st.ID}]
		for _, l := range st.Listings {
			made := &listing{
				sku: l.SKU, asin: l.ASIN, title: l.Title, productType: l.ProductType, productID: l.ProductID,
				channel: l.Channel, condition: l.Condition, quantity: l.Quantity, created: l.Created, updated: l.Updated,
				visible: l.Visible, pending: l.Pending, patches: l.Patches,
			}
			copy(made.last[:], l.Last)
			s.markets[l.Marketplace].listings[l.SKU] = made
		}
	}
	for _, u := range state.Uploads {
		f.uploads[u.ID] = u
	}
	f.feeds, f.destinations, f.subscriptions = state.Feeds, state.Destinations, state.Subscriptions
	if err := f.resume(); err != nil {
		return fmt.Errorf("fakeamazon: state file %s: %w", f.cfg.StateFile, err)
	}
	f.dirty = false
	return nil
}

// restore takes over what was remembered. The secrets only when the configured
// one is among them: otherwise the configuration was changed on purpose.
func (a *authority) restore(saved authority) {
	configured, made := a.Secrets[0].Digest, a.Secrets[0].Made
	for _, s := range saved.Secrets {
		if s.Digest == configured {
			a.Secrets = saved.Secrets
		}
	}
	for i := range a.Secrets {
		if a.Secrets[i].Made.IsZero() { // kept by a fake that did not count its age
			a.Secrets[i].Made = made
		}
	}
	for d, c := range saved.Codes {
		a.Codes[d] = c
	}
	for d, g := range saved.Grants {
		a.Grants[d] = g
	}
	for d, p := range saved.Access {
		a.Access[d] = p
	}
}
