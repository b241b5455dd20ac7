// Package signin_test holds the Cognito provider to the provider's promises on the
// local AWS, with the user pool of template.yaml, and sends a mail by SES there.
package signin_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"go.yaml.in/yaml/v4"

	"pricemanager/infra/local/deploy"
	"pricemanager/infra/local/localaws"
	"pricemanager/internal/envelope/awskms"
	"pricemanager/internal/mail"
	"pricemanager/internal/mail/ses"
	"pricemanager/internal/personal"
	"pricemanager/internal/secret"
	"pricemanager/internal/signin/cognito"
	"pricemanager/internal/signin/signintest"
)

func cloud(t *testing.T) (aws.Config, string) {
	t.Helper()
	c, err := localaws.Start(t.Context(), localaws.Options{Env: []string{"AUTH=true"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	cfg, err := c.Config(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return cfg, c.Endpoint()
}

// deploySignIn deploys what template.yaml says about sign-in and mail, and returns the
// outputs.
func deploySignIn(t *testing.T, cfg aws.Config) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	top := root.Content[0]
	keep(top, "AWSTemplateFormatVersion", "Parameters", "Conditions", "Resources")
	for i := 0; i < len(top.Content); i += 2 {
		switch top.Content[i].Value {
		case "Parameters":
			keep(top.Content[i+1], "Stage", "MailDomain")
		case "Conditions":
			keep(top.Content[i+1], "IsProd")
		case "Resources":
			keep(top.Content[i+1], "IndexKey", "IndexKeyAlias", "UserPool", "UserPoolRisk", "UserPoolClient", "MailSettings", "MailIdentity")
		}
	}
	text, err = yaml.Marshal(&root)
	if err != nil {
		t.Fatal(err)
	}
	template, err := deploy.ParseTemplate(append(text, outputs...))
	if err != nil {
		t.Fatal(err)
	}
	out, err := deploy.Deploy(t.Context(), cfg, deploy.Stack{
		Name: "pm-sign-in", Template: template, Bucket: "pm-code", Parameters: map[string]string{"Stage": "local"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const outputs = `
Outputs:
  Pool: {Value: !Ref UserPool}
  Client: {Value: !Ref UserPoolClient}
  Key: {Value: !GetAtt IndexKey.Arn}
`

// keep leaves of a mapping those keys alone.
func keep(n *yaml.Node, keys ...string) {
	var kept []*yaml.Node
	for i := 0; i < len(n.Content); i += 2 {
		if slices.Contains(keys, n.Content[i].Value) {
			kept = append(kept, n.Content[i], n.Content[i+1])
		}
	}
	n.Content = kept
}

func TestCognitoKeepsTheProvidersPromises(t *testing.T) {
	t.Parallel()
	cfg, _ := cloud(t)
	client, at := cip.NewFromConfig(cfg), deploySignIn(t, cfg)
	signintest.Run(t, func(*testing.T) signintest.Backend {
		return signintest.Backend{Provider: cognito.New(client, at["Pool"], at["Client"]), Now: time.Now}
	})
	left, err := client.ListUsers(t.Context(), &cip.ListUsersInput{UserPoolId: aws.String(at["Pool"])})
	if err != nil || len(left.Users) != 0 {
		t.Errorf("%d users are left, %v", len(left.Users), err)
	}
}

// TestOnlyOurFunctionsAskThePool: the client has no flow for the public, nobody signs
// themselves up, and whoever did could not turn the authenticator off.
func TestOnlyOurFunctionsAskThePool(t *testing.T) {
	t.Parallel()
	cfg, _ := cloud(t)
	client, at := cip.NewFromConfig(cfg), deploySignIn(t, cfg)
	const member, password = "m0123456789abcdef", "Vierzig-nasse-Elche4"
	if err := cognito.New(client, at["Pool"], at["Client"]).Create(t.Context(), member, secret.New(password)); err != nil {
		t.Fatal(err)
	}
	_, err := client.InitiateAuth(t.Context(), &cip.InitiateAuthInput{
		ClientId: aws.String(at["Client"]), AuthFlow: types.AuthFlowTypeUserPasswordAuth,
		AuthParameters: map[string]string{"USERNAME": member, "PASSWORD": password},
	})
	if err == nil {
		t.Error("a password can be tried out without IAM")
	}
	mfa, err := client.GetUserPoolMfaConfig(t.Context(), &cip.GetUserPoolMfaConfigInput{UserPoolId: aws.String(at["Pool"])})
	if err != nil || mfa.MfaConfiguration != types.UserPoolMfaTypeOn || mfa.SoftwareTokenMfaConfiguration == nil || !mfa.SoftwareTokenMfaConfiguration.Enabled {
		t.Errorf("the pool asks for %+v, %v", mfa, err)
	}
}

func TestAPoolThatAsksForNoCodeLetsNobodyIn(t *testing.T) {
	t.Parallel()
	cfg, _ := cloud(t)
	client, at := cip.NewFromConfig(cfg), deploySignIn(t, cfg)
	pool := aws.String(at["Pool"])
	p := cognito.New(client, at["Pool"], at["Client"])
	const member, password = "m0123456789abcdef", "Vierzig-nasse-Elche4"
	if err := p.Create(t.Context(), member, secret.New(password)); err != nil {
		t.Fatal(err)
	}
	_, err := client.AdminSetUserMFAPreference(t.Context(), &cip.AdminSetUserMFAPreferenceInput{
		UserPoolId: pool, Username: aws.String(member), SoftwareTokenMfaSettings: &types.SoftwareTokenMfaSettingsType{Enabled: true, PreferredMfa: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.SetUserPoolMfaConfig(t.Context(), &cip.SetUserPoolMfaConfigInput{UserPoolId: pool, MfaConfiguration: types.UserPoolMfaTypeOff}); err != nil {
		t.Fatal(err)
	}
	if step, err := p.Begin(t.Context(), member, secret.New(password)); err == nil || !strings.Contains(err.Error(), "MFA") || !step.Challenge.Empty() {
		t.Fatalf("a member with an authenticator was asked for %q, %v", step.Needs, err)
	}
}

func TestAddressesAreFoundByAKeyThatStaysInKMS(t *testing.T) {
	t.Parallel()
	cfg, _ := cloud(t)
	index := awskms.NewIndex(kms.NewFromConfig(cfg), deploySignIn(t, cfg)["Key"])
	one, err := index.Of(t.Context(), "mail", "karla@example.com")
	if err != nil {
		t.Fatal(err)
	}
	again, err := index.Of(t.Context(), "mail", "karla@example.com")
	if err != nil || again != one || len(one) != 32 {
		t.Errorf("%q and %q, %v", one, again, err)
	}
	if other, err := index.Of(t.Context(), "mail", "karla@example.org"); err != nil || other == one {
		t.Errorf("two addresses have one index, %v", err)
	}
}

func TestAMailArrives(t *testing.T) {
	t.Parallel()
	cfg, endpoint := cloud(t)
	deploySignIn(t, cfg)
	s := ses.New(sesv2.NewFromConfig(cfg), "Price Manager <no-reply@pricemanager.example>")
	const body = "Grüße.\n\nhttps://pricemanager.example/account/use?t=abc\n"
	err := s.Send(t.Context(), mail.Message{
		To: personal.New("karla@example.com"), Subject: "Bestätigen Sie Ihre Adresse", Body: personal.New(body), Once: "t1",
	})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, endpoint+"/_ministack/ses/messages", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var box struct {
		Messages map[string][]struct {
			To                []string
			Subject, BodyText string
		} `json:"messages"` // by account
	}
	if err := json.NewDecoder(answer.Body).Decode(&box); err != nil {
		t.Fatal(err)
	}
	got := slices.Concat(slices.Collect(maps.Values(box.Messages))...)
	if len(got) != 1 || got[0].Subject != "Bestätigen Sie Ihre Adresse" || got[0].BodyText != body || strings.Join(got[0].To, ",") != "karla@example.com" {
		t.Fatalf("the mailbox has %+v", got)
	}
}
