package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/plan"
	"pricemanager/internal/store"
	"pricemanager/test/openapi"
)

// A batch that has more rows than a request has time for is taken back too: what plans
// uploads plans its way back. A smaller one, and one of which nothing was sent, is
// answered at once.
func TestTheWayBackFromALargeBatchIsPlannedOutsideOfTheRequest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		state  string
		rows   int
		status int
	}{{"done", rollbackAtOnce + 1, 202}, {"sending", rollbackAtOnce + 1, 202}, {"done", rollbackAtOnce, 409}, {"refused", rollbackAtOnce + 1, 409}, {"staging", rollbackAtOnce + 1, 409}} {
		w := newWorld(t)
		const id = "bat_aaaaaaaaaaaaaaaaaaaaaaaaaa"
		err := w.db.Put(t.Context(), seller, store.Offers, store.Item{Key: store.Key{PK: "batches", SK: id}, Attrs: map[string]any{
			"state": c.state, "rows": fmt.Appendf(nil, `{%q:%d}`, conn, c.rows), "created": store.Millis(w.clock.Now())}})
		if err != nil {
			t.Fatal(err)
		}
		ev, err := json.Marshal(events.APIGatewayProxyRequest{HTTPMethod: http.MethodPost, Resource: "/batches/{id}/rollback", Path: "/batches/" + id + "/rollback",
			Headers: map[string]string{"Authorization": "Bearer " + mine}})
		if err != nil {
			t.Fatal(err)
		}
		out, err := openapi.Checked(t, w.serve)(t.Context(), ev)
		if err != nil {
			t.Fatal(err)
		}
		var res events.APIGatewayProxyResponse
		if err := json.Unmarshal(out, &res); err != nil || res.StatusCode != c.status {
			t.Errorf("%s with %d rows: %d %s, %v; want %d", c.state, c.rows, res.StatusCode, res.Body, err, c.status)
			continue
		}
		sent := w.planQueue.Receive(10, 0)
		if c.status != 202 {
			if len(sent) != 0 {
				t.Errorf("%s with %d rows: refused, and %d plans asked for", c.state, c.rows, len(sent))
			}
			continue
		}
		var p planDoc
		var job plan.Job
		if err := json.Unmarshal([]byte(res.Body), &p); err != nil || p.State != plan.Reading || p.File != "rollback of "+id || http.Header(res.MultiValueHeaders).Get("Location") != "/plans/"+p.ID {
			t.Errorf("%s, %v, %v", res.Body, res.MultiValueHeaders, err)
		}
		if len(sent) != 1 || json.Unmarshal(sent[0].Body, &job) != nil || job.Plan != p.ID || job.Tenant != seller {
			t.Errorf("asked for %v of %s", sent, p.ID)
		}
	}
}
