package deploy

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v4"
)

// RolesOnly takes out of the template what a local AWS that checks IAM cannot
// satisfy: rules that every call comes over TLS, and key policies with
// kms:ViaService or the encryption context, which it does not know. The roles of
// the functions stay as they are; they are what such a run is about. One thing in them
// is widened: ministack 1.5.33 takes a mail that is sent as no identity's.
func (t *Template) RolesOnly() error {
	resources := child(t.root.Content[0], "Resources")
	for i := len(resources.Content) - 2; i >= 0; i -= 2 {
		body := resources.Content[i+1]
		switch kind := child(body, "Type"); {
		case kind == nil:
		case kind.Value == "AWS::SQS::QueuePolicy", kind.Value == "AWS::S3::BucketPolicy", kind.Value == "AWS::SNS::TopicPolicy":
			resources.Content = slices.Delete(resources.Content, i, i+2)
		case kind.Value == "AWS::IAM::Role":
			sendAnyMail(child(body, "Properties"))
		case kind.Value == "AWS::KMS::Key":
			policy := child(child(body, "Properties"), "KeyPolicy")
			if policy == nil {
				continue
			}
			var byRoles yaml.Node
			if err := yaml.Unmarshal([]byte(keyPolicyByRoles), &byRoles); err != nil {
				return fmt.Errorf("deploy: %w", err)
			}
			*policy = *byRoles.Content[0]
		}
	}
	return nil
}

// sendAnyMail lets a role that sends mail send it as anybody.
func sendAnyMail(role *yaml.Node) {
	policies := child(role, "Policies")
	if policies == nil {
		return
	}
	for _, p := range policies.Content {
		statements := child(child(p, "PolicyDocument"), "Statement")
		if statements == nil {
			continue
		}
		for _, s := range statements.Content {
			actions, resource := child(s, "Action"), child(s, "Resource")
			if actions != nil && resource != nil && len(actions.Content) == 1 && actions.Content[0].Value == "ses:SendEmail" {
				*resource = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "*", Style: yaml.SingleQuotedStyle}
			}
		}
	}
}

// keyPolicyByRoles leaves the use of a key to the roles.
const keyPolicyByRoles = `
Version: '2012-10-17'
Statement:
  - Effect: Allow
    Principal: {AWS: !Sub 'arn:${AWS::Partition}:iam::${AWS::AccountId}:root'}
    Action: kms:*
    Resource: '*'
`
