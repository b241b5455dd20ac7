package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"pricemanager/internal/ledger"
	"pricemanager/internal/privacy"
	"pricemanager/internal/privacy/locked"
	"pricemanager/internal/secret"
)

// history exports everything of the seller, verifies the archive and the ledger
// in it offline with the published key, and returns the ledger's events. It
// waits until the ledger has the end of every batch, which comes after
// everything that happened in it.
func (s *seller) history(ctx context.Context, batches []string) (all []ledger.Event, err error) {
	err = until(ctx, 90*time.Second, "the ledger of "+s.account+" has the end of every batch", func() (bool, error) {
		if all, err = s.export(ctx); err != nil {
			return false, err
		}
		for _, id := range batches {
			if !slices.ContainsFunc(all, func(e ledger.Event) bool { return e.Type == ledger.BatchCompleted && e.Batch == id }) {
				return false, nil
			}
		}
		return true, nil
	})
	return all, err
}

func (s *seller) export(ctx context.Context) ([]ledger.Event, error) {
	e, err := ask[exportDoc](ctx, s.api, "POST", "/exports", "{}")
	if err != nil {
		return nil, err
	}
	err = until(ctx, time.Minute, "the export is done", func() (bool, error) {
		e, err = ask[exportDoc](ctx, s.api, "GET", "/exports/"+e.ID, "")
		if e.State == "failed" {
			err = errors.New("the export failed")
		}
		return e.State == "done", err
	})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.URL, http.NoBody)
	if err != nil {
		return nil, err
	}
	// The link is signed for the proxy's address, which the local AWS has to see
	// although it is asked directly: microburst puts its own in.
	aws, err := url.Parse(*s.w.Config().BaseEndpoint)
	if err != nil {
		return nil, err
	}
	req.Host, req.URL.Host = req.URL.Host, aws.Host
	status, archive, err := roundTrip(req)
	if err == nil && status != http.StatusOK {
		err = &refusal{status, archive}
	}
	if err != nil {
		return nil, fmt.Errorf("download the export: %w", err)
	}
	key, err := ask[struct{ Key string }](ctx, s.api, "GET", "/ledger/key", "")
	if err != nil {
		return nil, err
	}
	report, err := privacy.Verify(bytes.NewReader(archive), int64(len(archive)), secret.New(e.Password), ledger.VerifyOpts{Key: key.Key})
	if err != nil || report.Tenant != s.tenant {
		return nil, fmt.Errorf("the export of %s is of %s and verifies with: %w", s.tenant, report.Tenant, err)
	}
	return events(archive, secret.New(e.Password))
}

// events reads the events of a verified archive.
func events(archive []byte, password secret.Value) (all []ledger.Event, err error) {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return nil, err
	}
	f, err := locked.Find(z, "ledger.jsonl", password)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	lines.Scan() // the header
	for lines.Scan() {
		var leaf struct{ Event ledger.Event }
		if err := json.Unmarshal(lines.Bytes(), &leaf); err != nil {
			return nil, err
		}
		all = append(all, leaf.Event)
	}
	return all, lines.Err()
}
