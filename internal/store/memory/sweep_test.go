package memory_test

import (
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/store/storetest"
)

func TestASweepDeletesEverythingOfOneTenantAndNothingElse(t *testing.T) {
	t.Parallel()
	db := memory.New(clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)))
	storetest.Sweep(t, db, db)
}
