package template_test

import (
	"slices"
	"strings"
	"testing"
)

// TestTheVaultRoleIsForOperatorsAndCannotRewriteTheLedger: who looks after data
// keys needs a second factor, unwraps them only for a tenant, changes fields only
// where pmctl vault seals them again, and never the ledger.
func TestTheVaultRoleIsForOperatorsAndCannotRewriteTheLedger(t *testing.T) {
	t.Parallel()
	const id = "VaultRole"
	var role resource
	for _, r := range resources(t, "AWS::IAM::Role") {
		if r.id == id {
			role = r
		}
	}
	trust := list(at(role.props["AssumeRolePolicyDocument"], "Statement"))
	if len(trust) != 1 || at(trust[0], "Condition", "Bool", "aws:MultiFactorAuthPresent") != "true" {
		t.Errorf("%s can be taken on without a second factor", id)
	}
	for _, s := range statements(t, role) {
		for _, a := range s.actions {
			if strings.Contains(a, "*") || slices.ContainsFunc(s.resources, func(r any) bool { return text(r) == "*" }) {
				t.Errorf("%s may %s on %v", id, a, s.resources)
			}
			if on("LedgerTable")(s.resources[0]) && a != "dynamodb:Query" {
				t.Errorf("%s may %s in the ledger", id, a)
			}
			if on("OffersTable")(s.resources[0]) && !slices.Equal(s.leading, []string{"*#pulls"}) {
				t.Errorf("%s may %s beyond the addresses of price files", id, a)
			}
			for _, secret := range []string{"FilesBucket", "TokenKey", "LwaSecret"} {
				if slices.ContainsFunc(s.resources, on(secret)) {
					t.Errorf("%s reaches %s", id, secret)
				}
			}
		}
	}
	found := false
	for _, k := range resources(t, "AWS::KMS::Key") {
		for _, s := range list(at(k.props["KeyPolicy"], "Statement")) {
			if at(s, "Sid") != "Vault" {
				continue
			}
			found = true
			who := list(at(s, "Condition", "ArnEquals", "aws:PrincipalArn"))
			if k.id != "DataKey" || len(who) != 1 || !strings.HasSuffix(text(who[0]), ":role/"+text(role.props["RoleName"])) {
				t.Errorf("%s: %v may use data keys as the vault does", k.id, who)
			}
			if at(s, "Condition", "Null", "kms:EncryptionContext:tenant") != "false" {
				t.Error("the vault unwraps data keys without a tenant")
			}
		}
	}
	if !found {
		t.Error("no key policy lets the vault work")
	}
}
