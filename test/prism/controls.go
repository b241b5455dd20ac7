package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// wrong says how a request of an operation is made wrong. The operations that
// are not here take nothing but an identifier in their path.
var wrong = map[string]func(*http.Request){
	"patchListingsItem":  empty,
	"createReport":       empty,
	"createFeedDocument": empty,
	"createFeed":         empty,
	"createDestination":  empty,
	"createSubscription": empty,
	"getListingsItem": func(r *http.Request) {
		r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "marketplaceIds", "marketplaces", 1)
	},
	"searchListingsItems": func(r *http.Request) {
		r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "pageSize=20", "pageSize=many", 1)
	},
	"getFeeds": func(r *http.Request) {
		r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "pageSize=100", "pageSize=101", 1)
	},
}

func empty(r *http.Request) {
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader("{}")), 2
}

// spoilRequest makes the request wrong if it is the one that is to be.
func (j *judge) spoilRequest(name string, r *http.Request) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.spoil == name {
		j.spoil = ""
		wrong[name](r)
	}
}

// An answer without any member that the models want, and two that are wrong in
// one place.
func nothing([]byte) []byte { return []byte("[]") }

func replace(old, with string) func([]byte) []byte {
	return func(b []byte) []byte { return bytes.Replace(b, []byte(old), []byte(with), 1) }
}

// control makes requests and answers wrong on purpose and wants Prism to object
// to each one, and the wrong requests never to arrive.
func (w *world) control(ctx context.Context, calls []call) error {
	for _, c := range calls {
		if wrong[c.op] == nil {
			continue
		}
		w.judge.mu.Lock()
		w.judge.spoil = c.op
		w.judge.mu.Unlock()
		before := len(w.fake.Violations())
		if err := w.caught(ctx, c, "a wrong request"); err != nil {
			return err
		}
		if len(w.fake.Violations()) != before {
			return fmt.Errorf("a wrong request of %s went on to Amazon", c.op)
		}
	}
	w.judge.controls++
	for _, c := range calls {
		spoils := []func([]byte) []byte{nothing}
		switch c.op {
		case "cancelFeed", "rotateApplicationClientSecret":
			continue // their answers have no body
		case "patchListingsItem":
			spoils = append(spoils, replace(`"ACCEPTED"`, `"APPROVED"`))
		case "getListingsItem":
			spoils = append(spoils, replace(`"sku"`, `"SKU"`))
		}
		for _, spoil := range spoils {
			// Operations on the way to the one that is meant are left in peace.
			w.front.at(c.op, spoil)
			if err := w.caught(ctx, c, "a wrong answer"); err != nil {
				return err
			}
		}
	}
	w.judge.controls++
	return nil
}

// caught wants Prism to object to exactly the one call that was made wrong.
func (w *world) caught(ctx context.Context, c call, what string) error {
	err := c.do(ctx)
	objections := w.judge.wanted()
	if len(objections) == 0 || slices.ContainsFunc(objections, func(o string) bool { return !strings.HasPrefix(o, c.op+" ") }) {
		return fmt.Errorf("prism passed %s of %s (the client says: %s); it objects to %q", what, c.op, fmt.Sprint(err), objections)
	}
	if err == nil {
		return fmt.Errorf("prism objected to %s of %s, and the client took it for an answer", what, c.op)
	}
	return nil
}
