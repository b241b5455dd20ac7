package template_test

import (
	"slices"
	"testing"
)

// TestAnOperatorReachesTheFunctionThatTellsTheCompanyAndNothingElse: with a second
// factor; and no function of ours can pass for an operator.
func TestAnOperatorReachesTheFunctionThatTellsTheCompanyAndNothingElse(t *testing.T) {
	t.Parallel()
	found := false
	for _, r := range resources(t, "AWS::IAM::Role") {
		for _, s := range statements(t, r) {
			if !slices.Contains(s.actions, "lambda:InvokeFunction") || !slices.ContainsFunc(s.resources, on("Account")) {
				continue
			}
			if r.id != "OperatorRole" && r.id != "ScheduleRole" {
				t.Errorf("%s may call account, as an operator does", r.id)
			}
		}
		if r.id != "OperatorRole" {
			continue
		}
		found = true
		all := statements(t, r)
		if len(all) != 1 || !slices.Equal(all[0].actions, []string{"lambda:InvokeFunction"}) || len(all[0].resources) != 1 || !on("Account")(all[0].resources[0]) {
			t.Errorf("an operator may %+v", all)
		}
		trust := list(at(r.props["AssumeRolePolicyDocument"], "Statement"))
		if len(trust) != 1 || at(trust[0], "Condition", "Bool", "aws:MultiFactorAuthPresent") != "true" {
			t.Error("an operator needs no second factor")
		}
	}
	if !found {
		t.Error("there is no role for operators")
	}
}
