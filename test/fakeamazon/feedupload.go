package fakeamazon

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"pricemanager/internal/price"
	"pricemanager/test/contract"
)

// opUpload is the name of an upload to a feed document in faults and in the log.
const opUpload = "uploadFeedDocument"

// maxUpload is the largest feed that the fake keeps, six times the size that
// Amazon recommends at most.
const maxUpload = 64 << 20

// upload is a document for the content of a feed.
type upload struct {
	ID          string       `json:"id"`
	Region      price.Region `json:"region"`
	Seller      string       `json:"seller"`
	ContentType string       `json:"contentType"`
	Created     time.Time    `json:"created"`
	Content     []byte       `json:"content,omitempty"` // nil: nothing uploaded yet
	Problem     string       `json:"problem,omitempty"` // why the content is no feed
	Used        bool         `json:"used,omitempty"`
	file        *feedFile
}

func (u *upload) key() sellerKey { return sellerKey{u.Region, u.Seller} }

// feedFile is the content of a feed whose shape has been checked.
type feedFile struct {
	Header struct {
		Seller string      `json:"sellerId"`
		Report *feedAsksOf `json:"report"`
	} `json:"header"`
	Messages []feedMessage `json:"messages"`
}

// feedAsksOf is what the processing report shall include beside issues.
type feedAsksOf struct {
	IncludedData []string `json:"includedData"`
	APIVersion   string   `json:"apiVersion"`
}

type feedMessage struct {
	ID          int              `json:"messageId"`
	SKU         price.SKU        `json:"sku"`
	Operation   string           `json:"operationType"`
	ProductType string           `json:"productType"`
	Patches     []patchOperation `json:"patches"`
}

// parsed is the content; the zero file when it is no feed.
func (u *upload) parsed() *feedFile {
	if u.file == nil {
		u.file = &feedFile{}
		if u.Problem == "" {
			if err := json.Unmarshal(u.Content, u.file); err != nil {
				panic(err) // checked when it was uploaded
			}
		}
	}
	return u.file
}

// checkFeed says why a content is no feed; nil when it is one.
func checkFeed(spec *contract.Spec, content []byte) error {
	if err := spec.CheckDocument(contract.DocumentFeed, content); err != nil {
		return err
	}
	var file feedFile
	if err := json.Unmarshal(content, &file); err != nil {
		return err
	}
	seen := make(map[int]bool, len(file.Messages))
	for _, m := range file.Messages {
		if seen[m.ID] {
			return fmt.Errorf("messageId %d is given twice", m.ID)
		}
		seen[m.ID] = true
	}
	return nil
}

func (f *Fake) createFeedDocument(c *call, now time.Time) answer {
	var want struct {
		ContentType string `json:"contentType"`
	}
	if err := json.Unmarshal(c.body, &want); err != nil || want.ContentType == "" {
		return refuse(http.StatusBadRequest, "Invalid contentType.", "")
	}
	u := &upload{
		ID: "amzn1.tortuga.4." + f.pace.id("feed input", f.next()), Region: c.key.region, Seller: c.key.id,
		ContentType: want.ContentType, Created: now,
	}
	f.uploads[u.ID] = u
	f.touch()
	return answer{http.StatusCreated, map[string]string{"feedDocumentId": u.ID, "url": c.base + f.link(u.ID, now)}, ""}
}

// serveUpload is S3 taking an object: it looks at the link and the content type
// it was made for. What is in the object is found out here too, outside the
// lock, though Amazon would say so only in the processing report.
func (f *Fake) serveUpload(w http.ResponseWriter, r *http.Request, id string) {
	f.mu.Lock()
	now := f.cfg.Clock.Now()
	entry := f.log.open(Request{Time: now, Op: opUpload})
	u := f.uploads[id]
	problem := f.checkLink(r, id, now)
	f.credentialLeak(entry, r, now)
	if u == nil {
		problem = "Access Denied"
	} else {
		entry.Region, entry.Seller = u.Region, u.Seller
		if got := r.Header.Get("Content-Type"); problem == "" && got != u.ContentType {
			problem = "SignatureDoesNotMatch"
			f.log.violate(entry, now, "protocol", "content type %q, the document was made for %q", got, u.ContentType)
		}
	}
	met := f.faults.meet(entry)
	f.mu.Unlock()

	f.before(met)
	content, err := io.ReadAll(io.LimitReader(r.Body, maxUpload+1))
	if err != nil {
		panic(http.ErrAbortHandler) // the client went away before it had finished
	}
	status := http.StatusOK
	switch d := met.disturbance; {
	case problem != "":
		status = http.StatusForbidden
	case d != nil && d.Kind == Answer:
		status, problem = d.Status, "scripted"
	case len(content) > maxUpload:
		status, problem = http.StatusBadRequest, "EntityTooLarge"
	default:
		f.keepUpload(u, entry, content)
		f.after(met)
		if d != nil && d.Kind == AnswerAfter {
			status, problem = d.Status, "scripted"
		}
	}
	f.mu.Lock()
	f.log.close(entry, status, problem)
	f.mu.Unlock()
	storageAnswer(w, status, problem)
}

func (f *Fake) keepUpload(u *upload, entry *Request, content []byte) {
	wrong := checkFeed(f.spec, content)
	f.mu.Lock()
	defer f.mu.Unlock()
	u.Content, u.Problem, u.file = append([]byte{}, content...), "", nil
	if wrong != nil {
		u.Problem = wrong.Error()
		f.log.violate(entry, f.cfg.Clock.Now(), "contract", "%v", wrong)
	}
	f.touch()
}
