package canary

import (
	"maps"
	"slices"
)

// Marks are in everything of that kind that the fake Amazon issues, so that a
// token is found whoever got it. They are of base64's letters, as Amazon's are.
const (
	MarkRefresh = "cnryRefreshTok1"
	MarkAccess  = "cnryAccessTok2"
	MarkCode    = "cnryCd3" // short: a code has 20 characters
	MarkSecret  = "cnryClientSecr4"
)

// Personal data that the fake Amazon sends without being asked for it.
const (
	BuyerName   = "Ottilie Zwirn-Kanárius"
	BuyerEmail  = "ottilie.kanarius@mail.example"
	BuyerStreet = "Kanarienvogelgasse 417b"
	BuyerPhone  = "+49 1525 0550174"
)

// What callers send to the product: in headers, parameters and bodies.
const (
	CallerIP       = "203.0.113.217" // of TEST-NET-3 (RFC 5737)
	CallerEmail    = "anselm.kanarius@shop.example"
	CallerPassword = "Kanari-envogel_Pa55phrase"
	CallerCookie   = "cnrySessionCookie5"
	CallerKey      = "pmk_cnrycnrycnrycnry_cnrykeycnrykeycnrykeycnrykeycnrykey" // of nobody
	PullKey        = "cnryPullKey6Zq8Xv"
	CompanyName    = "Kanarienhandel Ottokar Zwirn" // and what its API keys are called
)

var planted = map[string]string{
	"refresh token": MarkRefresh, "access token": MarkAccess, "authorisation code": MarkCode, "client secret": MarkSecret,
	"buyer's name": BuyerName, "buyer's e-mail": BuyerEmail, "buyer's street": BuyerStreet, "buyer's telephone": BuyerPhone,
	"caller's address": CallerIP, "caller's e-mail": CallerEmail, "caller's password": CallerPassword,
	"caller's cookie": CallerCookie, "caller's key": CallerKey, "key of a pull": PullKey, "company's name": CompanyName,
}

// Planted are needles for all values that are planted, by name.
func Planted() []Needle {
	out := make([]Needle, 0, len(planted))
	for _, name := range slices.Sorted(maps.Keys(planted)) {
		out = append(out, Text(name, planted[name]))
	}
	return out
}

// Unasked are members of a JSON object with a recipient's data, each followed by
// a comma: what Amazon may add to an answer that nobody asked for.
func Unasked() []byte {
	return []byte(`"shippingAddress":{"name":"` + BuyerName + `","addressLine1":"` + BuyerStreet + `","phone":"` + BuyerPhone +
		`"},"buyerInfo":{"buyerEmail":"` + BuyerEmail + `"},`)
}
