package store

import "time"

// MaxUpload bounds what a Form takes: S3's largest object in one request.
const MaxUpload = 5 << 30

// Upload says what a Form lets its holder upload.
type Upload struct {
	ContentType string        // the only one that is taken
	Min, Max    int64         // bytes, both included
	Valid       time.Duration // how long the form can be sent, at most MaxLink
}

// Form is what an upload is sent with: a POST of type multipart/form-data to URL
// that has all Fields first and then the content as the field "file". Whoever
// holds it needs no other credential.
type Form struct {
	URL    string            `json:"url"`
	Fields map[string]string `json:"fields"`
}

// CheckUpload refuses an upload that cannot be signed or could not be bounded.
func CheckUpload(u Upload) error {
	if u.Min < 0 || u.Max < max(u.Min, 1) || u.Max > MaxUpload {
		return invalid("upload of %d to %d bytes: want 0 to %d", u.Min, u.Max, int64(MaxUpload))
	}
	if u.ContentType == "" {
		return invalid("upload without a content type")
	}
	if err := checkText(u.ContentType, "content type"); err != nil {
		return err
	}
	return CheckLink(u.Valid)
}
