package download

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/export"
	"pricemanager/internal/lane"
	"pricemanager/internal/price"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// catalogue answers as a table of so many offers would: one partition of them, made
// up as they are asked for.
type catalogue struct {
	*world
	offers int
	like   store.Item
}

func (c *catalogue) Query(ctx context.Context, t tenant.ID, table store.Table, q store.Query) (store.Page, error) {
	if !strings.HasPrefix(q.PK, "offer#") {
		return c.world.Query(ctx, t, table, q)
	}
	if !strings.HasSuffix(q.PK, "#00") {
		return store.Page{}, nil
	}
	from := 0
	if q.After != "" {
		if _, err := fmt.Sscanf(q.After, string(de)+"#SKU-%d", &from); err != nil {
			return store.Page{}, err
		}
		from++
	}
	var page store.Page
	for i := from; i < min(c.offers, from+min(q.Limit, 1000)); i++ {
		it := store.Item{Key: store.Key{PK: q.PK, SK: fmt.Sprintf("%s#SKU-%07d", de, i)}, Attrs: c.like.Attrs}
		page.Items = append(page.Items, it)
	}
	if last := from + len(page.Items); last < c.offers {
		page.Next = page.Items[len(page.Items)-1].SK
	}
	return page, nil
}

// folder keeps objects on disk, as the benchmark's memory is to be the job's own.
type folder struct{ dir string }

func (f folder) PutFrom(_ context.Context, _ tenant.ID, _ store.Bucket, name, _ string, body io.ReadSeeker) error {
	out, err := os.Create(filepath.Join(f.dir, filepath.Base(name)))
	if err != nil {
		return err
	}
	_, err = io.Copy(out, body)
	return errors.Join(err, out.Close())
}

// BenchmarkAMillionOffers makes a download of 1,000,000 offers and reads its files
// as price files. It reports rows a second of making, and the peak of the heap.
func BenchmarkAMillionOffers(b *testing.B) {
	const offers = 1_000_000
	for _, f := range export.Formats() {
		b.Run(string(f), func(b *testing.B) {
			for range b.N {
				million(b, f, offers)
			}
		})
	}
}

func million(b *testing.B, f export.Format, offers int) {
	b.Helper()
	w := newWorld(b)
	w.stock(b, seller, 2)
	page, err := w.DB.Query(b.Context(), seller, store.Offers, store.Query{PK: "offer#" + string(one) + "#00", Limit: 1})
	for i := 1; err == nil && len(page.Items) == 0 && i < 16; i++ {
		page, err = w.DB.Query(b.Context(), seller, store.Offers, store.Query{PK: fmt.Sprintf("offer#%s#%02d", one, i), Limit: 1})
	}
	if err != nil || len(page.Items) == 0 {
		b.Fatal("no offer to copy", err)
	}
	page.Items[0].Attrs["title"] = strings.Repeat("A title as people write them ", 4)
	dir := b.TempDir()
	w.maker.Objects, w.maker.Sources.Offers = folder{dir}, lane.NewOffers(&catalogue{w, offers, page.Items[0]})
	d, err := w.maker.Request(b.Context(), seller, "key:k", "req-1", Spec{What: Offers, Format: f, Connections: []price.ConnectionID{one}})
	if err != nil {
		b.Fatal(err)
	}
	peak := watch(b)
	begun := time.Now()
	if done, err := w.maker.Run(b.Context(), seller, d.ID, w.clock.Now().Add(5*time.Minute)); !done || err != nil {
		b.Fatal(done, err)
	}
	b.ReportMetric(float64(offers)/time.Since(begun).Seconds(), "rows/s")
	b.ReportMetric(peak(), "peakMiB")
	rows := 0
	for _, file := range w.get(b, d.ID).Files {
		content, err := os.ReadFile(filepath.Join(dir, filepath.Base(file.Object)))
		if err != nil {
			b.Fatal(err)
		}
		p, err := pricefile.Open(bytes.NewReader(content), pricefile.Options{Spool: pricefile.TempFiles(dir)})
		if err != nil {
			b.Fatal(err)
		}
		for _, bad := range p.Rows() {
			if len(bad) > 0 {
				b.Fatal(bad)
			}
			rows++
		}
		if err := p.Close(); err != nil {
			b.Fatal(err)
		}
	}
	if rows != offers {
		b.Fatalf("%d rows come back, want %d", rows, offers)
	}
	b.ReportMetric(float64(len(w.get(b, d.ID).Files)), "files")
}

// watch looks at the heap until the peak is asked for, in MiB.
func watch(b *testing.B) func() float64 {
	b.Helper()
	stop, most := make(chan struct{}), make(chan uint64)
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		var peak uint64
		for {
			select {
			case <-tick.C:
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapInuse)
			case <-stop:
				most <- peak
				return
			}
		}
	}()
	return func() float64 { close(stop); return float64(<-most) / (1 << 20) }
}
