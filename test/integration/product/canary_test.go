package product_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// Where a stack keeps things, relative to the rig's directory. The local AWS
// writes all of its services to disk when it is closed.
const (
	stackLog    = "log"
	awsState    = "state/aws/"
	vaultState  = awsState + "secretsmanager.json"
	credentials = "state/amazon-client-secret" // what an operator puts in place
	demoKey     = "state/api-key"              // likewise
)

// anyToken is a refresh or an access token of Amazon, whoever's it is.
var anyToken = textNeedle("a token", "Atzr|", "Atza|")

// secretsStayInTheirPlace closes a stack and searches everything that it left:
// tables, buckets, queues, logs and configuration of the local AWS, and the
// output of every process. Secrets are in the vault and nowhere else, access
// tokens nowhere at all.
func secretsStayInTheirPlace(t *testing.T, r *rig) {
	secrets, tokens := r.secrets(t)
	const control = "a message to show that queues are searched"
	_, err := sqs.NewFromConfig(r.Config()).SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: aws.String(r.Outputs["PrivacyDeadLettersUrl"]), MessageBody: aws.String(control),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}

	needles := append(secrets, anyToken,
		textNeedle("control: a message", control),
		textNeedle("control: an offer", "LOSTBELL-01", "KILLEFFECT-05", "ONEFAILS-03"),
		textNeedle("control: a log line", "doorbell answered"),
	)
	places := map[string]map[string]bool{} // name of a needle to the places where it is
	for _, f := range search(t, r.dir, needles) {
		place := f.path
		if strings.HasPrefix(place, awsState+"s3/") {
			place = awsState + "s3/"
		}
		if places[f.name] == nil {
			places[f.name] = map[string]bool{}
		}
		places[f.name][place] = true
		switch {
		case strings.HasPrefix(f.name, "control: "), f.path == vaultState:
		case f.name == "client secret" && f.path == credentials, f.name == "API key" && f.path == demoKey:
		default:
			t.Errorf("%s is in clear in %s", f.name, f.path)
		}
	}
	// The search sees what is there: every store was read, and in its usual form.
	for name, want := range map[string][]string{
		"control: a message":  {awsState + "sqs.json"},
		"control: an offer":   {awsState + "dynamodb.json", awsState + "s3/"},
		"control: a log line": {awsState + "cloudwatch_logs.json", stackLog},
		"a token":             {vaultState},
		"client secret":       {vaultState, credentials},
		"API key":             {demoKey},
		"pepper":              {vaultState},
		"ledger signer":       {vaultState},
	} {
		for _, place := range want {
			if !places[name][place] {
				t.Errorf("the search did not find %s in %s, where it is: it proves nothing", name, place)
			}
		}
	}
	// And it would see a token that got into a table.
	copied := t.TempDir()
	table, err := os.ReadFile(filepath.Join(r.dir, awsState, "dynamodb.json"))
	if err != nil {
		t.Fatal(err)
	}
	leak := `{"B": "` + base64.StdEncoding.EncodeToString([]byte(`{"note":"`+tokens[0]+`"}`)) + `"}`
	planted := bytes.Replace(table, []byte(`{"S":`), []byte(leak+`, {"S":`), 1)
	if err := os.WriteFile(filepath.Join(copied, "dynamodb.json"), planted, 0o600); err != nil {
		t.Fatal(err)
	}
	if found := search(t, copied, needles); !has(found, anyToken.name) || !has(found, "refresh token") {
		t.Errorf("a token planted in the table is not found: %v", found)
	}
}

func has(found []find, name string) bool {
	for _, f := range found {
		if f.name == name {
			return true
		}
	}
	return false
}

// secrets is a needle for every secret of the stack, and the refresh tokens as
// they are.
func (r *rig) secrets(t *testing.T) (needles []needle, tokens []string) {
	t.Helper()
	vault := secretsmanager.NewFromConfig(r.Config())
	pages := secretsmanager.NewListSecretsPaginator(vault, &secretsmanager.ListSecretsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range page.SecretList {
			out, err := vault.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: entry.ARN})
			if err != nil {
				t.Fatal(err)
			}
			name, value := aws.ToString(entry.Name), aws.ToString(out.SecretString)
			switch {
			case strings.HasPrefix(name, "pm-local/connection/"):
				needles, tokens = append(needles, secretNeedle("refresh token", value)), append(tokens, value)
			case name == "pm-local/lwa":
				needles = append(needles, secretNeedle("client secret", decode[map[string]string](t, name, []byte(value))["client_secret"]))
			case name == "pm-local/pepper":
				needles = append(needles, secretNeedle("pepper", value))
			case name == "pm-local/ledger-signer":
				needles = append(needles, secretNeedle("ledger signer", value))
			default:
				t.Errorf("secret %s is not known to this test", name)
			}
		}
	}
	for _, key := range r.keys {
		needles = append(needles, secretNeedle("API key", key))
	}
	if len(tokens) == 0 {
		t.Fatal("no seller is connected: there is nothing to search for")
	}
	return needles, tokens
}

// The forms in which a secret could be written without being readable at once.
func TestTheSearchFindsASecretInAnyForm(t *testing.T) {
	t.Parallel()
	const hidden = `Atzr|0123456789"odd\secret<&>+ABCDEF`
	line := []byte(`{"level":"INFO","note":"` + hidden + `"}`)
	quoted, err := json.Marshal(hidden)
	if err != nil {
		t.Fatal(err)
	}
	var gz, zipped bytes.Buffer
	g := gzip.NewWriter(&gz)
	_, _ = g.Write(line)
	_ = g.Close()
	z := zip.NewWriter(&zipped)
	f, _ := z.Create("rows.jsonl")
	_, _ = f.Write(line)
	_ = z.Close()
	forms := map[string][]byte{
		"plain": line, "JSON of Go": quoted, "JSON of others": []byte(`"Atzr|0123456789\"odd\\secret<&>+ABCDEF"`),
		"gzip": gz.Bytes(), "zip": zipped.Bytes(),
		"query":          []byte("GET /?code=" + url.QueryEscape(hidden) + " 200"),
		"gzip in base64": []byte(`{"B":"` + base64.StdEncoding.EncodeToString(gz.Bytes()) + `"}`),
		"no secret":      []byte(`{"level":"INFO","note":"nothing to see in 0123456789"}`),
	}
	for i := range 4 {
		forms["base64 after "+strings.Repeat("x", i)] = []byte(`"` + strings.Repeat("x", i) + base64.URLEncoding.EncodeToString(line) + `"`)
	}
	for form, content := range forms {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "file"), content, 0o600); err != nil {
			t.Fatal(err)
		}
		found := search(t, dir, []needle{secretNeedle("it", hidden)})
		if want := form != "no secret"; has(found, "it") != want {
			t.Errorf("%s: found %v, want found: %t", form, found, want)
		}
	}
}
