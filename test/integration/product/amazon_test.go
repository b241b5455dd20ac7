package product_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"pricemanager/internal/price"
	"pricemanager/test/fakeamazon"
)

// amazon is the fake Amazon's control panel.
type amazon struct{ admin string }

func (a amazon) do(t *testing.T, method, path string, body any) []byte {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, a.admin+"/"+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	status, answer := roundTrip(t, req)
	if status/100 != 2 {
		t.Fatalf("fake Amazon: %s %s: status %d: %s", method, path, status, answer)
	}
	return answer
}

func fetch[T any](t *testing.T, a amazon, path string) T {
	t.Helper()
	return decode[T](t, path, a.do(t, http.MethodGet, path, nil))
}

// fault arms a fault and returns how to release the requests that it holds.
func (a amazon) fault(t *testing.T, f fakeamazon.Fault) (id string, release func()) {
	t.Helper()
	id = decode[struct{ ID string }](t, "fault", a.do(t, http.MethodPost, "faults", f)).ID
	return id, func() { a.do(t, http.MethodDelete, "faults/"+id, nil) }
}

// holds is the number of requests that a fault holds now.
func (a amazon) holds(t *testing.T, id string) int {
	t.Helper()
	for _, f := range fetch[[]fakeamazon.Fault](t, a, "faults") {
		if f.ID == id {
			return f.Held
		}
	}
	t.Fatalf("fake Amazon: no fault %s", id)
	return 0
}

// effects are the offers of a seller that patches changed.
func (a amazon) effects(t *testing.T, seller string) (mine []fakeamazon.Effect) {
	t.Helper()
	for _, e := range fetch[[]fakeamazon.Effect](t, a, "effects") {
		if e.Seller == seller {
			mine = append(mine, e)
		}
	}
	return mine
}

// patches are the price changes that reached Amazon for a seller.
func (a amazon) patches(t *testing.T, seller string) []fakeamazon.Request {
	t.Helper()
	return fetch[[]fakeamazon.Request](t, a, "requests?"+url.Values{"op": {"patchListingsItem"}, "seller": {seller}}.Encode())
}

// shows is the price that Amazon shows for a SKU, in the marketplace's currency.
func (a amazon) shows(t *testing.T, seller string, m price.MarketplaceID, sku price.SKU) string {
	t.Helper()
	q := url.Values{"region": {"EU"}, "seller": {seller}, "marketplace": {string(m)}, "sku": {string(sku)}}
	return fetch[fakeamazon.Listing](t, a, "listing?"+q.Encode()).Price
}
