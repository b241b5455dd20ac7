package template_test

import (
	"slices"
	"strings"
	"testing"
)

// statement is one grant of a role, with each action on each resource.
type statement struct {
	role      string
	actions   []string
	resources []any
	leading   []string // patterns of keys that it is limited to
}

// statements lists what the role of a function grants.
func statements(t *testing.T, role resource) []statement {
	t.Helper()
	var all []statement
	for _, p := range list(role.props["Policies"]) {
		for _, s := range list(at(p, "PolicyDocument", "Statement")) {
			if at(s, "Effect") != "Allow" {
				t.Errorf("%s: a role only allows", role.id)
			}
			st := statement{role: role.id, resources: list(at(s, "Resource"))}
			for _, a := range list(at(s, "Action")) {
				st.actions = append(st.actions, a.(string))
			}
			for _, k := range list(at(s, "Condition", "ForAllValues:StringLike", "dynamodb:LeadingKeys")) {
				st.leading = append(st.leading, text(k))
			}
			if at(s, "NotAction") != nil || at(s, "NotResource") != nil {
				t.Errorf("%s: NotAction and NotResource allow whatever AWS adds later", role.id)
			}
			all = append(all, st)
		}
	}
	return all
}

// roles gives the role of each function, by the function's name.
func roles(t *testing.T) map[string]resource {
	t.Helper()
	byID := map[string]resource{}
	for _, r := range resources(t, "AWS::IAM::Role") {
		byID[r.id] = r
	}
	all := map[string]resource{}
	for _, f := range functions(t) {
		all[function(f)] = byID[names(f.props["Role"])]
	}
	return all
}

func TestEveryFunctionHasARoleOfItsOwn(t *testing.T) {
	t.Parallel()
	owner := map[string]string{}
	for name, role := range roles(t) {
		if role.id == "" {
			t.Errorf("%s has no role of this template", name)
			continue
		}
		if other := owner[role.id]; other != "" {
			t.Errorf("%s and %s share the role %s", name, other, role.id)
		}
		owner[role.id] = name
		if role.props["ManagedPolicyArns"] != nil {
			t.Errorf("%s has managed policies: nobody here sees what they grant", role.id)
		}
		trust := list(at(role.props["AssumeRolePolicyDocument"], "Statement"))
		if len(trust) != 1 || at(trust[0], "Principal", "Service") != "lambda.amazonaws.com" {
			t.Errorf("%s can be assumed by others than Lambda", role.id)
		}
		// The key policies name roles by this pattern.
		if want := "pm-${Stage}-" + name + "-${AWS::Region}"; text(role.props["RoleName"]) != want {
			t.Errorf("%s is named %q, want %q", role.id, text(role.props["RoleName"]), want)
		}
	}
}

