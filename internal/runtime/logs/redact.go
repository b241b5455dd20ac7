package logs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"strings"

	"pricemanager/internal/secret"
)

// forms are the shapes of credentials, with the part to keep for recognition in
// the first group. LWA access and refresh tokens start Atza| and Atzr|
// (also percent-encoded, as they stand in a form body), LWA client secrets
// amzn1.oa2-cs., AWS access keys AKIA or ASIA; pmk_ is our own API key.
var forms = regexp.MustCompile(`(?i)(pmk_)[a-z0-9]+(?:_[a-z0-9]+)?` +
	`|(Atz[a-z](?:\||%7C))[^\s"'&,;<>}\\]+` +
	`|(amzn1\.oa2-cs\.)[^\s"'&,;<>}\\]+` +
	`|(\b(?:AKIA|ASIA))[A-Z0-9]{16}` +
	`|(\bBearer\s+)[^\s"',;<>}\\]{12,}` +
	`|(\b(?:client_secret|refresh_token|access_token|spapi_oauth_code|code|X-Amz-Signature|X-Amz-Security-Token)=)[^\s"'&]+`)

// Redact masks every credential that s contains in a known form.
func Redact(s string) string {
	if !suspicious(s) {
		return s
	}
	return forms.ReplaceAllString(s, "${1}${2}${3}${4}${5}${6}"+secret.Redacted)
}

// suspicious spares most strings the regular expression: every form contains
// one of these characters.
func suspicious(s string) bool { return len(s) > 4 && strings.ContainsAny(s, "_|%.= AaSs") }

// denied are attribute and field names whose value is dropped whatever it is,
// compared without case, "-" and "_".
var denied = map[string]bool{
	"authorization": true, "xamzaccesstoken": true, "cookie": true, "setcookie": true,
	"password": true, "secret": true, "clientsecret": true, "apikey": true, "pepper": true,
	"token": true, "plantoken": true, "accesstoken": true, "refreshtoken": true, "idtoken": true,
	"spapioauthcode": true, "privatekey": true, "plaintext": true,
	"secretstring": true, "secretaccesskey": true, "sessiontoken": true, "xamzsecuritytoken": true,
}

// Denied reports whether an attribute of that name never reaches a log.
func Denied(name string) bool {
	return denied[strings.NewReplacer("-", "", "_", "", ".", "").Replace(strings.ToLower(name))]
}

func cleanAttr(a slog.Attr) (slog.Attr, bool) {
	if Denied(a.Key) {
		return slog.Attr{}, false
	}
	return slog.Attr{Key: a.Key, Value: cleanValue(a.Value)}, true
}

func cleanValue(v slog.Value) slog.Value {
	v = v.Resolve()
	switch v.Kind() {
	case slog.KindString:
		return slog.StringValue(Redact(v.String()))
	case slog.KindGroup:
		kept := make([]slog.Attr, 0, len(v.Group()))
		for _, a := range v.Group() {
			if a, ok := cleanAttr(a); ok {
				kept = append(kept, a)
			}
		}
		return slog.GroupValue(kept...)
	case slog.KindAny:
		return cleanAny(v.Any())
	default:
		return v
	}
}

// cleanAny takes values apart through their JSON form, the one the handler
// would print, so that a token deep in a struct is found.
func cleanAny(v any) slog.Value {
	switch v := v.(type) {
	case nil:
		return slog.AnyValue(nil)
	case error:
		return slog.StringValue(Redact(v.Error()))
	case []byte:
		return slog.StringValue(fmt.Sprintf("%d bytes", len(v)))
	case json.RawMessage:
		return slog.StringValue(fmt.Sprintf("%d bytes", len(v)))
	case fmt.Stringer:
		return slog.StringValue(Redact(v.String()))
	}
	b, err := json.Marshal(v)
	if err != nil {
		return slog.StringValue(Redact(fmt.Sprintf("%+v", v)))
	}
	var tree any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber() // a logged price keeps its digits
	if err := d.Decode(&tree); err != nil {
		return slog.StringValue(Redact(string(b)))
	}
	return slog.AnyValue(cleanTree(tree))
}

func cleanTree(v any) any {
	switch v := v.(type) {
	case string:
		return Redact(v)
	case []any:
		for i := range v {
			v[i] = cleanTree(v[i])
		}
	case map[string]any:
		for k, x := range v {
			if Denied(k) {
				delete(v, k)
				continue
			}
			v[k] = cleanTree(x)
		}
	}
	return v
}
