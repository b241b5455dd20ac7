package account_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"pricemanager/infra/local/localaws"
	"pricemanager/internal/clock"
)

// call calls a function directly, as schedules and operators do; refusal is what the
// function said when it failed.
func (p *product) call(t *testing.T, function string, payload object) (answer map[string]any, refusal string) {
	t.Helper()
	body, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	out, err := lambda.NewFromConfig(p.Config()).Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String(p.Function(function)), Payload: body})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out.Payload, &answer); err != nil {
		t.Fatalf("%v: %s", err, out.Payload)
	}
	if out.FunctionError != nil {
		return nil, fmt.Sprint(answer["errorMessage"])
	}
	return answer, ""
}

// pmctl runs the tool as an operator does, and returns what it said.
func (p *product) pmctl(t *testing.T, args ...string) string {
	t.Helper()
	root, err := localaws.ProjectRoot()
	if err != nil {
		t.Fatal(err)
	}
	cfg := p.Config()
	who, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"run", "./infra/pmctl"}, args...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+*cfg.BaseEndpoint, "AWS_REGION="+cfg.Region, "AWS_ACCESS_KEY_ID="+who.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+who.SecretAccessKey)
	var wrong strings.Builder
	cmd.Stderr = &wrong
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("pmctl %v: %v: %s", args, err, wrong.String())
	}
	return string(out)
}

// users are the ids that the sign-in provider has.
func (p *product) users(t *testing.T) (ids []string) {
	t.Helper()
	client := cip.NewFromConfig(p.Config())
	pools, err := client.ListUserPools(t.Context(), &cip.ListUserPoolsInput{MaxResults: aws.Int32(10)})
	if err != nil || len(pools.UserPools) != 1 {
		t.Fatal(pools, err)
	}
	list, err := client.ListUsers(t.Context(), &cip.ListUsersInput{UserPoolId: pools.UserPools[0].Id})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range list.Users {
		ids = append(ids, *u.Username)
	}
	return ids
}

// found makes a company and its owner, who has an authenticator.
func (p *product) found(t *testing.T, email, company string) (owner *person, tenant, member string) {
	t.Helper()
	owner = &person{p: p}
	owner.ask(t, 202, "POST", "/account/sign-up", object{"email": email, "name": "Ann", "company": company})
	joined := owner.ask(t, 201, "POST", "/account/sign-up/confirm", object{"ticket": p.ticket(t, email), "password": annsPhrase})
	owner.enrol(t, email, annsPhrase)
	return owner, joined["tenant"].(string), joined["member"].(string)
}

// TestACompanySeesWhoLooksAndLeavesNoUserBehind is what owners and our operators do on
// the local AWS, with every role enforced.
func TestACompanySeesWhoLooksAndLeavesNoUserBehind(t *testing.T) {
	p := start(t, "CoolingOff", "0s", "Settle", "4s")
	ann, company, member := p.found(t, "ann@example.com", "Lantern Trading")
	_, other, stranger := p.found(t, "eva@strangers.example", "Strangers")

	enter := object{"job": "operator-enter", "tenant": company, "operator": "olga"}
	if _, no := p.call(t, "account", enter); !strings.Contains(no, "Nobody of the company lets you look") {
		t.Errorf("without a grant: %q", no)
	}
	grant := ann.ask(t, 201, "POST", "/support/grants", object{"reason": "the import is stuck since noon", "hours": 2})
	in, no := p.call(t, "account", enter)
	if no != "" {
		t.Fatal(no)
	}
	olga := &person{p: p, cookie: in["cookie"].(string)}
	olga.ask(t, 200, "GET", "/guards", nil) // another function takes the session too
	olga.ask(t, 403, "GET", "/members", nil)
	olga.ask(t, 403, "PUT", "/guards", object{})
	if seen := ann.ask(t, 200, "GET", "/support/grants", nil)["items"].([]any)[0].(map[string]any); seen["entries"] != 1.0 || seen["open"] != true {
		t.Errorf("the company sees %v", seen)
	}
	ann.ask(t, 200, "DELETE", "/support/grants/"+grant["id"].(string), nil)
	olga.ask(t, 401, "GET", "/guards", nil)

	said := p.pmctl(t, "operator", "enter", company, "--stage", "local", "--operator", "olga", "--emergency", "prices of a whole company went to one cent")
	visit := regexp.MustCompile(`^in: session ([a-z2-7]+) of (?s:.*)__Host-pm-session=(\S+)\n$`).FindStringSubmatch(said)
	if visit == nil {
		t.Fatalf("pmctl said %q", said)
	}
	if mails := p.mailbox(t, "ann@example.com"); !strings.Contains(mails[len(mails)-1], "went to one cent") {
		t.Errorf("the owner was told %q", mails)
	}
	olga.cookie = visit[2]
	olga.ask(t, 200, "GET", "/guards", nil)
	p.pmctl(t, "operator", "leave", company, visit[1], "--stage", "local", "--operator", "olga")
	olga.ask(t, 401, "GET", "/guards", nil)

	review := ann.ask(t, 200, "GET", "/access-review", nil)
	if len(review["members"].([]any)) != 1 || len(review["grants"].([]any)) != 2 {
		t.Errorf("the review has %v", review)
	}
	ann.ask(t, 409, "POST", "/access-review", object{"digest": strings.Repeat("0", 64)})
	ann.ask(t, 200, "POST", "/access-review", object{"digest": review["digest"]})
	if done, no := p.call(t, "account", object{"job": "access-reviews"}); no != "" || done["done"] != 0.0 {
		t.Errorf("asked %v, %s: nobody's quarter is over", done, no)
	}
	ann.ask(t, 200, "POST", "/advice", object{"done": "amazon-two-steps"})
	if advice := fmt.Sprint(ann.ask(t, 200, "GET", "/advice", nil)["items"]); !strings.Contains(advice, "doneAt") {
		t.Errorf("advice: %s", advice)
	}

	if users := fmt.Sprint(p.users(t)); !strings.Contains(users, member) || !strings.Contains(users, stranger) {
		t.Fatalf("the sign-in provider has %s", users)
	}
	erasure := ann.ask(t, 202, "POST", "/privacy/erasures", object{"confirm": "erase everything of " + company})
	nobody := &person{p: p}
	for state, limit := any(""), time.Now().Add(2*time.Minute); state != "done"; _ = (clock.Real{}).Sleep(t.Context(), time.Second) {
		if time.Now().After(limit) {
			t.Fatalf("the erasure is still %v", state)
		}
		if _, no := p.call(t, "gdpr-erasure", object{"job": "erasures"}); no != "" {
			t.Error(no)
		}
		state = nobody.ask(t, 200, "GET", "/privacy/erasures/"+erasure["id"].(string), nil)["state"]
	}
	if users := fmt.Sprint(p.users(t)); strings.Contains(users, member) || !strings.Contains(users, stranger) {
		t.Errorf("after the erasure of one company and not of %s the sign-in provider has %s", other, users)
	}
	ann.ask(t, 401, "GET", "/account", nil)
}
