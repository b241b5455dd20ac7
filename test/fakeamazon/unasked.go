package fakeamazon

import (
	"bytes"

	"pricemanager/test/canary"
)

// objects are the beginnings of the objects within answers and notifications
// that get unasked members, beside the whole.
var objects = [][]byte{[]byte(`{"sku":`), []byte(`"Payload":{`), []byte(`"payload":{`), []byte(`{"marketplace":{`), []byte(`{"reportId":`)}

// unasked adds to a JSON object what nobody asked for, when it is configured to.
// It comes after the answer was held against the contract.
func (f *Fake) unasked(body []byte) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.unaskedLocked(body)
}

// unaskedLocked is unasked for a caller that holds the lock.
func (f *Fake) unaskedLocked(body []byte) []byte {
	if !f.cfg.Unasked || len(body) < 3 || body[0] != '{' { // nothing, a list, or {}
		return body
	}
	more := canary.Unasked()
	whole := bytes.HasPrefix(body, objects[0]) // it gets them below
	for _, o := range objects {
		cut := bytes.IndexByte(o, '{') + 1
		body = bytes.ReplaceAll(body, o, bytes.Join([][]byte{o[:cut], more, o[cut:]}, nil))
	}
	if !whole && !bytes.HasPrefix(body[1:], more) {
		body = bytes.Join([][]byte{body[:1], more, body[1:]}, nil)
	}
	f.planted++
	return body
}

// unaskedCells are further cells of a report's line, when it is configured to.
func (f *Fake) unaskedCells(name, email string) string {
	if !f.cfg.Unasked {
		return ""
	}
	f.planted++
	return "\t" + cell.Replace(name) + "\t" + cell.Replace(email)
}

// Planted is how many tokens, codes and secrets the fake has issued, and how many
// answers, notifications and lines it has sent with personal data in them.
func (f *Fake) Planted() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.planted
}
