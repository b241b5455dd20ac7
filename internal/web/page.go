package web

import "net/http"

// pageHeaders are the security headers that a page of ours has another value of: it may
// load our script and our stylesheet, ask our API, and show pictures that it holds
// itself (a QR code). Nothing inline runs, and no script turns text into HTML.
var pageHeaders = map[string]string{
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
		"base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
}

// assetHeaders are those of what pages load: whoever may keep it, for its address
// changes with it.
var assetHeaders = map[string]string{"Cache-Control": "public, max-age=31536000, immutable"}

// Page answers with a page that works by our script. It is the same for everybody: what
// is somebody's the script asks the API for.
func Page(page []byte) *Response {
	return &Response{Status: http.StatusOK, Header: contentType("text/html; charset=utf-8"), Body: page, other: pageHeaders}
}

// Asset answers with what pages load, from an address that no other content ever has.
func Asset(typ string, content []byte) *Response {
	return &Response{Status: http.StatusOK, Header: contentType(typ), Body: content, other: assetHeaders}
}
