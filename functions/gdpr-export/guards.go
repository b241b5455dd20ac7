package main

import (
	"context"
	"encoding/json"
	"fmt"

	"pricemanager/internal/guard"
	"pricemanager/internal/privacy"
	"pricemanager/internal/tenant"
)

// guardFiles writes the tenant's guards and what its SKUs cost, each in the form in
// which the API takes them again. Who changed them, and when, is in the ledger.
type guardFiles struct{ guards *guard.Store }

func (s guardFiles) export(ctx context.Context, t tenant.ID, w *privacy.Writer) error {
	set, err := s.guards.Get(ctx, t)
	if err != nil {
		return err
	}
	if set.Version > 0 {
		b, err := json.MarshalIndent(set.Settings, "", "  ")
		if err != nil {
			return fmt.Errorf("guards: %w", err)
		}
		if err := w.File("guards.json", append(b, '\n')); err != nil {
			return err
		}
	}
	body, hash, err := s.guards.CostsFile(ctx, t)
	if err != nil || hash == "" {
		return err
	}
	return w.File("costs.csv", body)
}
