// Package isolation proves for every route and every store method that one company
// can neither see nor change what another has, nor learn that it is there; and it
// writes down who may ask for what (authorisation.md). The functions' own tests call
// it, since their routers are theirs; the tests here see that none is left out.
//
// Routes replays the recorded requests of one company with the credential of another:
// against the world that they were recorded in, against one where they name things
// that nobody has, and against one where the first company has nothing. All three have
// to look the same from outside and from below: the answers, the calls of stores and
// of the key service. Methods does the same with every method that takes a tenant, and
// methods.md says what came of it. Authorisation asks for every route as everybody there is.
//
// It measures calls, not time.
package isolation

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pricemanager/internal/account"
	"pricemanager/internal/clock"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
	"pricemanager/internal/web"
	"pricemanager/test/replay"
)

// World is a function over stores in memory, as its events were recorded in.
type World struct {
	Function string
	Router   *web.Router
	Serve    replay.Handler
	Clock    *clock.Manual
	DB       *memory.DB
	KMS      *memkms.KMS     // nil for a function without one
	Blobs    *memory.Blobs   // nil for a function without
	Queues   []*memory.Queue // that it sends to
	Owner    tenant.ID       // whose the recorded requests are
	Stranger tenant.ID
	// Credential is the header by which the stranger asks, and its value: of somebody
	// who may do all that there is.
	Credential [2]string
	// Besides is what else the owner has, in other stores than these; nil for nothing.
	Besides func() string
	// Shared are routes whose names every company has, with the reason: asking for one
	// of the owner's is asking for one's own.
	Shared map[string]string
}

// trace is what was asked of stores and of the key service.
type trace struct {
	mu    sync.Mutex
	calls []string
	whose map[tenant.ID]bool
}

func (tr *trace) add(t tenant.ID, format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.whose[t] = true
	tr.calls = append(tr.calls, string(t)+" "+fmt.Sprintf(format, args...))
}

// watch begins to trace what is asked of the world from now on.
func watch(db *memory.DB, blobs *memory.Blobs, kms *memkms.KMS) *trace {
	tr := &trace{whose: map[tenant.ID]bool{}}
	db.Seen = func(kind memory.OpKind, t tenant.ID, table store.Table, key store.Key) {
		tr.add(t, "%s %s %s / %s", kind, table, key.PK, key.SK)
	}
	if blobs != nil {
		blobs.Seen = func(method string, t tenant.ID, bucket store.Bucket, name string) {
			tr.add(t, "%s %s %s", method, bucket, name)
		}
	}
	if kms != nil {
		kms.Fail = func(op string) error { tr.add("", "kms %s", op); return nil }
	}
	return tr
}

// asked lists the calls. BatchGet promises no order, so what it asks for is sorted.
func (tr *trace) asked() []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	calls := slices.Clone(tr.calls)
	for i := 0; i < len(calls); i++ {
		j := i
		for j < len(calls) && strings.Contains(calls[j], " "+string(memory.BatchGet)+" ") {
			j++
		}
		slices.Sort(calls[i:j])
		i = max(i, j-1)
	}
	return calls
}

// nobodys are the partitions of no company: the directory of ids and tenants, and the
// tickets of who belongs to no company yet.
var nobodys = []tenant.ID{"", store.Directory, account.Lobby}

// foreign lists whose partitions were asked, beside those of nobody and the own ones.
func (tr *trace) foreign(own ...tenant.ID) (whose []tenant.ID) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for t := range tr.whose {
		if !slices.Contains(nobodys, t) && !slices.Contains(own, t) {
			whose = append(whose, t)
		}
	}
	slices.Sort(whose)
	return whose
}

// holdings is everything that the owner has, as text.
func holdings(w World) string {
	var all []string
	db, blobs, t := w.DB, w.Blobs, w.Owner
	if w.Besides != nil {
		all = append(all, w.Besides())
	}
	db.Each(func(owner tenant.ID, table store.Table, item store.Item) bool {
		if owner == t {
			all = append(all, fmt.Sprintf("%s %v", table, item))
		}
		return true
	})
	if blobs != nil {
		blobs.Each(func(owner tenant.ID, bucket store.Bucket, name string, body []byte) bool {
			if owner == t {
				all = append(all, fmt.Sprintf("%s %s %x", bucket, name, body))
			}
			return true
		})
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// vanish takes everything from a tenant, so that nothing of it is in the stores, nor
// in the directory.
func vanish(t *testing.T, db *memory.DB, blobs *memory.Blobs, who tenant.ID) {
	t.Helper()
	for _, table := range store.Tables() {
		for segment := range db.Segments() {
			if _, err := db.Sweep(t.Context(), who, table, segment, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if blobs == nil {
		return
	}
	type object struct {
		bucket store.Bucket
		name   string
	}
	var all []object
	blobs.Each(func(owner tenant.ID, bucket store.Bucket, name string, _ []byte) bool {
		if owner == who {
			all = append(all, object{bucket, name})
		}
		return true
	})
	for _, o := range all {
		if err := blobs.Delete(t.Context(), who, o.bucket, o.name); err != nil {
			t.Fatal(err)
		}
	}
}
