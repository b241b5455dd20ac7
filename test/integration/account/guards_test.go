package account_test

import (
	"strings"
	"testing"
	"time"

	"pricemanager/internal/clock"
)

// guardsChanged has an owner and a key of theirs change guards and costs, and returns what
// looks for the one mail about both.
func guardsChanged(t *testing.T, ann *person) func(*testing.T) {
	t.Helper()
	was := ann.ask(t, 200, "GET", "/guards", nil)["etag"].(string)
	ann.ask(t, 200, "PUT", "/guards", object{"rules": []object{{"hold_drop_percent": 83}}}, "If-Match", was)
	ann.ask(t, 409, "PUT", "/guards", object{}, "If-Match", was)
	made := ann.ask(t, 201, "POST", "/keys", object{"name": "till", "scopes": []string{"guards:write"}})
	(&person{p: ann.p, key: made["key"].(string)}).ask(t, 200, "PUT", "/costs", "sku,cost,currency\nA-1,83.17,EUR\n", "If-Match", `""`)
	return func(t *testing.T) {
		var mails []string
		for limit := time.Now().Add(3 * time.Minute); len(mails) == 0 && time.Now().Before(limit); _ = (clock.Real{}).Sleep(t.Context(), 500*time.Millisecond) {
			for _, m := range ann.p.mailbox(t, "ann@example.com") {
				if strings.Contains(m, "/guards/notices") {
					mails = append(mails, m)
				}
			}
		}
		if len(mails) != 1 || !strings.Contains(mails[0], "UTC: the guards, by Ann\n") || !strings.Contains(mails[0], `UTC: the costs, by the API key "till" (`) || strings.Contains(mails[0], "83.17") {
			t.Errorf("%d mails: %q", len(mails), mails)
		}
		if bobs := strings.Join(ann.p.mailbox(t, "bob@example.com"), ""); strings.Contains(bobs, "/guards/notices") {
			t.Errorf("a viewer was told: %s", bobs)
		}
	}
}
