package isolation

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

// TestNoMethodIsLeftOut: each method below internal/ that takes a tenant is in
// methods.md, or it is said why not.
func TestNoMethodIsLeftOut(t *testing.T) {
	t.Parallel()
	all, err := listed("../..")
	must(t, err)
	if len(all) < 150 {
		t.Fatalf("only %d methods were found", len(all))
	}
	table, err := os.ReadFile(MethodsTable)
	must(t, err)
	used := map[string]bool{}
	missing, there := unproven(all, string(table), used)
	for _, m := range missing {
		t.Errorf("%s takes a tenant and is not in test/isolation/%s: call it in a rooms_test.go of a function, or say in elsewhere why not", m, MethodsTable)
	}
	for line := range strings.SplitSeq(string(table), "\n") {
		if name, ok := strings.CutPrefix(line, "| "); ok && strings.Contains(name, ".") {
			if name, _, _ = strings.Cut(name, " |"); !there[name] {
				t.Errorf("%s is in %s and is no method that takes a tenant", name, MethodsTable)
			}
		}
	}
	for prefix := range elsewhere {
		if !used[prefix] {
			t.Errorf("nothing is left out for %q any more", prefix)
		}
	}
}

func unproven(all []string, table string, used map[string]bool) (missing []string, there map[string]bool) {
	there = map[string]bool{}
	for _, m := range all {
		_, name, _ := strings.Cut(m, " ")
		there[name] = true
		out := strings.Contains(table, "\n| "+name+" |")
		for prefix := range elsewhere {
			if strings.HasPrefix(m, prefix) {
				used[prefix], out = true, true
			}
		}
		if !out {
			missing = append(missing, m)
		}
	}
	return missing, there
}

func TestAMethodThatNobodyCallsIsFound(t *testing.T) {
	t.Parallel()
	missing, _ := unproven([]string{"pricemanager/internal/x x.Store.Get", "pricemanager/internal/x x.Store.List", "pricemanager/internal/store/dynamo dynamo.DB.Get"}, "\n| x.Store.Get | done | not-found |\n", map[string]bool{})
	if len(missing) != 1 || missing[0] != "pricemanager/internal/x x.Store.List" {
		t.Errorf("found %v", missing)
	}
}

// careless is a room with one honest method and many that are not.
type careless struct {
	db    *memory.DB
	blobs *memory.Blobs
}

func key(id string) store.Key { return store.Key{PK: "things", SK: id} }

func (r careless) Honest(ctx context.Context, t tenant.ID, id string) (store.Item, error) {
	return r.db.Get(ctx, t, store.Offers, key(id))
}

func (r careless) Gives(ctx context.Context, _ tenant.ID, id string) (store.Item, error) {
	return r.db.Get(ctx, ours, store.Offers, key(id))
}

func (r careless) Peeks(ctx context.Context, t tenant.ID, id string) error {
	_, _ = r.blobs.Get(ctx, ours, store.Files, id)
	_, err := r.Honest(ctx, t, id)
	return err
}

func (r careless) Spoils(ctx context.Context, t tenant.ID, id string) error {
	if err := r.db.Delete(ctx, ours, store.Offers, key(id)); err != nil {
		return err
	}
	_, err := r.Honest(ctx, t, id)
	return err
}

func (r careless) Hesitates(ctx context.Context, t tenant.ID, id string) error {
	there := false
	r.db.Each(func(_ tenant.ID, _ store.Table, it store.Item) bool { there = there || it.SK == id; return true })
	if there {
		_, _ = r.Honest(ctx, t, id)
	}
	_, err := r.Honest(ctx, t, id)
	return err
}

func (r careless) Panics(context.Context, tenant.ID, string) { panic("no") }

func TestWhatAMethodGivesAwayIsFound(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]string{
		"Honest": "", "Gives": "looked into what is of [" + string(ours), "Peeks": "looked into what is of [" + string(ours), "Spoils": "changed what is of the owner",
		"Hesitates": "not like what nobody ever had", "Panics": "give arguments",
	} {
		c := call{method: method, setup: func(t *testing.T) Rooms {
			clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
			w := World{Clock: clk, DB: memory.New(clk), Blobs: memory.NewBlobs(clk), Owner: ours, Stranger: theirs}
			must(t, w.DB.Put(t.Context(), ours, store.Offers, store.Item{Key: key(thing), Attrs: map[string]any{"n": int64(1)}}))
			must(t, w.Blobs.Put(t.Context(), ours, store.Files, thing, "text/plain", []byte("x")))
			return Rooms{World: w, Rooms: []Room{{Of: careless{w.DB, w.Blobs}, ID: thing}}}
		}}
		owner, stranger, leaks := c.compare(t)
		if got := strings.Join(leaks, "\n"); (want == "") != (got == "") || !strings.Contains(strings.ReplaceAll(got, "\u00a0", " "), want) {
			t.Errorf("%s: found %q, want %q", method, got, want)
		}
		if method == "Honest" && (owner != "done" || stranger != "not-found") {
			t.Errorf("an honest method: %s, %s", owner, stranger)
		}
	}
}
