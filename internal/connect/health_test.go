package connect_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/connect"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/test/fakeamazon"
)

// healthWrites counts what was written of connections' health, refused writes too.
func (w *world) healthWrites() func() int {
	n := 0
	w.db.Hook = func(op memory.Op) (bool, error) {
		if ofHealth(op) {
			n++
		}
		return true, nil
	}
	return func() int { return n }
}

func ofHealth(op memory.Op) bool {
	w := op.Writes[0]
	return w.Table == store.Connections && w.Put != nil && w.Put.PK == "health"
}

// A state is written when it begins, and not with every token.
func TestHealthIsWrittenWhenItChangesAndOnceADay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(alpha, seller1)
	writes := w.healthWrites()
	health := func() connect.Health {
		t.Helper()
		h, err := w.service.Health(t.Context(), alpha, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	ask := func() {
		w.clock.Advance(time.Hour) // a new token each time
		_, _ = w.broker.Access(t.Context(), c.Account(alpha))
	}
	if h := health(); h.State != "" {
		t.Errorf("before anybody asked: %+v", h)
	}
	for range 23 {
		ask()
	}
	first := w.clock.Now().Add(-22 * time.Hour)
	if h := health(); h.State != connect.HealthGood || !h.Since.Equal(first) || !h.LastGood.Equal(first) || !h.LastFail.IsZero() || writes() != 1 {
		t.Errorf("after 23 tokens: %+v, %d writes", h, writes())
	}
	ask()
	ask()
	if h := health(); !h.Since.Equal(first) || !h.LastGood.Equal(first.Add(24*time.Hour)) || writes() != 2 {
		t.Errorf("the next day: %+v, %d writes", h, writes())
	}

	w.fake.Revoke(price.EU, seller1)
	for range 5 {
		ask()
	}
	failed := w.clock.Now().Add(-4 * time.Hour)
	h := health()
	if h.State != connect.HealthFailing || !h.Since.Equal(failed) || !h.LastFail.Equal(failed) || h.LastGood.IsZero() || writes() != 3 {
		t.Errorf("withdrawn: %+v, %d writes", h, writes())
	}
	if !strings.Contains(h.Reason, "does not accept the authorisation") || strings.Contains(h.Reason, "Atzr|") {
		t.Errorf("the reason is %q", h.Reason)
	}

	// Authorised anew it works again, and what was stays known.
	_, address, err := w.service.StartAgain(t.Context(), "member:ann", alpha, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	old := c
	if c, err = w.service.Callback(t.Context(), w.consent(address, seller1)); err != nil {
		t.Fatal(err)
	}
	ask()
	good := w.clock.Now()
	if h := health(); h.State != connect.HealthGood || !h.Since.Equal(good) || !h.LastFail.Equal(failed) || h.Reason == "" || writes() != 4 {
		t.Errorf("authorised anew: %+v, %d writes", h, writes())
	}
	// Whoever still asks with the old authorisation says nothing of the new one.
	_, _ = w.broker.Access(t.Context(), old.Account(alpha))
	if h := health(); h.State != connect.HealthGood || writes() != 4 {
		t.Errorf("the old authorisation has it %+v, %d writes", h, writes())
	}
}

// Tokens do not wait for what people look at.
func TestATokenIsGivenThoughItsHealthCannotBeWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(alpha, seller1)
	w.db.Hook = func(op memory.Op) (bool, error) {
		if ofHealth(op) {
			return false, errors.New("the table is down")
		}
		return true, nil
	}
	if _, err := w.broker.Access(t.Context(), c.Account(alpha)); err != nil {
		t.Error(err)
	}
}

func TestAnotherTenantsHealthIsUnknown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(alpha, seller1)
	w.works(alpha, c)
	if h, err := w.service.Health(t.Context(), beta, c.ID); err != nil || h.State != "" {
		t.Errorf("%+v, %v", h, err)
	}
	mine, err := w.service.Healths(t.Context(), alpha)
	if err != nil || len(mine) != 1 || mine[c.ID].State != connect.HealthGood {
		t.Errorf("%+v, %v", mine, err)
	}
	if theirs, err := w.service.Healths(t.Context(), beta); err != nil || len(theirs) != 0 {
		t.Errorf("%+v, %v", theirs, err)
	}
	if n := len(w.fake.Requests(fakeamazon.Query{Op: "token"})); n == 0 {
		t.Error("nothing was asked")
	}
}
