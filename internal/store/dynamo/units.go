package dynamo

import (
	"errors"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"pricemanager/internal/store"
)

// meter adds up what calls cost. The nil meter does not count.
type meter struct {
	mu    sync.Mutex
	units map[store.Table]store.Units
}

func newMeter() *meter { return &meter{units: map[store.Table]store.Units{}} }

// Units is what the calls so far cost in the given tables, or in all; zero
// without CountUnits. It is what DynamoDB reports, except for writes that failed
// their condition, of which it does not: they are reckoned from the write and the
// item that stood in the way, as if there were none where that is unknown.
func (db *DB) Units(tables ...store.Table) store.Units {
	if len(tables) == 0 {
		tables = store.Tables()
	}
	var sum store.Units
	if m := db.units; m != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, t := range tables {
			sum = sum.Plus(m.units[t])
		}
	}
	return sum
}

func (m *meter) wanted() types.ReturnConsumedCapacity {
	if m == nil {
		return types.ReturnConsumedCapacityNone
	}
	return types.ReturnConsumedCapacityTotal
}

func (m *meter) add(t store.Table, u store.Units) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.units[t] = m.units[t].Plus(u)
}

// capacity is whole: halves occur only in eventually consistent reads.
func capacity(c *types.ConsumedCapacity) int64 {
	if c == nil || c.CapacityUnits == nil {
		return 0
	}
	return int64(*c.CapacityUnits)
}

func (m *meter) read(t store.Table, c *types.ConsumedCapacity) {
	m.add(t, store.Units{Read: capacity(c)})
}

func (m *meter) write(t store.Table, c *types.ConsumedCapacity) {
	m.add(t, store.Units{Write: capacity(c)})
}

func (m *meter) transacted(names map[store.Table]string, used []types.ConsumedCapacity) {
	for i := range used {
		for t, name := range names {
			if used[i].TableName != nil && *used[i].TableName == name {
				m.write(t, &used[i])
			}
		}
	}
}

func (m *meter) failed(w store.Write, err error) {
	var c *store.ConflictError
	if errors.As(err, &c) {
		m.add(w.Table, store.Units{Write: w.WriteUnits(c.Current)})
	}
}

func (m *meter) cancelled(writes []store.Write, err error) {
	var c *store.ConflictError
	if !errors.As(err, &c) {
		return
	}
	for i, w := range writes {
		var current *store.Item
		if i == c.Write {
			current = c.Current
		}
		m.add(w.Table, store.Units{Write: 2 * w.WriteUnits(current)})
	}
}
