package memory_test

import (
	"slices"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

func TestEveryCallIsSeenWithTheTenantItIsFor(t *testing.T) {
	t.Parallel()
	const mine, other tenant.ID = "t_seen00000a", "t_seen00000b"
	ctx, clk := t.Context(), clock.NewManual(time.Unix(1, 0))
	db, blobs := memory.New(clk), memory.NewBlobs(clk)
	var got []string
	db.Seen = func(kind memory.OpKind, of tenant.ID, table store.Table, key store.Key) {
		got = append(got, string(kind)+" "+string(of)+" "+string(table)+" "+key.PK+"/"+key.SK)
	}
	blobs.Seen = func(method string, of tenant.ID, bucket store.Bucket, name string) {
		got = append(got, method+" "+string(of)+" "+string(bucket)+" "+name)
	}
	a, b := store.Key{PK: "p", SK: "a"}, store.Key{PK: "p", SK: "b"}
	item := store.Item{Key: b, Attrs: map[string]any{"n": int64(1)}}
	up := store.Upload{ContentType: "text/csv", Max: 1, Valid: time.Minute}
	_, _ = db.Get(ctx, mine, store.Offers, a)
	_, _ = db.BatchGet(ctx, mine, store.Offers, []store.Key{a, b, a})
	_, _ = db.Query(ctx, mine, store.Keys, store.Query{PK: "p", Prefix: "x"})
	_ = db.Put(ctx, mine, store.Offers, item)
	_, _ = db.Update(ctx, mine, store.Offers, a, store.Update{Set: map[string]any{"n": int64(2)}})
	_ = db.Delete(ctx, mine, store.Offers, a)
	_ = db.Transact(ctx, store.Write{Tenant: mine, Table: store.Offers, Key: b, Delete: true}, store.Write{Tenant: other, Table: store.Privacy, Put: &item})
	_ = blobs.Put(ctx, mine, store.Files, "f", "text/csv", nil)
	_, _ = blobs.Get(ctx, mine, store.Files, "f")
	_, _, _ = blobs.Read(ctx, mine, store.Files, "g")
	_, _ = blobs.List(ctx, other, store.Files, "h")
	_, _ = blobs.Link(ctx, mine, store.Files, "i", time.Minute)
	_, _ = blobs.Form(ctx, mine, store.Files, "j", up)
	_ = blobs.Delete(ctx, mine, store.Files, "k")
	want := []string{
		"get t_seen00000a offers p/a", "batchGet t_seen00000a offers p/a", "batchGet t_seen00000a offers p/b", "query t_seen00000a keys p/x",
		"put t_seen00000a offers p/b", "update t_seen00000a offers p/a", "delete t_seen00000a offers p/a", "transact t_seen00000a offers p/b", "transact t_seen00000b privacy p/b",
		"put t_seen00000a files f", "get t_seen00000a files f", "get t_seen00000a files g", "list t_seen00000b files h", "link t_seen00000a files i", "form t_seen00000a files j", "delete t_seen00000a files k",
	}
	if !slices.Equal(got, want) {
		t.Errorf("seen %q,\nwant %q", got, want)
	}
}
