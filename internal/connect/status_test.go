package connect_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/connect"
	"pricemanager/internal/fault"
	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
)

func TestAForeignConnectionIsLikeAMissingOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(alpha, seller1)
	for _, id := range []price.ConnectionID{c.ID, "conn_aaaaaaaaaaaaaaaaaaaaaaaaaa", "nonsense", ""} {
		_, err1 := w.service.Get(t.Context(), beta, id)
		_, _, err2 := w.service.StartAgain(t.Context(), "key:x", beta, id)
		_, err3 := w.service.RequestImport(t.Context(), "key:x", beta, id)
		_, _, err4 := w.service.Account(t.Context(), beta, id)
		for _, err := range []error{err1, err2, err3, err4} {
			if !errors.Is(err, connect.ErrNotFound) || err.Error() != connect.ErrNotFound.Error() {
				t.Errorf("%q: %v", id, err)
			}
		}
	}
	if err := w.service.MarkReauthorise(t.Context(), accountOf(beta, c.ID, 1), "x"); err != nil {
		t.Error(err)
	}
	if err := w.service.ImportDone(t.Context(), beta, c.ID, 5); err != nil {
		t.Error(err)
	}
	if now := w.get(alpha, c.ID); !cmp.Equal(c, now) {
		t.Error(cmp.Diff(c, now))
	}
	all, err := w.service.List(t.Context(), beta)
	if err != nil || len(all) != 0 {
		t.Errorf("list %v, %v", all, err)
	}
}

func TestConnectionsAreFoundByMarketplace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start(alpha)
	c := w.connect(alpha, seller1)
	got, err := w.service.ForMarketplaces(t.Context(), alpha)
	if err != nil || len(got) != 2 || len(got[germany]) != 1 || got[germany][0].ID != c.ID || got[france][0].ID != c.ID {
		t.Errorf("got %v, %v", got, err)
	}
	all, err := w.service.List(t.Context(), alpha)
	if err != nil || len(all) != 2 {
		t.Errorf("list %v, %v", all, err)
	}
}

func TestAnImportIsFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pending, _ := w.start(alpha)
	if _, err := w.service.RequestImport(t.Context(), "key:x", alpha, pending); !errors.Is(err, connect.ErrNotAuthorised) {
		t.Errorf("import of a pending connection: %v", err)
	}
	c := w.connect(alpha, seller1)
	steps := []struct {
		do   func() error
		want connect.Import
	}{
		{func() error { return w.service.ImportProgress(t.Context(), alpha, c.ID, 5, 9) }, connect.Import{State: connect.ImportRunning, Known: 5, Requested: 9}},
		{func() error { return w.service.ImportDone(t.Context(), alpha, c.ID, 9) }, connect.Import{State: connect.ImportDone, Known: 9, Requested: 9}},
		{func() error { return w.service.ImportProgress(t.Context(), alpha, c.ID, 6, 9) }, connect.Import{State: connect.ImportDone, Known: 9, Requested: 9}},
		{func() error { return w.service.ImportFailed(t.Context(), alpha, c.ID) }, connect.Import{State: connect.ImportDone, Known: 9, Requested: 9}},
		{func() error { _, err := w.service.RequestImport(t.Context(), "key:x", alpha, c.ID); return err }, connect.Import{State: connect.ImportRunning}},
		{func() error { _, err := w.service.RequestImport(t.Context(), "key:x", alpha, c.ID); return err }, connect.Import{State: connect.ImportRunning}},
		{func() error { return w.service.ImportFailed(t.Context(), alpha, c.ID) }, connect.Import{State: connect.ImportFailed}},
	}
	for i, s := range steps {
		if err := s.do(); err != nil {
			t.Fatal(err)
		}
		got := w.get(alpha, c.ID).Import
		got.At = time.Time{}
		if got != s.want {
			t.Errorf("step %d: %+v, want %+v", i, got, s.want)
		}
	}
	if len(w.rung) != 3 {
		t.Errorf("rung %d times, want 3: asking again rings again", len(w.rung))
	}
}

func TestAnImportThatCannotStartIsSaidAndCanBeAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, address := w.start(alpha)
	w.ringErr = errors.New("queue is down")
	_, err := w.service.Callback(t.Context(), w.consent(address, seller1))
	refused(t, err, fault.Unavailable, "import")
	w.ringErr = nil
	if c, err := w.service.RequestImport(t.Context(), "key:x", alpha, id); err != nil || c.State != connect.Active || len(w.rung) != 1 {
		t.Errorf("%+v, %v, rung %v", c, err, w.rung)
	}
}

func TestTheLedgerLearnsWhatHappenedAndNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(alpha, seller1)
	for _, err := range []error{
		w.service.ImportProgress(t.Context(), alpha, c.ID, 1, 2),
		w.service.ImportDone(t.Context(), alpha, c.ID, 2),
		w.service.ImportDone(t.Context(), alpha, c.ID, 2),
		w.service.MarkReauthorise(t.Context(), c.Account(alpha), "invalid_grant"),
		w.service.MarkReauthorise(t.Context(), c.Account(alpha), "invalid_grant"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.db.Delete(t.Context(), alpha, store.Connections, store.Key{PK: "connections", SK: string(c.ID)}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range w.db.Records(store.Connections, "") {
		for _, e := range connect.Events(r) {
			if !e.Type.Valid() || e.Target != "connection:"+string(c.ID) || e.At.IsZero() {
				t.Errorf("event %+v", e)
			}
			if text := string(e.Before) + string(e.After); strings.Contains(text, "state#") || strings.Contains(text, "Atz") {
				t.Errorf("event tells %s", text)
			}
			got = append(got, string(e.Type)+" "+e.Actor)
		}
	}
	want := []string{
		string(ledger.ConnectionStarted) + " key:tester", string(ledger.ConnectionAuthorised) + " key:tester",
		string(ledger.ImportStarted) + " key:tester", string(ledger.ImportCompleted) + " lane",
		string(ledger.ConnectionReauthorise) + " lane", string(ledger.ConnectionClosed) + " ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
