package virtual

import (
	"context"
	"crypto/rand"
	"time"

	"pricemanager/internal/envelope"
	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
)

// audit writes what happens into the ledger as audit-stream does it, batches of
// at most 200 records within a second.
func (w *world) audit() {
	w.db.NoStreams = false
	reader := w.db.Subscribe(store.Offers)
	log := ledger.New(w.data, envelope.New(w.kms, w.data, w.clock), w.clock, rand.Reader)
	pump := &ledger.Pump{Log: log, Mappers: map[store.Table]ledger.Mapper{store.Offers: lane.Events}}
	w.running.Go(func() {
		for ended := false; ; {
			records := reader.Poll(200)
			if len(records) == 0 {
				if ended {
					return
				}
				select {
				case <-w.done:
					ended = true
				default:
					_ = w.clock.Sleep(context.Background(), time.Second)
				}
				continue
			}
			begun := w.clock.Now()
			if failed, err := pump.Handle(context.Background(), records); err != nil || len(failed) > 0 {
				w.t.Errorf("ledger: %v %v", failed, err)
				return
			}
			w.bill(begun)
		}
	})
}
