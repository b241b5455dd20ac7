package template_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/limit"
)

// rules are the firewall's by name.
func rules(t *testing.T) map[string]any {
	t.Helper()
	byName := map[string]any{}
	for _, r := range list(resources(t, "AWS::WAFv2::WebACL")[0].props["Rules"]) {
		if choice := list(at(r, "Fn::If")); len(choice) == 3 {
			r = choice[1]
		}
		byName[text(at(r, "Name"))] = r
	}
	return byName
}

func TestAFirewallStandsBeforeTheAPI(t *testing.T) {
	t.Parallel()
	of := resources(t, "AWS::WAFv2::WebACLAssociation")
	if len(of) != 1 || names(of[0].props["WebACLArn"]) != "WebAcl" || !strings.HasSuffix(text(of[0].props["ResourceArn"]), "/restapis/${Api}/stages/${Api.Stage}") {
		t.Errorf("the firewall stands before %v", of)
	}
	all := rules(t)
	for _, group := range []string{"common", "known-bad-inputs"} {
		if at(all[group], "Statement", "ManagedRuleGroupStatement", "VendorName") != "AWS" {
			t.Errorf("the rules %s are missing", group)
		}
	}
	if at(all["size"], "Action", "Block") == nil {
		t.Error("oversized requests are not blocked")
	}
	seen := map[string]bool{}
	for name, r := range all {
		priority := text(at(r, "Priority"))
		if seen[priority] || at(r, "VisibilityConfig", "SampledRequestsEnabled") != "false" {
			t.Errorf("%s: another rule has its priority, or samples of requests are kept", name)
		}
		seen[priority] = true
	}
}

// TestTheFirewallCountsTheSameAndNotTheKillSwitch: what the functions answer to
// everybody is not counted by the firewall either.
func TestTheFirewallCountsTheSameAndNotTheKillSwitch(t *testing.T) {
	t.Parallel()
	rate := at(rules(t)["rate"], "Statement", "RateBasedStatement")
	if number(t, at(rate, "Limit")) != limit.PerAddress || number(t, at(rate, "EvaluationWindowSec")) != int(limit.Window/time.Second) || at(rate, "AggregateKeyType") != "IP" {
		t.Errorf("the rule counts %v", rate)
	}
	var open []string
	for _, s := range list(at(rate, "ScopeDownStatement", "NotStatement", "Statement", "OrStatement", "Statements")) {
		if suffix := at(s, "ByteMatchStatement", "SearchString"); suffix != nil && at(s, "ByteMatchStatement", "PositionalConstraint") == "ENDS_WITH" {
			open = append(open, text(suffix))
		}
	}
	files, err := filepath.Glob(filepath.Join(root(t), "functions", "*", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	fromAnywhere := regexp.MustCompile(`Pattern: "([^"]+)".*FromAnywhere: true`)
	found := map[string]bool{}
	for _, file := range files {
		code, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range fromAnywhere.FindAllStringSubmatch(string(code), -1) {
			i := slices.IndexFunc(open, func(suffix string) bool { return strings.HasSuffix(m[1], suffix) })
			if i < 0 {
				t.Errorf("%s is answered to everybody by its function, and counted by the firewall", m[1])
				continue
			}
			found[open[i]] = true
		}
	}
	if len(found) != len(open) || len(open) == 0 {
		t.Errorf("the firewall leaves %v uncounted, the functions %v", open, found)
	}
}

func TestTheFirewallsLogHasWhatItBlockedWithoutCredentials(t *testing.T) {
	t.Parallel()
	logging := resources(t, "AWS::WAFv2::LoggingConfiguration")[0].props
	var redacted []string
	for _, f := range list(logging["RedactedFields"]) {
		if at(f, "QueryString") != nil {
			redacted = append(redacted, "query")
		}
		redacted = append(redacted, text(at(f, "SingleHeader", "Name")))
	}
	for _, need := range []string{"authorization", "cookie", "query"} {
		if !slices.Contains(redacted, need) {
			t.Errorf("the log shows %s", need)
		}
	}
	if at(logging["LoggingFilter"], "DefaultBehavior") != "DROP" {
		t.Error("addresses of those who are let in are logged")
	}
	for _, dest := range list(logging["LogDestinationConfigs"]) {
		if !strings.HasSuffix(text(dest), ":log-group:${WebAclLog}") {
			t.Errorf("the log goes to %v", dest)
		}
	}
}
