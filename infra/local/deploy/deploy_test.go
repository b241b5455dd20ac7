package deploy_test

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pricemanager/infra/local/deploy"
)

const small = `Resources:
  OAuth: {Type: 'AWS::Serverless::Function', Properties: {FunctionName: !Sub 'pm-${Stage}-oauth', Role: !GetAtt R.Arn}}
  R: {Type: 'AWS::IAM::Role', Properties: {}} # stays
`

func TestATemplateLearnsWhereItsCodeIsAndNothingElseChanges(t *testing.T) {
	t.Parallel()
	tpl, err := deploy.ParseTemplate([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	if fs := tpl.Functions(); len(fs) != 1 || fs[0] != (deploy.Function{ID: "OAuth", Name: "oauth"}) {
		t.Errorf("functions are %v", fs)
	}
	if _, err := tpl.WithCode("b", nil); err == nil {
		t.Error("a function without code was deployed")
	}
	out, err := tpl.WithCode("b", map[string]string{"OAuth": "oauth-1.zip"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"CodeUri: 's3://b/oauth-1.zip'", "!Sub 'pm-${Stage}-oauth'", "!GetAtt R.Arn"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the template lacks %q:\n%s", want, out)
		}
	}
}

func TestMalformedTemplatesAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "Parameters: {}", "Resources: {F: {Type: 'AWS::Serverless::Function', Properties: {}}}",
		"Resources: {F: {Type: 'AWS::Serverless::Function', Properties: {FunctionName: oauth}}}", "Resources: [",
	} {
		if _, err := deploy.ParseTemplate([]byte(text)); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

// TestTheSameCodeIsTheSameArchive: an upload is skipped exactly when nothing
// changed.
func TestTheSameCodeIsTheSameArchive(t *testing.T) {
	t.Parallel()
	pack := func(content string) (deploy.Archive, []byte) {
		t.Helper()
		binary := filepath.Join(t.TempDir(), "oauth")
		if err := os.WriteFile(binary, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
		a, err := deploy.Pack(binary)
		if err != nil {
			t.Fatal(err)
		}
		zipped, err := os.ReadFile(a.Path)
		if err != nil {
			t.Fatal(err)
		}
		return a, zipped
	}
	a, first := pack("code")
	b, second := pack("code")
	if a.Key != b.Key || !bytes.Equal(first, second) {
		t.Errorf("the same code packed twice gives %s and %s", a.Key, b.Key)
	}
	if c, _ := pack("other"); c.Key == a.Key {
		t.Errorf("other code has the same name %s", c.Key)
	}
	r, err := zip.NewReader(bytes.NewReader(first), int64(len(first)))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.File) != 1 || r.File[0].Name != "bootstrap" || r.File[0].Mode().Perm() != 0o755 {
		t.Errorf("the archive holds %v", r.File)
	}
}

// TestOnlyTheMailOfARoleIsWidened: what the local AWS cannot check is let through, and
// nothing beside it.
func TestOnlyTheMailOfARoleIsWidened(t *testing.T) {
	t.Parallel()
	tpl, err := deploy.ParseTemplate([]byte(`
Resources:
  F: {Type: 'AWS::Serverless::Function', Properties: {FunctionName: !Sub 'pm-${Stage}-account', Role: !GetAtt R.Arn}}
  R:
    Type: AWS::IAM::Role
    Properties:
      Policies:
        - PolicyDocument:
            Statement:
              - {Effect: Allow, Action: ['ses:SendEmail'], Resource: [!Sub 'arn:identity/us']}
              - {Effect: Allow, Action: ['dynamodb:GetItem'], Resource: !GetAtt Table.Arn}
`))
	if err != nil {
		t.Fatal(err)
	}
	if err := tpl.RolesOnly(); err != nil {
		t.Fatal(err)
	}
	out, err := tpl.WithCode("b", map[string]string{"F": "f.zip"})
	if err != nil {
		t.Fatal(err)
	}
	if text := string(out); !strings.Contains(text, "Action: ['ses:SendEmail'], Resource: '*'}") || !strings.Contains(text, "Resource: !GetAtt Table.Arn") || strings.Contains(text, "identity/us") {
		t.Errorf("the roles are\n%s", text)
	}
}