func TestRolesNameExactActionsOnExactResources(t *testing.T) {
	t.Parallel()
	// X-Ray's two calls know no resources (Service Authorization Reference).
	xray := []string{"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
	for name, role := range roles(t) {
		for _, s := range statements(t, role) {
			for _, a := range s.actions {
				if strings.Contains(a, "*") {
					t.Errorf("%s may %s", name, a)
				}
			}
			for _, r := range s.resources {
				where := text(r)
				switch {
				case where == "*":
					if !slices.Equal(s.actions, xray) {
						t.Errorf("%s may %v on everything", name, s.actions)
					}
				case strings.Contains(where, "*"):
					// Only what lies below one named thing may be left open.
					open, found := strings.CutSuffix(where, "/*")
					if !found || strings.Contains(open, "*") || (names(r) == "" && !strings.Contains(open, "pm-${Stage}/")) {
						t.Errorf("%s may %v on %s", name, s.actions, where)
					}
				case where != "" && names(r) == "" && !strings.Contains(where, "${AWS::AccountId}"):
					t.Errorf("%s names %s, which is in any account", name, where)
				}
			}
		}
	}
}

// may lists who has an action on a resource that fits.
func may(t *testing.T, action string, fits func(any) bool) []string {
	t.Helper()
	var who []string
	for name, role := range roles(t) {
		for _, s := range statements(t, role) {
			if slices.Contains(s.actions, action) && slices.ContainsFunc(s.resources, fits) && !slices.Contains(who, name) {
				who = append(who, name)
			}
		}
	}
	slices.Sort(who)
	return who
}

func on(id string) func(any) bool { return func(r any) bool { return names(r) == id } }

func within(part string) func(any) bool {
	return func(r any) bool { return strings.Contains(text(r), part) }
}

func TestWhoMayDoWhatMattersMost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		promise string
		action  string
		on      func(any) bool
		want    []string
	}{
		{"refresh tokens are read by token-broker alone", "secretsmanager:GetSecretValue", within("/connection/"), []string{"token-broker"}},
		{"refresh tokens are written by token-broker alone", "secretsmanager:PutSecretValue", within("/connection/"), []string{"token-broker"}},
		{"Amazon's credentials are read where they are used and replaced", "secretsmanager:GetSecretValue", on("LwaSecret"), []string{"secret-rotation", "token-broker"}},
		{"Amazon's credentials are replaced by secret-rotation alone", "secretsmanager:PutSecretValue", on("LwaSecret"), []string{"secret-rotation"}},
		{"peppers are replaced by secret-rotation alone", "secretsmanager:PutSecretValue", on("PepperSecret"), []string{"secret-rotation"}},
		{"the key of tokens opens where Amazon's credentials do", "kms:Decrypt", on("TokenKey"), []string{"secret-rotation", "token-broker"}},
		{"secret-rotation is called by who hears Amazon", "lambda:InvokeFunction", within("secret-rotation"), []string{"amazon-events"}},
		{"token-broker is called by who needs access tokens, or ends them", "lambda:InvokeFunction", within("token-broker"), []string{"gdpr-erasure", "oauth", "price-sync"}},
		{"the ledger is written by audit-stream alone", "dynamodb:PutItem", on("LedgerTable"), []string{"audit-stream"}},
		{"no ledger entry is changed", "dynamodb:UpdateItem", on("LedgerTable"), nil},
		{"no ledger entry is deleted", "dynamodb:DeleteItem", on("LedgerTable"), nil},
		{"no archived object is deleted", "s3:DeleteObject", on("ArchiveBucket"), nil},
		{"data keys are made where fields are sealed, and marked as destroyed by gdpr-erasure", "dynamodb:PutItem", on("KeysTable"), []string{"account", "audit-stream", "gdpr-erasure", "gdpr-export", "price-upload", "token-broker"}},
		{"data keys are read where sealed fields are", "dynamodb:GetItem", on("KeysTable"), []string{"account", "audit-stream", "gdpr-export", "price-export", "price-plan", "price-pull", "price-upload", "scheduler", "token-broker"}},
		{"the ledger is signed where checkpoints and receipts are made", "secretsmanager:GetSecretValue", on("LedgerSignerSecret"), []string{"gdpr-erasure", "gdpr-export", "scheduler"}},
		{"price history is written by audit-stream, what was compared with ledgers by scheduler", "s3:PutObject", on("HistoryBucket"), []string{"audit-stream", "scheduler"}},
		{"price history is read where it is told", "s3:GetObject", on("HistoryBucket"), []string{"audit-stream", "price-export", "price-plan", "price-upload", "scheduler"}},
		{"all tenants are looked at by gdpr-erasure alone", "dynamodb:Scan", func(any) bool { return true }, []string{"gdpr-erasure"}},
		{"items are deleted in numbers by gdpr-erasure alone", "dynamodb:BatchWriteItem", func(any) bool { return true }, []string{"gdpr-erasure"}},
		{"exports are read by gdpr-export alone", "s3:GetObject", on("ExportsBucket"), []string{"gdpr-export"}},
		{"tables to take away are made by price-export alone", "s3:PutObject", on("DownloadsBucket"), []string{"price-export"}},
		{"tables to take away are handed out by the API alone", "s3:GetObject", on("DownloadsBucket"), []string{"price-upload"}},
		{"API keys are checked by the functions of the API", "secretsmanager:GetSecretValue", on("PepperSecret"), []string{"account", "gdpr-erasure", "gdpr-export", "oauth", "price-upload", "secret-rotation"}},
		{"only account can try out whose an address is", "kms:GenerateMac", on("IndexKey"), []string{"account"}},
		{"only account checks and sets passwords", "cognito-idp:AdminInitiateAuth", on("UserPool"), []string{"account"}},
		{"users are deleted where members are removed and tenants erased", "cognito-idp:AdminDeleteUser", on("UserPool"), []string{"account", "gdpr-erasure"}},
		{"only account sets passwords", "cognito-idp:AdminSetUserPassword", on("UserPool"), []string{"account"}},
	} {
		if got := may(t, c.action, c.on); !slices.Equal(got, c.want) {
			t.Errorf("%s: %s is granted to %v, want %v", c.promise, c.action, got, c.want)
		}
	}
}

