package template_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// metrics are the ones that alarms may watch, with the dimension that names
// whose they are: a mistyped metric never alarms and nobody notices.
var metrics = map[string]string{
	"AWS/SQS/ApproximateNumberOfMessagesVisible": "QueueName",
	"AWS/SQS/ApproximateAgeOfOldestMessage":      "QueueName",
	"AWS/Lambda/Errors":                          "FunctionName",
	"AWS/Lambda/IteratorAge":                     "FunctionName",
	"AWS/CertificateManager/DaysToExpiry":        "CertificateArn",
}

// ours are the product's own metrics that must have an alarm, with the function that writes them.
var ours = map[string]string{
	"PriceManager/PricesUnconfirmed":        "PriceSync",
	"PriceManager/FeedsEscaped":             "PriceSync",
	"PriceManager/BatchesPaused":            "PriceSync",
	"PriceManager/RevertsIncomplete":        "PriceSync",
	"PriceManager/PullsPaused":              "PricePull",
	"PriceManager/ErasureAgeHours":          "GdprErasure",
	"PriceManager/CredentialsRefused":       "PriceSync",
	"PriceManager/GuardsChanged":            "PriceUpload",
	"PriceManager/ClientSecretEnding":       "AmazonEvents",
	"PriceManager/AuthorisationsEnding":     "PriceSync",
	"PriceManager/AuthorisationsEndingSoon": "PriceSync",

	"PriceManager/SuspectedMassExport": "AuditStream",
	"PriceManager/SuspectedTokenSpike": "AuditStream",
	"PriceManager/SuspectedPriceMoves": "AuditStream",
	"PriceManager/SuspectedNewKeys":    "AuditStream",
	"PriceManager/SuspectedRefusals":   "AuditStream",
	"PriceManager/SuspectedNewSource":  "AuditStream",
	"PriceManager/DetectorsFailed":     "AuditStream",
	"PriceManager/KeysRefused":         "PriceUpload", // and the other functions of the API
	"PriceManager/SignInRefused":       "Account",
	"PriceManager/CodeRefused":         "Account",
	"PriceManager/EmergencyEntries":    "Account",
	"PriceManager/RequestsUncounted":   "PriceUpload",
	"PriceManager/OldTLS":              "PriceSync", // and token-broker, which alone calls Login with Amazon
	"PriceManager/AddressesShutOut":    "PriceUpload",
	"PriceManager/IncidentHours":       "Scheduler",
	"PriceManager/LedgerGaps":          "Scheduler",
	"PriceManager/IncidentAmazonHours": "Scheduler",
}

// watched lists "metric of resource" for every alarm.
func watched(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, a := range resources(t, "AWS::CloudWatch::Alarm") {
		metric := text(a.props["Namespace"]) + "/" + text(a.props["MetricName"])
		dims := list(a.props["Dimensions"])
		if ours[metric] != "" {
			// Our own carry service and stage, as package metrics writes them.
			if len(dims) != 2 || at(dims[0], "Name") != "service" || at(dims[1], "Name") != "stage" || names(at(dims[1], "Value")) != "Stage" {
				t.Errorf("%s watches %s of %v, which is never written", a.id, metric, dims)
				continue
			}
			all[metric+" of "+names(at(dims[0], "Value"))] = true
			continue
		}
		if len(dims) != 1 || at(dims[0], "Name") != metrics[metric] {
			t.Errorf("%s watches %s of %v, which does not exist", a.id, metric, dims)
			continue
		}
		all[metric+" of "+names(at(dims[0], "Value"))] = true
	}
	return all
}

func TestWhateverCanFailHasAnAlarm(t *testing.T) {
	t.Parallel()
	have := watched(t)
	need := func(metric, id string) {
		t.Helper()
		if !have[metric+" of "+id] {
			t.Errorf("no alarm on %s of %s", metric, id)
		}
	}
	for _, f := range functions(t) {
		need("AWS/Lambda/Errors", f.id)
	}
	for metric, function := range ours {
		need(metric, function)
	}
	driven := map[string]bool{}
	for _, s := range sources(t, "SQS") {
		driven[names(s.props["Queue"])] = true
	}
	for id := range queues(t) {
		if driven[id] {
			need("AWS/SQS/ApproximateAgeOfOldestMessage", id)
		} else { // a queue that nothing empties holds what failed
			need("AWS/SQS/ApproximateNumberOfMessagesVisible", id)
		}
	}
	for _, s := range sources(t, "DynamoDB") {
		need("AWS/Lambda/IteratorAge", s.fn.id)
	}
	need("AWS/CertificateManager/DaysToExpiry", "ApiCertificate")
	need("PriceManager/OldTLS", "TokenBroker")
}

func TestEveryAlarmReachesSomebodyWhoKnowsWhatToDo(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(root(t), "infra", "runbooks")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	unused := map[string]bool{}
	for _, e := range entries {
		unused[strings.TrimSuffix(e.Name(), ".md")] = true
	}
	link := regexp.MustCompile(`\. Runbook: ([a-z-]+)$`)
	seen := map[string]bool{}
	for _, a := range resources(t, "AWS::CloudWatch::Alarm") {
		for _, when := range []string{"AlarmActions", "OKActions"} {
			if !slices.ContainsFunc(list(a.props[when]), on("AlarmTopic")) {
				t.Errorf("%s: %s tell nobody", a.id, when)
			}
		}
		if a.props["TreatMissingData"] != "notBreaching" {
			t.Errorf("%s: a metric that is silent when all is well must not alarm", a.id)
		}
		name := text(a.props["AlarmName"])
		if seen[name] {
			t.Errorf("two alarms are named %s", name)
		}
		seen[name] = true
		m := link.FindStringSubmatch(text(a.props["AlarmDescription"]))
		if m == nil {
			t.Errorf("%s names no runbook", a.id)
			continue
		}
		delete(unused, m[1])
		book, err := os.ReadFile(filepath.Join(dir, m[1]+".md"))
		if err != nil {
			t.Errorf("%s: %v", a.id, err)
			continue
		}
		for _, part := range []string{"## What it means", "## What to do", "## When it is over"} {
			if !strings.Contains(string(book), part) {
				t.Errorf("runbook %s lacks %q", m[1], part)
			}
		}
	}
	for id := range unused {
		t.Errorf("no alarm leads to runbook %s", id)
	}
}
