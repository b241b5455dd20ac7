// Package canaries looks for planted values on a running stack: `make demo`,
// `make soak-local` and the integration test end with it. It sends values in the
// ways that callers have, remembers the stack's secrets and everything that the
// product answers, and searches what the closed stack has left on disk, which is
// all tables, objects, queues, logs and metrics of the local AWS, with whatever
// text it is given.
//
// A search that could not have seen anything is an error: the values must have
// been sent, and those that are kept must be found where they belong.
package canaries

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"pricemanager/infra/local/stack"
	"pricemanager/test/canary"
)

// ErrLeak says that a planted value is in clear where it must not be.
var ErrLeak = errors.New("a secret or personal data is in clear")

// Where a closed stack has its secrets, relative to its state directory.
const (
	Vault        = "aws/secretsmanager.json"
	clientSecret = "amazon-client-secret" // what an operator puts in place
	apiKey       = "api-key"              // likewise
	answers      = "answers"
	firstKey     = "API key of the stack"
)

// Allowed are the places in which values belong, by place of a search.
func Allowed() []canary.Place {
	return []canary.Place{
		{Place: Vault},
		{Name: "client secret", Place: clientSecret}, {Name: "secret pm-local/lwa", Place: clientSecret},
		{Name: firstKey, Place: apiKey},
		// Who set a source sees its address, and nobody else.
		{Name: "key of a pull", Place: answers},
	}
}

// Watch is the search on one stack.
type Watch struct {
	// Answers hears what the product says to those who use it as their transport.
	Answers *canary.Heard

	stack   *stack.Stack
	needles []canary.Needle
	planted int64
}

// New returns a watch that has done nothing yet.
func New(s *stack.Stack) *Watch { return &Watch{Answers: &canary.Heard{}, stack: s} }

// Plant sends the values that callers bring.
func (w *Watch) Plant(ctx context.Context) error {
	n, err := canary.Probe(ctx, &http.Client{Transport: w.Answers, Timeout: time.Minute}, w.stack.GatewayURL, w.stack.APIKey.Reveal())
	w.planted += n
	return err
}

// Remember reads the secrets that exist, and how much the fake Amazon has sent.
// It is the last thing before the stack is closed.
func (w *Watch) Remember(ctx context.Context) error {
	secrets, err := w.stack.Secrets(ctx)
	if err != nil {
		return err
	}
	w.needles = append(canary.Planted(), canary.Secret(firstKey, w.stack.APIKey.Reveal()))
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		for _, value := range values(secrets[name].Reveal()) {
			w.needles = append(w.needles, canary.Secret("secret "+name, value))
		}
	}
	w.planted += int64(len(w.needles))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.stack.AdminURL+"/planted", http.NoBody)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("canaries: ask the fake Amazon: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	var sent int64
	if err := json.NewDecoder(res.Body).Decode(&sent); err != nil || sent == 0 {
		return fmt.Errorf("canaries: the fake Amazon has planted %d values, %w", sent, err)
	}
	w.planted += sent
	return nil
}

// Also looks for further texts, such as the keys of other tenants.
func (w *Watch) Also(n ...canary.Needle) { w.needles = append(w.needles, n...) }

// shortest is the least that a secret in a JSON object has.
const shortest = 24

// values are the secrets in the text of one: itself, or those in its JSON.
func values(text string) (out []string) {
	var fields map[string]any
	if json.Unmarshal([]byte(text), &fields) != nil {
		return strings.Fields(text) // several peppers stand side by side
	}
	for name, v := range fields {
		if s, ok := v.(string); ok && len(s) >= shortest && name != "client_id" {
			out = append(out, s)
		}
	}
	return out
}

// Scan looks into the state directory of the closed stack, into the answers that
// were heard, and into texts by their place.
func (w *Watch) Scan(state string, texts map[string][]byte) (*canary.Scanner, error) {
	s := canary.NewScanner(w.needles...)
	if err := s.Dir(state); err != nil {
		return nil, fmt.Errorf("canaries: %w", err)
	}
	s.Bytes(answers, w.Answers.Bytes())
	for _, place := range slices.Sorted(maps.Keys(texts)) {
		s.Bytes(place, texts[place])
	}
	return s, nil
}

// Judge is what a scan shows: an ErrLeak for everything that is neither in its
// place nor in one of the further ones, and an error when the scan was blind.
func (w *Watch) Judge(s *canary.Scanner, further ...canary.Place) (canary.Figures, error) {
	leaks := s.Leaks(append(Allowed(), further...)...)
	var errs []error
	for _, l := range leaks {
		errs = append(errs, fmt.Errorf("%w: %s", ErrLeak, l))
	}
	// What is kept is where it belongs: otherwise the search is blind.
	for name, place := range map[string]string{"refresh token": Vault, "client secret": Vault, firstKey: apiKey, "key of a pull": answers} {
		if !s.Places(name)[place] {
			errs = append(errs, fmt.Errorf("canaries: the search did not find the %s in %s, where it is: it proves nothing", name, place))
		}
	}
	return canary.Figures{Planted: w.planted, Scanned: s.Scanned(), Found: len(leaks)}, errors.Join(errs...)
}

// Search is Scan and Judge.
func (w *Watch) Search(state string, texts map[string][]byte) (canary.Figures, error) {
	s, err := w.Scan(state, texts)
	if err != nil {
		return canary.Figures{}, err
	}
	return w.Judge(s)
}