// TestEnvironmentAndRoleAgree: what a function is told about it may use, and the
// other way round.
func TestEnvironmentAndRoleAgree(t *testing.T) {
	t.Parallel()
	granted := func(role resource, id string) bool {
		return slices.ContainsFunc(statements(t, role), func(s statement) bool { return slices.ContainsFunc(s.resources, on(id)) })
	}
	all := roles(t)
	stores := resources(t, "AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SecretsManager::Secret", "AWS::KMS::Key")
	for _, f := range functions(t) {
		role := all[function(f)]
		told := map[string]bool{}
		for variable, value := range at(f.props["Environment"], "Variables").(object) {
			id := names(value)
			told[id] = true
			for _, s := range stores {
				if s.id == id && !granted(role, id) {
					t.Errorf("%s is told %s=%s and may not use it", f.id, variable, id)
				}
			}
			switch variable {
			case "TOKEN_BROKER":
				told["token-broker"] = true
				if !slices.ContainsFunc(statements(t, role), func(s statement) bool { return slices.ContainsFunc(s.resources, within("token-broker")) }) {
					t.Errorf("%s is told about token-broker and may not call it", f.id)
				}
			case "QUEUE_DOORBELL", "QUEUE_PRIVACY", "QUEUE_PLANS", "QUEUE_DOWNLOADS", "QUEUE_NOTICES", "QUEUE_PULLS":
				if !slices.Contains(may(t, "sqs:SendMessage", on(id)), function(f)) {
					t.Errorf("%s is told about %s and may not send to it", f.id, id)
				}
			}
		}
		for _, s := range statements(t, role) {
			for _, r := range s.resources {
				id := names(r)
				for _, store := range stores {
					// The data key is also what the stores themselves need.
					if store.id == id && !told[id] && store.kind != "AWS::KMS::Key" {
						t.Errorf("%s may %v on %s and is not told about it", f.id, s.actions, id)
					}
				}
				if strings.Contains(text(r), "function:pm-${Stage}-token-broker") && !told["token-broker"] {
					t.Errorf("%s may call token-broker and is not told its name", f.id)
				}
			}
		}
	}
}

func TestNoSecretIsInAnEnvironment(t *testing.T) {
	t.Parallel()
	for _, f := range functions(t) {
		for variable, value := range at(f.props["Environment"], "Variables").(object) {
			if strings.Contains(text(value), "resolve:") {
				t.Errorf("%s: %s would hold the value of a secret", f.id, variable)
			}
			if strings.HasPrefix(variable, "SECRET_") && at(value, "Fn::GetAtt") == nil && !strings.HasSuffix(text(value), "/") {
				t.Errorf("%s: %s is neither the name of a secret nor a prefix of names", f.id, variable)
			}
		}
	}
	for _, s := range resources(t, "AWS::SecretsManager::Secret") {
		if s.props["SecretString"] != nil || s.props["GenerateSecretString"] == nil {
			t.Errorf("%s: its value must be made by Secrets Manager", s.id)
		}
	}
}
