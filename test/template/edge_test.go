package template_test

import (
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	lambdaevents "github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/clock"
	"pricemanager/internal/web"
)

// tls13 is the policy that takes TLS 1.3 and nothing older.
const tls13 = "SecurityPolicy_TLS13_1_3_2025_09"

// answered are the headers of a problem that our own code answers with.
func answered(t *testing.T) map[string]string {
	t.Helper()
	router, err := web.New(slog.New(slog.DiscardHandler), clock.Real{}, "")
	if err != nil {
		t.Fatal(err)
	}
	res, err := router.Lambda(nil)(t.Context(), lambdaevents.APIGatewayProxyRequest{HTTPMethod: http.MethodGet, Path: "/nothing"})
	if err != nil || res.StatusCode != http.StatusNotFound {
		t.Fatalf("nothing answered %d, %v", res.StatusCode, err)
	}
	all := map[string]string{}
	for name, values := range res.MultiValueHeaders {
		all[name] = values[0]
	}
	if len(all) < 9 {
		t.Fatalf("our own answer has %v: the search is broken", all)
	}
	return all
}

// TestWhatTheGatewayAnswersLooksLikeOurs: an unknown path, a throttled or refused
// request never reaches our code.
func TestWhatTheGatewayAnswersLooksLikeOurs(t *testing.T) {
	t.Parallel()
	ours := answered(t)
	said, _ := resources(t, "AWS::Serverless::Api")[0].props["GatewayResponses"].(object)
	for _, kind := range []string{"DEFAULT_4XX", "DEFAULT_5XX", "MISSING_AUTHENTICATION_TOKEN", "THROTTLED", "WAF_FILTERED", "REQUEST_TOO_LARGE", "INTEGRATION_TIMEOUT"} {
		if said[kind] == nil {
			t.Errorf("%s is API Gateway's own", kind)
		}
	}
	for kind, r := range said {
		var problem struct {
			Type, Title, Detail, Reference string
			Status                         int
		}
		if err := json.Unmarshal([]byte(text(at(r, "ResponseTemplates", "application/json"))), &problem); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if code := text(at(r, "StatusCode")); code != strconv.Itoa(problem.Status) || problem.Title != http.StatusText(problem.Status) ||
			!strings.HasPrefix(problem.Type, "/problems/") || problem.Detail == "" || problem.Reference != "$context.requestId" {
			t.Errorf("%s comes as %s with %+v", kind, code, problem)
		}
		headers, _ := at(r, "ResponseParameters", "Headers").(object)
		for _, name := range slices.Sorted(maps.Keys(ours)) {
			// A quote within a value would end it.
			value, ok := strings.CutPrefix(strings.TrimSuffix(text(headers[name]), "'"), "'")
			if !ok || strings.Contains(value, "'") || value != ours[name] && name != "Content-Security-Policy" {
				t.Errorf("%s: %s is %q, want '%s'", kind, name, text(headers[name]), ours[name])
			}
		}
	}
	if at(said["THROTTLED"], "ResponseParameters", "Headers", "Retry-After") == nil {
		t.Error("who is throttled is not told when to ask again")
	}
}

// chosen is the value of !If [condition, value, other].
func chosen(v any, condition string) any {
	if choice := list(at(v, "Fn::If")); len(choice) == 3 && choice[0] == condition {
		return choice[1]
	}
	return nil
}

// TestTheAPIWithADomainTakesTLS13AndHasNoOtherAddress. The policy goes with the name
// in the domain and, where they differ, API Gateway follows the API's.
func TestTheAPIWithADomainTakesTLS13AndHasNoOtherAddress(t *testing.T) {
	t.Parallel()
	api := resources(t, "AWS::Serverless::Api")[0].props
	for key, want := range map[string]string{"DisableExecuteApiEndpoint": "true", "SecurityPolicy": tls13, "EndpointAccessMode": "STRICT"} {
		if got := chosen(api[key], "HasDomain"); got != want {
			t.Errorf("the API's %s with a domain is %v, want %s", key, got, want)
		}
	}
	domain := resources(t, "AWS::ApiGateway::DomainName")[0]
	for key, want := range map[string]string{"SecurityPolicy": tls13, "EndpointAccessMode": "STRICT"} {
		if domain.props[key] != want {
			t.Errorf("the domain's %s is %v, want %s", key, domain.props[key], want)
		}
	}
	if names(domain.props["DomainName"]) != "ApiDomain" || names(domain.props["RegionalCertificateArn"]) != "ApiCertificate" {
		t.Errorf("the domain is %v", domain.props)
	}
	mapping := resources(t, "AWS::ApiGateway::BasePathMapping")[0]
	// No base path: security.txt has to be at the root.
	if names(mapping.props["RestApiId"]) != "Api" || names(mapping.props["DomainName"]) != domain.id || mapping.props["BasePath"] != nil {
		t.Errorf("the domain leads to %v", mapping.props)
	}
	for _, r := range []resource{domain, mapping} {
		if r.body["Condition"] != "HasDomain" {
			t.Errorf("%s is made without a domain", r.id)
		}
	}
}

func TestProductionIsNotDeployedWithoutADomain(t *testing.T) {
	t.Parallel()
	equals := func(v any, a, b string) bool {
		pair := list(at(v, "Fn::Equals"))
		return len(pair) == 2 && names(pair[0]) == a && pair[1] == b
	}
	differs := func(v any, a, b string) bool {
		not := list(at(v, "Fn::Not"))
		return len(not) == 1 && equals(not[0], a, b)
	}
	assert := func(rule any) any {
		all := list(at(rule, "Assertions"))
		if len(all) != 1 {
			t.Fatalf("the rule is %v", rule)
		}
		return at(all[0], "Assert")
	}
	production, domain := at(load(t)["Rules"], "ProductionHasADomainOfItsOwn"), at(load(t)["Rules"], "ADomainComesWithItsCertificate")
	if !equals(at(production, "RuleCondition"), "Stage", "prod") || !differs(assert(production), "ApiDomain", "") {
		t.Errorf("production may be without a domain: %v", production)
	}
	if !differs(at(domain, "RuleCondition"), "ApiDomain", "") || !differs(assert(domain), "ApiCertificate", "none") {
		t.Errorf("a domain may be without a certificate: %v", domain)
	}
	if !differs(at(load(t)["Conditions"], "HasDomain"), "ApiDomain", "") {
		t.Error("HasDomain means something else")
	}
}
