package download

import (
	"encoding/json"

	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
)

var _ ledger.Mapper = Events

// exported is what the ledger keeps of data that was taken away. Of a list of SKUs
// it is their number.
type exported struct {
	Spec
	SKUs  int   `json:"skus,omitempty"`
	Rows  int64 `json:"rows"`
	Files []sum `json:"files,omitempty"` // none: it was answered at once
}

// sum is the hash of a file, so that one can be tied to the ledger later.
type sum struct {
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}

// sums is how many files an event tells of: there is room for some 600.
const sums = 300

// Events are the ledger events that a change of a download's item means: that
// somebody was given data. A download that failed gave nobody any.
func Events(r store.Record) []ledger.Event {
	if r.Table != store.Offers || r.Key.PK != downloadsPK || r.New == nil {
		return nil
	}
	d, err := open(*r.New)
	if err != nil {
		return nil // not written by this package
	}
	over := d.State == taken || d.State == Done
	if !over || r.Old != nil && r.Old.Str(aState) == r.New.Str(aState) {
		return nil // a lease, a file, or a repeated message
	}
	e := exported{Spec: d.Spec, SKUs: len(d.Spec.SKUs), Rows: d.Rows}
	for _, f := range d.Files[:min(len(d.Files), sums)] {
		e.Files = append(e.Files, sum{f.SHA256, f.Bytes})
	}
	after, err := json.Marshal(e)
	if err != nil {
		return nil // cannot be: it came out of JSON
	}
	at := d.Finished
	if at.IsZero() {
		at = d.At
	}
	return []ledger.Event{{
		Type: ledger.TableExported, At: at, Actor: d.By, Target: "download:" + d.ID, After: after, Correlation: d.request, Source: string(store.Offers),
	}}
}
