package canary_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/edge"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/fetch"
	"pricemanager/internal/identity"
	"pricemanager/internal/ledger"
	"pricemanager/internal/personal"
	"pricemanager/internal/pull"
	"pricemanager/internal/runtime/logs"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
	"pricemanager/test/canary"
)

const owner tenant.ID = "t_canary01"

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clear is an envelope that was forgotten.
type clear struct{}

func (clear) Seal(_ context.Context, _ tenant.ID, _ envelope.Purpose, _ envelope.Where, plain []byte) ([]byte, error) {
	return bytes.Clone(plain), nil // it is wiped after sealing
}

func (clear) Open(_ context.Context, _ tenant.ID, _ envelope.Purpose, _ envelope.Where, sealed []byte) ([]byte, error) {
	return sealed, nil
}

// tables looks into everything that a store has.
func tables(db *memory.DB) *canary.Scanner {
	s := canary.NewScanner()
	db.Each(func(_ tenant.ID, table store.Table, item store.Item) bool {
		s.JSON(fmt.Sprint(table), item)
		return true
	})
	return s
}

// The ledger's events are where personal data rests for long. With
// the real envelope it is nowhere in clear; with the encryption taken out of that
// one field it is found.
func TestTakingTheEncryptionOutOfTheLedgerIsNoticed(t *testing.T) {
	t.Parallel()
	people, err := json.Marshal(map[string]string{"name": canary.BuyerName, "email": canary.BuyerEmail, "from": canary.CallerIP})
	if err != nil {
		t.Fatal(err)
	}
	write := func(t *testing.T, sealer func(*memory.DB, clock.Clock) ledger.Sealer) *canary.Scanner {
		clk := clock.NewManual(now)
		db := memory.New(clk)
		log := ledger.New(db, sealer(db, clk), clk, rand.Reader)
		_, err := log.Append(t.Context(), owner, []ledger.Entry{{Source: "identity/members", Seq: "1", At: now, Events: []ledger.Event{
			{Type: ledger.TenantCreated, At: now, Actor: canary.CallerEmail, Target: "tenant", After: people},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		return tables(db)
	}
	sealed := write(t, func(db *memory.DB, clk clock.Clock) ledger.Sealer {
		return envelope.New(memkms.New(rand.Reader), db, clk)
	})
	if leaks := sealed.Leaks(); len(leaks) != 0 || sealed.Scanned() == 0 {
		t.Errorf("with the envelope: %v in %d bytes", leaks, sealed.Scanned())
	}
	bare := write(t, func(*memory.DB, clock.Clock) ledger.Sealer { return clear{} })
	for _, name := range []string{"buyer's name", "buyer's e-mail", "caller's address", "caller's e-mail"} {
		if !bare.Places(name)[string(store.Ledger)] {
			t.Errorf("without the envelope the %s is not found in the ledger's table: %v", name, bare.Found())
		}
	}
}

// So it is with every field that is sealed or hashed for itself: the real thing
// shows nothing, and with the protection taken out of that one field the search
// finds it in its table.
func TestTakingTheProtectionOutOfAFieldIsNoticed(t *testing.T) {
	t.Parallel()
	peppers := func(context.Context, bool) ([]secret.Value, error) {
		return []secret.Value{secret.New(strings.Repeat("p", 32))}, nil
	}
	bare := func(_ context.Context, text string) ([]string, error) { return []string{text}, nil }
	for name, c := range map[string]struct {
		needle string
		table  store.Table
		write  func(*memory.DB, clock.Clock, personal.Sealer, edge.Hashes) error
	}{
		"the address of a price file": {"key of a pull", store.Offers, func(db *memory.DB, clk clock.Clock, s personal.Sealer, _ edge.Hashes) error {
			pulls := pull.Store{DB: db, Sealer: s, Clock: clk, Check: (&fetch.Client{}).Check}
			_, err := pulls.Create(t.Context(), owner, pull.By{Actor: "key:k"}, pull.Source{
				URL: "https://files.example.com/p.csv?key=" + canary.PullKey, Schedule: pull.Schedule{EveryMinutes: 60},
			}, rand.Reader)
			return err
		}},
		"the name of a company": {"company's name", store.Identity, func(db *memory.DB, clk clock.Clock, s personal.Sealer, _ edge.Hashes) error {
			return identity.NewTenants(db, s, clk).Create(t.Context(), owner, "operator", canary.CompanyName)
		}},
		"the name of an API key": {"company's name", store.Identity, func(db *memory.DB, clk clock.Clock, s personal.Sealer, _ edge.Hashes) error {
			// The company's own name is another, so that the key's alone is looked for.
			real := envelope.New(memkms.New(rand.Reader), db, clk)
			if err := identity.NewTenants(db, real, clk).Create(t.Context(), owner, "operator", "Another"); err != nil {
				return err
			}
			if _, sealing := s.(*envelope.Sealer); sealing {
				s = real // its data keys are there
			}
			_, _, err := identity.NewKeys(db, peppers, clk, rand.Reader).Sealing(s).
				Create(t.Context(), owner, "operator", canary.CompanyName, []identity.Scope{identity.PlansRead})
			return err
		}},
		"a blocked address": {"caller's address", store.Identity, func(db *memory.DB, clk clock.Clock, _ personal.Sealer, h edge.Hashes) error {
			list := edge.New(db, h, clk, slog.New(slog.DiscardHandler))
			target, err := list.Target(t.Context(), canary.CallerIP)
			if err != nil {
				return err
			}
			return list.Block(t.Context(), target, time.Hour, "guesses keys", "operator:ann")
		}},
	} {
		clk := clock.NewManual(now)
		db := memory.New(clk)
		hashes := identity.NewKeys(db, peppers, clk, rand.Reader).Hashes
		if err := c.write(db, clk, envelope.New(memkms.New(rand.Reader), db, clk), hashes); err != nil {
			t.Fatal(name, err)
		}
		if s := tables(db); len(s.Leaks()) != 0 || s.Scanned() == 0 {
			t.Errorf("%s: %v in %d bytes", name, s.Leaks(), s.Scanned())
		}
		db = memory.New(clk)
		if err := c.write(db, clk, clear{}, bare); err != nil {
			t.Fatal(name, err)
		}
		if s := tables(db); !s.Places(c.needle)[string(c.table)] {
			t.Errorf("%s is bare and not found: %v", name, s.Found())
		}
	}
}

// Each way out of a process, with a leak planted in it.
func TestALeakIsFoundWhereverItGoes(t *testing.T) {
	t.Parallel()
	clk := clock.NewManual(now)
	db := memory.New(clk)
	blobs, queue := memory.NewBlobs(clk), memory.NewQueue(clk)
	token := "Atzr|" + canary.MarkRefresh + "and-more"
	err := errors.Join(
		db.Put(t.Context(), owner, store.Offers, store.Item{Key: store.Key{PK: "p", SK: "s"}, Attrs: map[string]any{"sealed": []byte(canary.BuyerStreet)}}),
		blobs.Put(t.Context(), owner, store.Files, "x", "text/plain", []byte("token: "+token)),
		queue.Send(t.Context(), []byte(`{"email":"`+canary.CallerEmail+`"}`), 0),
	)
	if err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	log := logs.New(&logged, slog.LevelInfo, "test", "1")
	log.Info("mail is sent", "to", canary.CallerEmail) // no form that could be redacted
	log.Info("token is used", "note", token)           // redacted: not found
	heard := &canary.Heard{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `{"detail":"refused `+token+`"}`, http.StatusBadRequest)
	}))
	defer srv.Close()
	res, err := (&http.Client{Transport: heard}).Get(srv.URL + "/x")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()

	s := tables(db)
	blobs.Each(func(_ tenant.ID, bucket store.Bucket, _ string, body []byte) bool {
		s.Bytes(fmt.Sprint(bucket), body)
		return true
	})
	for _, m := range queue.Receive(10, time.Minute) {
		s.Bytes("queue", m.Body)
	}
	s.Text("log", logged.String())
	s.Bytes("answers", heard.Bytes())
	for name, place := range map[string]string{
		"buyer's street": string(store.Offers), "refresh token": string(store.Files), "caller's e-mail": "queue",
	} {
		if !s.Places(name)[place] {
			t.Errorf("%s is not found in %s: %v", name, place, s.Found())
		}
	}
	if !s.Places("caller's e-mail")["log"] || !s.Places("refresh token")["answers"] {
		t.Errorf("the log's or the answer's leak is not found: %v", s.Found())
	}
	if s.Places("refresh token")["log"] {
		t.Error("a token that the log redacts is found in it")
	}
	if n := len(s.Leaks(canary.Place{Name: "caller's e-mail", Place: "log"})); n != 4 {
		t.Errorf("%d leaks, want the other four: %v", n, s.Found())
	}
}
