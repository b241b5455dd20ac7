package store

import "maps"

// After is the item that the write makes of the current one, each nil when there
// is none, whatever the conditions say: what a failed write is charged for. The
// attributes are shared with the write and the current item.
func (w Write) After(current *Item) *Item {
	switch {
	case w.Put != nil:
		return w.Put
	case w.Delete:
		return nil
	case w.Update == nil:
		return current
	}
	after := Item{Key: w.Key, Attrs: map[string]any{}}
	if current != nil {
		maps.Copy(after.Attrs, current.Attrs)
	}
	maps.Copy(after.Attrs, w.Update.Set)
	for name, n := range w.Update.Add {
		old, _ := after.Attrs[name].(int64)
		after.Attrs[name] = old + n
	}
	for _, name := range w.Update.Remove {
		delete(after.Attrs, name)
	}
	return &after
}

// WriteUnits is the cost of the write outside a transaction, failed or not: by
// the larger of the item's sizes before and after (DynamoDB developer guide,
// "Capacity unit consumption for write operations").
func (w Write) WriteUnits(current *Item) int64 {
	size := 0
	for _, item := range []*Item{current, w.After(current)} {
		if item != nil {
			size = max(size, Size(w.Tenant, *item))
		}
	}
	return WriteUnits(size)
}
