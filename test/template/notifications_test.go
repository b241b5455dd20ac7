package template_test

import (
	"slices"
	"strings"
	"testing"
)

// amazonAccount is the AWS account from which Amazon's Notifications API sends
// ("Set up notifications using the SQS workflow").
const amazonAccount = "arn:${AWS::Partition}:iam::437568002678:root"

// allowed lists the statements of a policy that allow something to a principal
// outside our account.
func allowed(t *testing.T, policy any) (foreign []any) {
	t.Helper()
	for _, s := range list(at(policy, "Statement")) {
		for _, p := range list(at(s, "Principal", "AWS")) {
			if at(s, "Effect") == "Allow" && !strings.Contains(text(p), "${AWS::AccountId}") {
				foreign = append(foreign, s)
			}
		}
	}
	return foreign
}

func TestAmazonSendsToItsQueueAndReachesNothingElse(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	for _, p := range resources(t, "AWS::SQS::QueuePolicy") {
		for _, s := range allowed(t, p.props["PolicyDocument"]) {
			actions := list(at(s, "Action"))
			if text(at(s, "Principal", "AWS")) != amazonAccount || names(at(s, "Resource")) != "AmazonNotificationsQueue" ||
				!slices.Equal(actions, []any{"sqs:SendMessage", "sqs:GetQueueAttributes"}) {
				t.Errorf("%s lets %v do %v on %v", p.id, at(s, "Principal"), actions, at(s, "Resource"))
			}
			found[p.id] = true
		}
	}
	for _, k := range resources(t, "AWS::KMS::Key") {
		for _, s := range allowed(t, k.props["KeyPolicy"]) {
			if k.id != "NotificationsKey" || text(at(s, "Principal", "AWS")) != amazonAccount ||
				text(at(s, "Condition", "StringEquals", "kms:ViaService")) != "sqs.${AWS::Region}.amazonaws.com" {
				t.Errorf("%s lets %v %v", k.id, at(s, "Principal"), at(s, "Action"))
			}
			found[k.id] = true
		}
	}
	if len(found) != 2 {
		t.Errorf("Amazon reaches %v, want its queue and the key of that", found)
	}
	// The key opens nothing but this queue and its dead letters.
	for _, q := range resources(t, "AWS::SQS::Queue") {
		if ours := strings.HasPrefix(q.id, "AmazonNotifications"); ours != (names(q.props["KmsMasterKeyId"]) == "NotificationsKey") {
			t.Errorf("%s is kept under %s", q.id, names(q.props["KmsMasterKeyId"]))
		}
	}
	for kind, where := range encryption {
		for _, r := range resources(t, kind) {
			if kind != "AWS::SQS::Queue" && names(at(r.props, where...)) == "NotificationsKey" {
				t.Errorf("%s is kept under a key that Amazon's account may use", r.id)
			}
		}
	}
	if got := may(t, "kms:Decrypt", on("NotificationsKey")); !slices.Equal(got, []string{"amazon-events"}) {
		t.Errorf("the queue is read by %v", got)
	}
}

// TestAmazonEventsWritesOneItemOfTheConnections: what it hears is unsigned, so it
// must not be able to change whose seller account is whose.
func TestAmazonEventsWritesOneItemOfTheConnections(t *testing.T) {
	t.Parallel()
	for _, p := range list(roles(t)["amazon-events"].props["Policies"]) {
		for _, s := range list(at(p, "PolicyDocument", "Statement")) {
			writes := slices.ContainsFunc(list(at(s, "Action")), func(a any) bool {
				return strings.HasPrefix(a.(string), "dynamodb:") && a != "dynamodb:GetItem"
			})
			if !writes || names(at(s, "Resource")) != "ConnectionsTable" {
				continue
			}
			keys := list(at(s, "Condition", "ForAllValues:StringEquals", "dynamodb:LeadingKeys"))
			if !slices.Equal(list(at(s, "Action")), []any{"dynamodb:UpdateItem"}) || !slices.Equal(keys, []any{"t_000000directory#application"}) {
				t.Errorf("amazon-events may %v on connections, keys %v", at(s, "Action"), keys)
			}
		}
	}
}
