package web

import (
	"encoding/base64"
	"maps"
	"net/http"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

// security are the headers of every answer, errors included; pages and what they load
// have another value of one, see Page and Asset. HSTS is two years with preload, as
// hstspreload.org asks. Nothing is cached: answers hold one tenant's data.
var security = map[string]string{
	"Content-Security-Policy":      "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	"Strict-Transport-Security":    "max-age=63072000; includeSubDomains; preload",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Referrer-Policy":              "no-referrer",
	"Permissions-Policy":           "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Cache-Control":                "no-store",
}

// encode turns an answer into what API Gateway wants. A body that is not UTF-8
// travels as base64.
func encode(r *Response) events.APIGatewayProxyResponse {
	h := maps.Clone(r.Header)
	if h == nil {
		h = http.Header{}
	}
	for k, v := range security {
		h.Set(k, v)
	}
	for k, v := range r.other {
		h.Set(k, v)
	}
	out := events.APIGatewayProxyResponse{StatusCode: r.Status, MultiValueHeaders: h, Body: string(r.Body)}
	if !utf8.Valid(r.Body) {
		out.Body, out.IsBase64Encoded = base64.StdEncoding.EncodeToString(r.Body), true
	}
	return out
}
