package main

import (
	"crypto/rand"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"pricemanager/internal/audit"
	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/ledger"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/logs"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
	"pricemanager/test/replay"
)

// The tenant of the recorded changes.
const recorded = tenant.ID("t_replay0001")

// newRecorded is the function with the stage's own tables and an empty ledger.
func newRecorded(t *testing.T) world {
	t.Helper()
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 1, 0, 0, time.UTC))
	db := memory.New(clk)
	log := ledger.New(db, envelope.New(memkms.New(rand.Reader), db, clk), clk, rand.Reader)
	tables := map[store.Table]string{}
	for _, table := range store.Streamed() {
		tables[table] = "pm-local-" + string(table)
	}
	return world{log: log, handler: &handler{
		app:    &runtime.App{Log: logs.New(t.Output(), runtime.Base{}.LogLevel, "audit-stream", "test"), Clock: clk},
		tables: tables, pump: &ledger.Pump{Log: log, Mappers: audit.Mappers()},
	}}
}

// types are the events in the recorded tenant's ledger, in order.
func (w world) types(t *testing.T) []ledger.Type {
	t.Helper()
	leaves, err := w.log.Events(t.Context(), recorded, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	got := []ledger.Type{}
	for _, l := range leaves {
		var e ledger.Event
		if err := json.Unmarshal(l.Event, &e); err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Type)
	}
	return got
}

func TestRecordedChangesGetIntoTheLedgerOnce(t *testing.T) {
	var w world
	var serve replay.Handler
	// writes wants exactly these events, and no more of them when the stream
	// delivers the same once more.
	writes := func(event string, failed []string, want ...ledger.Type) replay.Check {
		return func(t *testing.T, out json.RawMessage, err error) {
			t.Helper()
			replay.Failed(failed...)(t, out, err)
			if got := w.types(t); !slices.Equal(got, want) {
				t.Errorf("events %v, want %v", got, want)
			}
			out, err = serve(t.Context(), replay.Event(t, "audit-stream", event))
			replay.Failed(failed...)(t, out, err)
			if got := w.types(t); !slices.Equal(got, want) {
				t.Errorf("delivered twice: events %v, want %v", got, want)
			}
		}
	}
	checks := map[string]replay.Check{}
	for event, c := range map[string]struct {
		failed []string
		want   []ledger.Type
	}{
		"success-offers":   {want: []ledger.Type{ledger.OfferImported, ledger.PlanCreated, ledger.BatchCreated, ledger.ChangeDesired, ledger.BatchActivated}},
		"success-identity": {want: []ledger.Type{ledger.TenantCreated, ledger.APIKeyCreated, ledger.APIKeyRevoked}},
		"success-members": {want: []ledger.Type{
			ledger.MemberJoined, ledger.MemberJoined, ledger.SessionBegun, ledger.MemberEnrolled, ledger.SessionElevated, ledger.MemberRoleChanged,
			ledger.MemberMailChanged, ledger.MemberUnenrolled, ledger.SessionEnded, ledger.MemberRemoved, ledger.SessionBegun,
		}},
		"success-oversight": {want: []ledger.Type{
			ledger.SupportGranted, ledger.SupportRevoked, ledger.SupportGranted, ledger.AdviceTaken, ledger.AccessReviewed, ledger.AccessReviewed,
		}},
		"success-connections": {want: []ledger.Type{ledger.ConnectionStarted, ledger.ConnectionAuthorised, ledger.ImportStarted, ledger.ImportCompleted, ledger.ConnectionReauthorise}},
		"success-privacy":     {want: []ledger.Type{ledger.ExportRequested, ledger.ExportCompleted}},
		"success-downloads":   {want: []ledger.Type{ledger.TableExported, ledger.TableExported}},
		"success-guards":      {want: []ledger.Type{ledger.GuardsChanged}},
		"success-suspicions":  {want: []ledger.Type{ledger.SuspicionRaised, ledger.SuspicionAnswered}},
		"success-links":       {want: []ledger.Type{ledger.LinksChanged, ledger.RatesChanged}},
		"success-mappings":    {want: []ledger.Type{ledger.MappingRemembered, ledger.MappingForgotten}},
		"success-pulls":       {want: []ledger.Type{ledger.PullCreated, ledger.PullFetched, ledger.PullPaused, ledger.PullChanged, ledger.PullDeleted}},
		"success-expired":     {},
		"success-refusals":    {want: []ledger.Type{ledger.RequestRefused, ledger.RequestRefused, ledger.RequestMade, ledger.RequestRefused, ledger.RequestCount}},
		"success-outbox":      {want: []ledger.Type{ledger.DataRead, ledger.DataReadCount}},
		// What is before the bad record is written, what is behind it waits.
		"partial-foreign-table":  {failed: []string{"300000000000000000202"}, want: []ledger.Type{ledger.TenantCreated}},
		"partial-not-our-number": {failed: []string{"300000000000000000202"}, want: []ledger.Type{ledger.TenantCreated}},
		"failure-keys-only":      {failed: []string{"300000000000000000101"}},
		"failure-foreign-table":  {failed: []string{"300000000000000000101"}},
	} {
		checks[event] = writes(event, c.failed, c.want...)
	}
	replay.Run(t, "audit-stream", true, func(t *testing.T) replay.Handler {
		w = newRecorded(t)
		serve = replay.Handler(runtime.JSON(w.stream))
		return serve
	}, checks)
}
