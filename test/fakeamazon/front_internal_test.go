package fakeamazon

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/secret"
)

// A fake that answers what the models do not allow must not get away with it.
func TestWrongAnswerBecomesAnErrorAndAViolation(t *testing.T) {
	t.Parallel()
	f, err := New(Config{Clock: clock.NewManual(time.Unix(0, 0)), Application: Application{
		ID: "a", ClientID: "c", ClientSecret: secret.New("s"), RedirectURIs: []string{"https://x/"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	op, _ := f.spec.Operation(opPatch)
	for name, out := range map[string]answer{
		"wrong status value":  {200, submission{SKU: "S", Status: "DONE", SubmissionID: "1"}, ""},
		"status not declared": {204, nil, ""},
		"wrong shape":         {400, map[string]int{"error": 1}, ""},
	} {
		rec := httptest.NewRecorder()
		f.write(rec, &call{op: op, entry: f.log.open(Request{Op: op.ID})}, out)
		if rec.Code != 500 || !strings.Contains(rec.Body.String(), "contract violation") {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
	}
	if v := f.Violations(); len(v) != 3 || v[0].Kind != "fake" {
		t.Errorf("violations: %v", v)
	}
}

func TestEveryOperationOfTheContractIsBuilt(t *testing.T) {
	t.Parallel()
	f, err := New(Config{Clock: clock.NewManual(time.Unix(0, 0)), Application: Application{ID: "a", ClientID: "c", ClientSecret: secret.New("s"), RedirectURIs: []string{"https://x/"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, op := range f.spec.Operations() {
		c := &call{op: op, seller: &seller{}, params: map[string]string{}, body: []byte("{}"), entry: &Request{Op: op.ID}}
		if got := f.handle(c); got.status >= 500 {
			t.Errorf("%s: %d %+v", op.ID, got.status, got.body)
		}
	}
	if v := f.Violations(); len(v) > 0 {
		t.Errorf("%+v", v)
	}
}
