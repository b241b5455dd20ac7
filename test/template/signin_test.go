package template_test

import (
	"slices"
	"strings"
	"testing"
)

// TestNobodySignsInWithAPasswordAlone: the user pool demands an authenticator and
// long, mixed passwords that do not come back, and is asked by our functions only.
func TestNobodySignsInWithAPasswordAlone(t *testing.T) {
	t.Parallel()
	pools, clients := resources(t, "AWS::Cognito::UserPool"), resources(t, "AWS::Cognito::UserPoolClient")
	if len(pools) != 1 || len(clients) != 1 {
		t.Fatalf("%d user pools with %d clients", len(pools), len(clients))
	}
	pool, client := pools[0], clients[0]
	if pool.props["MfaConfiguration"] != "ON" || !slices.Equal(list(pool.props["EnabledMfas"]), []any{"SOFTWARE_TOKEN_MFA"}) {
		t.Error("an authenticator is not demanded of everybody")
	}
	policy := at(pool.props["Policies"], "PasswordPolicy")
	if number(t, at(policy, "MinimumLength")) < 12 || number(t, at(policy, "PasswordHistorySize")) < 10 {
		t.Error("passwords may be short or come back")
	}
	for _, kind := range []string{"RequireUppercase", "RequireLowercase", "RequireNumbers", "RequireSymbols"} {
		if at(policy, kind) != "true" {
			t.Errorf("%s is off", kind)
		}
	}
	if at(pool.props["AdminCreateUserConfig"], "AllowAdminCreateUserOnly") != "true" {
		t.Error("strangers sign themselves up")
	}
	if pool.body["DeletionPolicy"] != "Retain" || pool.body["UpdateReplacePolicy"] != "Retain" {
		t.Error("the pool goes with its stack")
	}
	for _, key := range []string{"UserPoolTier", "DeletionProtection"} {
		branch := list(at(pool.props[key], "Fn::If"))
		if len(branch) != 3 || branch[0] != "IsProd" || branch[1] != map[string]string{"UserPoolTier": "PLUS", "DeletionProtection": "ACTIVE"}[key] {
			t.Errorf("%s in production is %v", key, branch)
		}
	}
	risk := resources(t, "AWS::Cognito::UserPoolRiskConfigurationAttachment")
	if len(risk) != 1 || at(risk[0].props["CompromisedCredentialsRiskConfiguration"], "Actions", "EventAction") != "BLOCK" {
		t.Error("passwords that AWS found in leaks are let through")
	}
	if !slices.Equal(list(client.props["ExplicitAuthFlows"]), []any{"ALLOW_ADMIN_USER_PASSWORD_AUTH"}) {
		t.Error("passwords can be tried out past us")
	}
	if client.props["PreventUserExistenceErrors"] != "ENABLED" || client.props["EnableTokenRevocation"] != "true" {
		t.Error("the client tells who exists, or its tokens cannot be given back")
	}
}

func TestMailGoesOutSignedAndEncrypted(t *testing.T) {
	t.Parallel()
	for _, m := range resources(t, "AWS::SES::EmailIdentity") {
		if at(m.props["DkimAttributes"], "SigningEnabled") != "true" || names(at(m.props["ConfigurationSetAttributes"], "ConfigurationSetName")) != "MailSettings" {
			t.Errorf("%s: not signed, or without settings", m.id)
		}
	}
	for _, m := range resources(t, "AWS::SES::ConfigurationSet") {
		if at(m.props["DeliveryOptions"], "TlsPolicy") != "REQUIRE" {
			t.Errorf("%s goes without TLS where the other side has none", m.id)
		}
	}
	if len(resources(t, "AWS::SES::EmailIdentity")) != 1 {
		t.Error("one identity sends")
	}
}

// TestAddressesAreTriedOutByAccountAlone: whoever may make the keyed hashes by which
// members are found can ask for any address whether it is somebody's.
func TestAddressesAreTriedOutByAccountAlone(t *testing.T) {
	t.Parallel()
	if got := may(t, "kms:GenerateMac", on("IndexKey")); !slices.Equal(got, []string{"account"}) {
		t.Errorf("keyed hashes are made by %v", got)
	}
	var named []string
	for _, k := range resources(t, "AWS::KMS::Key") {
		for _, s := range list(at(k.props["KeyPolicy"], "Statement")) {
			if slices.Contains(list(at(s, "Action")), any("kms:GenerateMac")) {
				named = append(named, k.id)
				if who := text(at(s, "Condition", "ArnEquals", "aws:PrincipalArn")); !strings.HasSuffix(who, "role/pm-${Stage}-account-${AWS::Region}") {
					t.Errorf("%s makes hashes for %q", k.id, who)
				}
			}
		}
	}
	if !slices.Equal(named, []string{"IndexKey"}) {
		t.Errorf("keyed hashes are made with %v", named)
	}
}
