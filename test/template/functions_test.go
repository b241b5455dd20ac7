package template_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// want are the limits that each function was made for: seconds and MB.
var want = map[string]struct{ timeout, memory int }{
	"account":         {29, 256},
	"oauth":           {29, 256},
	"token-broker":    {15, 256},
	"price-upload":    {29, 512},
	"price-plan":      {300, 512},
	"price-export":    {300, 512},
	"price-pull":      {180, 512},
	"price-sync":      {75, 512},
	"audit-stream":    {60, 512},
	"gdpr-export":     {600, 1769}, // rows of plans as CSV and JSON, compressed and encrypted
	"gdpr-erasure":    {120, 512},
	"scheduler":       {600, 1024},
	"amazon-events":   {15, 256},
	"secret-rotation": {30, 256},
}

func number(t *testing.T, v any) int {
	t.Helper()
	n, err := strconv.Atoi(text(v))
	if err != nil {
		t.Errorf("%v is no number", v)
	}
	return n
}

func TestFunctionsAreBuiltAndRunAsDesigned(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile(filepath.Join(root(t), "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	global := at(load(t)["Globals"], "Function")
	for key, value := range map[string]string{"Runtime": "provided.al2023", "Handler": "bootstrap", "Tracing": "Active"} {
		if at(global, key) != value {
			t.Errorf("Globals: %s is %v, want %s", key, at(global, key), value)
		}
	}
	if arch := list(at(global, "Architectures")); len(arch) != 1 || arch[0] != "arm64" {
		t.Errorf("Globals: architectures are %v", arch)
	}
	seen := map[string]bool{}
	for _, f := range functions(t) {
		name := function(f)
		seen[name] = true
		if number(t, f.props["Timeout"]) != want[name].timeout || number(t, f.props["MemorySize"]) != want[name].memory {
			t.Errorf("%s: timeout %v, memory %v, want %v", name, f.props["Timeout"], f.props["MemorySize"], want[name])
		}
		for _, key := range []string{"Runtime", "Handler", "Architectures", "Tracing", "CodeUri"} {
			if f.props[key] != nil {
				t.Errorf("%s overrides %s", name, key)
			}
		}
		if at(f.body["Metadata"], "BuildMethod") != "makefile" {
			t.Errorf("%s is not built by the Makefile", name)
		}
		if !strings.Contains(string(makefile), "\nbuild-"+f.id+": ; $(call lambda,"+name+")\n") {
			t.Errorf("the Makefile has no target build-%s for functions/%s", f.id, name)
		}
		if _, err := os.Stat(filepath.Join(root(t), "functions", name, "main.go")); err != nil {
			t.Errorf("%s has no code: %v", name, err)
		}
	}
	for name := range want {
		if !seen[name] {
			t.Errorf("the template lacks %s", name)
		}
	}
}

// variables are those that every function needs to do what it is for.
var variables = map[string][]string{
	"account": {
		"TABLE_IDENTITY", "TABLE_OFFERS", "TABLE_KEYS", "TABLE_LIMITS", "LIMIT_ALLOW", "LIMIT_TENANT", "LIMIT_CALLER", "SECRET_PEPPER",
		"KMS_DATA_KEY", "KMS_INDEX_KEY", "USER_POOL", "USER_POOL_CLIENT", "MAIL_FROM", "PUBLIC_URL", "TABLE_PRIVACY", "QUEUE_NOTICES",
	},
	"oauth": {
		"TABLE_OFFERS", "TABLE_IDENTITY", "TABLE_LIMITS", "LIMIT_ALLOW", "LIMIT_TENANT", "LIMIT_CALLER", "TABLE_CONNECTIONS", "SECRET_PEPPER", "QUEUE_DOORBELL", "TOKEN_BROKER",
		"SPAPI_ENDPOINT_NA", "SPAPI_ENDPOINT_EU", "SPAPI_ENDPOINT_FE", "CONSENT_URL_NA", "CONSENT_URL_EU", "CONSENT_URL_FE",
		"PUBLIC_URL", "APPLICATION_ID", "APPLICATION_DRAFT",
	},
	"token-broker": {"SECRET_LWA", "SECRET_CONNECTION_PREFIX", "KMS_DATA_KEY", "LWA_ENDPOINT", "TABLE_CONNECTIONS", "TABLE_KEYS", "KMS_SEAL_KEY"},
	"price-upload": {"TABLE_OFFERS", "TABLE_IDENTITY", "TABLE_LIMITS", "LIMIT_ALLOW", "LIMIT_TENANT", "LIMIT_CALLER", "TABLE_CONNECTIONS", "BUCKET_FILES", "SECRET_PEPPER", "QUEUE_DOORBELL", "QUEUE_PLANS", "VISIBILITY", "BUCKET_HISTORY", "TABLE_LEDGER", "TABLE_KEYS", "KMS_DATA_KEY", "BUCKET_DOWNLOADS", "QUEUE_DOWNLOADS", "QUEUE_NOTICES", "PUBLIC_URL", "SECURITY_CONTACT", "SECURITY_KEY"},
	"price-plan":   {"TABLE_OFFERS", "BUCKET_FILES", "QUEUE_PLANS", "BUCKET_HISTORY", "TABLE_LEDGER", "TABLE_KEYS", "KMS_DATA_KEY"},
	"price-export": {"TABLE_OFFERS", "TABLE_LEDGER", "TABLE_KEYS", "BUCKET_FILES", "BUCKET_HISTORY", "BUCKET_DOWNLOADS", "QUEUE_DOWNLOADS", "KMS_DATA_KEY"},
	"price-pull":   {"TABLE_OFFERS", "TABLE_CONNECTIONS", "TABLE_KEYS", "KMS_DATA_KEY", "BUCKET_FILES", "QUEUE_PLANS", "VISIBILITY"},
	"price-sync": {
		"TABLE_OFFERS", "TABLE_CONNECTIONS", "BUCKET_FILES", "QUEUE_DOORBELL", "QUEUE_PLANS", "TOKEN_BROKER", "UNKNOWN_FOR", "CONFIRM_WITHIN",
		"AMAZON_EVENTS_ACCOUNT", "AMAZON_EVENTS_REGION", "AMAZON_NOTIFICATIONS_QUEUE",
		"TOGETHER", "FEED_FROM", "FEED_TAKES", "FEED_STALL",
		"SPAPI_ENDPOINT_NA", "SPAPI_ENDPOINT_EU", "SPAPI_ENDPOINT_FE",
	},
	"audit-stream": {"TABLE_OFFERS", "TABLE_IDENTITY", "TABLE_CONNECTIONS", "TABLE_PRIVACY", "TABLE_LEDGER", "TABLE_KEYS", "BUCKET_HISTORY", "KMS_DATA_KEY"},
	"gdpr-export": {
		"TABLE_OFFERS", "TABLE_IDENTITY", "TABLE_LIMITS", "LIMIT_ALLOW", "LIMIT_TENANT", "LIMIT_CALLER", "TABLE_CONNECTIONS", "TABLE_LEDGER", "TABLE_PRIVACY", "TABLE_KEYS",
		"BUCKET_FILES", "BUCKET_ARCHIVE", "BUCKET_EXPORTS", "KMS_DATA_KEY", "SECRET_PEPPER", "SECRET_LEDGER_SIGNER", "QUEUE_PRIVACY",
	},
	"gdpr-erasure": {
		"TABLE_OFFERS", "TABLE_IDENTITY", "TABLE_LIMITS", "LIMIT_ALLOW", "LIMIT_TENANT", "LIMIT_CALLER", "TABLE_CONNECTIONS", "TABLE_LEDGER", "TABLE_PRIVACY", "TABLE_KEYS",
		"BUCKET_FILES", "BUCKET_EXPORTS", "BUCKET_ARCHIVE", "BUCKET_HISTORY", "BUCKET_DOWNLOADS",
		"KMS_DATA_KEY", "SECRET_PEPPER", "SECRET_LEDGER_SIGNER", "QUEUE_ERASURES", "QUEUE_DOORBELL", "TOKEN_BROKER", "COOLING_OFF", "SETTLE", "USER_POOL",
	},
	"amazon-events":   {"TABLE_OFFERS", "TABLE_CONNECTIONS", "QUEUE_DOORBELL", "ROTATION"},
	"secret-rotation": {"TABLE_CONNECTIONS", "SECRET_LWA", "SECRET_PEPPER", "LWA_ENDPOINT", "SPAPI_ENDPOINT_EU"},
	"scheduler": {
		"TABLE_OFFERS", "TABLE_IDENTITY", "TABLE_CONNECTIONS", "TABLE_LEDGER", "TABLE_PRIVACY", "TABLE_KEYS", "BUCKET_ARCHIVE", "BUCKET_HISTORY",
		"KMS_DATA_KEY", "SECRET_LEDGER_SIGNER", "QUEUE_DOORBELL", "QUEUE_PULLS",
	},
}

func TestEnvironmentsAreComplete(t *testing.T) {
	t.Parallel()
	known := envTags(t)
	for _, name := range []string{"STAGE", "LOG_LEVEL", "SERVICE_VERSION"} {
		if at(load(t)["Globals"], "Function", "Environment", "Variables", name) == nil {
			t.Errorf("Globals: %s is missing", name)
		}
	}
	for _, f := range functions(t) {
		var got []string
		for name := range at(f.props["Environment"], "Variables").(object) {
			got = append(got, name)
			if !slices.Contains(known, name) {
				t.Errorf("%s: no code reads %s", f.id, name)
			}
		}
		need := slices.Sorted(slices.Values(variables[function(f)]))
		slices.Sort(got)
		if !slices.Equal(got, need) {
			t.Errorf("%s has %v, want %v", f.id, got, need)
		}
	}
}

// envTags lists the variables that the code reads, from its struct tags.
func envTags(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"internal/runtime/*.go", "functions/*/*.go"} {
		found, err := filepath.Glob(filepath.Join(root(t), pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	tag := regexp.MustCompile("`env:\"([A-Z_]+)")
	var all []string
	for _, file := range files {
		code, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range tag.FindAllStringSubmatch(string(code), -1) {
			all = append(all, m[1])
		}
	}
	if len(all) == 0 {
		t.Fatal("no env tag found: the search is broken")
	}
	return all
}

func TestTheAPIHasExactlyTheListedRoutes(t *testing.T) {
	t.Parallel()
	var got []route
	for _, f := range functions(t) {
		for name, e := range events(f) {
			if e["Type"] != "Api" {
				continue
			}
			r := route{text(at(e, "Properties", "Method")), text(at(e, "Properties", "Path")), function(f)}
			if !slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, r.method) {
				t.Errorf("%s.%s: method %q is not named", f.id, name, r.method)
			}
			if names(at(e, "Properties", "RestApiId")) != "Api" {
				t.Errorf("%s.%s belongs to another API", f.id, name)
			}
			got = append(got, r)
		}
	}
	order := func(a, b route) int { return strings.Compare(a.path+a.method, b.path+b.method) }
	slices.SortFunc(got, order)
	if expected := slices.SortedFunc(slices.Values(routes()), order); !slices.Equal(got, expected) {
		t.Errorf("routes are\n%v, want\n%v", got, expected)
	}
}

func TestTheAPILogsEveryCallAndNoCredential(t *testing.T) {
	t.Parallel()
	api := resources(t, "AWS::Serverless::Api")[0]
	if names(at(api.props["AccessLogSetting"], "DestinationArn")) != "AccessLog" {
		t.Error("there is no access log")
	}
	format := text(at(api.props["AccessLogSetting"], "Format"))
	for _, need := range []string{"$context.requestId", "$context.status", "$context.resourcePath"} {
		if !strings.Contains(format, need) {
			t.Errorf("the access log lacks %s", need)
		}
	}
	for _, never := range []string{"authorizer", "header", "querystring", "$context.path\"", "identity."} {
		if strings.Contains(strings.ToLower(format), never) {
			t.Errorf("the access log holds %s: codes, keys and addresses could be in it", never)
		}
	}
	for _, m := range list(api.props["MethodSettings"]) {
		if at(m, "DataTraceEnabled") != "false" {
			t.Error("data tracing writes bodies to the log")
		}
	}
	if types := list(api.props["BinaryMediaTypes"]); !slices.Equal(types, []any{"*~1*"}) {
		t.Errorf("binary media types are %v: a price file of another type would arrive damaged", types)
	}
}
