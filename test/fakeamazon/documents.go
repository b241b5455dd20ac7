package fakeamazon

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// linkLife is how long the link of a document works (reports_2021-06-30,
// feeds_2021-06-30).
const linkLife = 5 * time.Minute

const linkTime = "20060102T150405Z"

// link is a path and query in the manner of a presigned S3 link.
func (f *Fake) link(document string, now time.Time) string {
	date := now.UTC().Format(linkTime)
	q := url.Values{
		"X-Amz-Algorithm": {"AWS4-HMAC-SHA256"}, "X-Amz-Date": {date},
		"X-Amz-Expires":   {strconv.Itoa(int(linkLife / time.Second))},
		"X-Amz-Signature": {f.pace.id("link", document, date)},
	}
	return "/documents/" + document + "?" + q.Encode()
}

// checkLink says why a link does not work; "" when it does.
func (f *Fake) checkLink(r *http.Request, document string, now time.Time) string {
	q := r.URL.Query()
	signed, err := time.Parse(linkTime, q.Get("X-Amz-Date"))
	if err != nil || q.Get("X-Amz-Signature") != f.pace.id("link", document, q.Get("X-Amz-Date")) {
		return "Access Denied"
	}
	if now.After(signed.Add(linkLife)) {
		return "Request has expired"
	}
	return ""
}

// credentialLeak notes a credential that was sent to a link, which needs none.
func (f *Fake) credentialLeak(entry *Request, r *http.Request, now time.Time) {
	if r.Header.Get("x-amz-access-token") != "" || r.Header.Get("Authorization") != "" {
		f.log.violate(entry, now, "protocol", "a credential was sent to a document link")
	}
}

// serveDocument is S3: it knows nothing of sellers, only whether a link is
// genuine and young enough. An access token sent here has leaked.
func (f *Fake) serveDocument(w http.ResponseWriter, r *http.Request) {
	id := strings.TrimPrefix(r.URL.Path, "/documents/")
	if r.Method == http.MethodPut {
		f.serveUpload(w, r, id)
		return
	}
	f.mu.Lock()
	now := f.cfg.Clock.Now()
	f.advance(now)
	entry := f.log.open(Request{Time: now, Op: "document"})
	f.credentialLeak(entry, r, now)
	problem := f.checkLink(r, id, now)
	var content []byte
	var media string
	if problem == "" {
		if content, media = f.documentContent(id, now); media == "" {
			problem = "Access Denied"
		}
	}
	if problem == "" {
		f.log.close(entry, http.StatusOK, "")
	} else {
		f.log.close(entry, http.StatusForbidden, "AccessDenied")
	}
	f.mu.Unlock()
	if problem != "" {
		storageAnswer(w, http.StatusForbidden, problem)
		return
	}
	w.Header().Set("Content-Type", media)
	_, _ = w.Write(content)
}

// documentContent returns the content of a document that can be read now and
// its content type, "" when there is none.
func (f *Fake) documentContent(id string, now time.Time) (content []byte, media string) {
	if job := f.jobOfDocument(id); job != nil && f.status(job, now) == "DONE" {
		return job.content, "text/tab-separated-values; charset=UTF-8"
	}
	if job := f.feedOfResult(id); job != nil && job.reported(now) {
		return f.feedContent(job, now), "application/json; charset=UTF-8"
	}
	return nil, ""
}

// storageAnswer is how S3 answers when there is nothing to download.
func storageAnswer(w http.ResponseWriter, status int, problem string) {
	if status == http.StatusOK {
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>%s</Message></Error>`,
		strings.ReplaceAll(http.StatusText(status), " ", ""), problem)
}

func zipped(text []byte) []byte {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, _ = zip.Write(text) // a bytes.Buffer does not fail
	_ = zip.Close()
	return packed.Bytes()
}
