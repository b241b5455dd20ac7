package main

import (
	"context"
	"encoding/json"
	"fmt"

	"pricemanager/internal/fx"
	"pricemanager/internal/privacy"
	"pricemanager/internal/tenant"
)

// linkFiles writes which marketplaces follow which, in the form in which the API
// takes it again, and the exchange rates. Who changed them, and when, is in the
// ledger.
type linkFiles struct{ links *fx.Store }

func (s linkFiles) export(ctx context.Context, t tenant.ID, w *privacy.Writer) error {
	links, err := s.links.Links(ctx, t)
	if err != nil {
		return err
	}
	if links.Version.Version > 0 {
		if err := jsonFile(w, "links.json", links.Links); err != nil {
			return err
		}
	}
	rates, err := s.links.Rates(ctx, t)
	if err != nil || rates.Table == nil {
		return err
	}
	return jsonFile(w, "rates.json", rates.Table)
}

func jsonFile(w *privacy.Writer, name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return w.File(name, append(b, '\n'))
}
