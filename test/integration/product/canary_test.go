package product_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"pricemanager/infra/local/canaries"
	"pricemanager/test/canary"
)

// answers are what the product said to anybody in this test.
var (
	answers = &canary.Heard{}
	client  = &http.Client{Transport: answers}
)

// canariesStayInTheirPlace closes a stack and searches everything that it left:
// tables, buckets, queues, logs, metrics and configuration of the local AWS, the
// output of every process, and the answers. Secrets are in the vault and nowhere
// else; access tokens and what Amazon or callers send unasked nowhere at all.
func canariesStayInTheirPlace(t *testing.T, r *rig) {
	const control = "a message to show that queues are searched"
	_, err := sqs.NewFromConfig(r.Config()).SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: aws.String(r.Outputs["PrivacyDeadLettersUrl"]), MessageBody: aws.String(control),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.watch.Remember(t.Context()), r.Close()); err != nil {
		t.Fatal(err)
	}
	for _, key := range r.keys[1:] { // the first is the stack's
		r.watch.Also(canary.Secret("API key", key))
	}
	controls := map[string][]string{
		"control: a message":  {"aws/sqs.json"},
		"control: an offer":   {"aws/dynamodb.json"},
		"control: a log line": {"aws/cloudwatch_logs.json", "log"},
	}
	r.watch.Also(
		canary.Text("control: a message", control),
		canary.Text("control: an offer", "LOSTBELL-01", "KILLEFFECT-05", "ONEFAILS-03"),
		canary.Text("control: a log line", "doorbell answered"),
	)
	log, err := os.ReadFile(filepath.Join(r.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(r.dir, "state")
	texts := map[string][]byte{"log": log}
	s, err := r.watch.Scan(state, texts)
	if err != nil {
		t.Fatal(err)
	}
	var anywhere []canary.Place
	for name, places := range controls {
		anywhere = append(anywhere, canary.Place{Name: name})
		for _, place := range places { // every store was read, and in its usual form
			if !s.Places(name)[place] {
				t.Errorf("the search did not find %s in %s, where it is: it proves nothing", name, place)
			}
		}
	}
	figures, err := r.watch.Judge(s, anywhere...)
	if err != nil {
		t.Error(err)
	}
	t.Logf("%+v", figures)
	if figures.Planted < 100 || figures.Scanned < 1<<20 {
		t.Errorf("%+v: too little to show anything", figures)
	}
	leaksAreFound(t, r, state)
}

// leaksAreFound plants leaks in copies of what a stack left: each is found, or
// the search proves nothing.
func leaksAreFound(t *testing.T, r *rig, state string) {
	token := []byte("Atza|" + canary.MarkAccess + "and-more")
	coded := base64.StdEncoding.EncodeToString([]byte(`{"note":"` + string(token) + `"}`))
	for name, leak := range map[string]struct{ file, before, more string }{
		"an attribute of a table": {"aws/dynamodb.json", `{"S":`, `{"B": "` + coded + `"}, `},
		"a message in a queue":    {"aws/sqs.json", `"a message to show`, `"` + string(token) + `", `},
		"a line in a log":         {"aws/cloudwatch_logs.json", `doorbell answered`, canary.CallerEmail + ` `},
	} {
		text, err := os.ReadFile(filepath.Join(state, leak.file))
		if err != nil {
			t.Fatal(err)
		}
		planted := bytes.Replace(text, []byte(leak.before), []byte(leak.more+leak.before), 1)
		if len(planted) == len(text) {
			t.Errorf("%s: there is no place for a leak in %s", name, leak.file)
		}
		s := canary.NewScanner()
		s.Bytes(leak.file, planted)
		if len(s.Leaks(canaries.Allowed()...)) == 0 {
			t.Errorf("%s: a leak that was planted is not found", name)
		}
	}
}

// plant sends what callers bring, before anything else happens on the stack.
func (r *rig) plant(t *testing.T) {
	t.Helper()
	if err := r.watch.Plant(t.Context()); err != nil {
		t.Fatal(err)
	}
}
