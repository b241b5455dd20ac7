// Package contract is the Selling Partner API as Amazon's official models
// describe it, reduced to what a machine checks: paths, parameters, schemas,
// statuses, headers and rates of the operations that the product calls. The
// fake Amazon and the tests of the client hold every request and every answer
// against it. Beside them stand the documents that travel on other ways: feeds,
// their processing reports, and notifications.
//
// It is stricter than the models where silence would hide a mistake: an object
// with declared properties has no others, a parameter or header that is not
// declared is a violation, a member given twice is a violation. It never
// repairs anything. It does not know the attributes of product types, which the
// models leave open, with one exception: the shape of purchasable_offer, which
// is written here by hand, as are the notifications about the application's own
// secret, for which Amazon publishes no schema.
//
// spapi.json is derived by the program in derive; do not edit it.
package contract

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed spapi.json
var derived []byte

// ErrViolation is in the chain of every error of the Check functions; their
// text lists each problem with its place.
var ErrViolation = errors.New("contract violation")

// Spec is the whole contract. It is safe for concurrent use.
type Spec struct {
	Revision   string // of the models
	operations []*Operation
	offer      map[OfferUse]*jsonschema.Schema
	documents  map[string]*jsonschema.Schema
}

// Operation is one call of the API.
type Operation struct {
	ID, Method, Path string
	Rate             string // default requests per second, decimal text such as "0.0167"
	Burst            int

	consumes   []string
	parameters map[string]*parameter // query parameters by name
	segments   []string
	body       *jsonschema.Schema // nil: the operation has no body
	responses  map[int]response
}

type parameter struct {
	required bool
	csv      bool
	kind     string // type of the value, or of the elements of a csv value
	schema   *jsonschema.Schema
}

type response struct {
	schema  *jsonschema.Schema // nil: the answer has no body
	headers map[string]bool    // canonical names of the x-amzn headers it may have
}

// Load returns the contract. It is compiled once for the process; the only
// errors are those of a broken build.
func Load() (*Spec, error) { return load() }

var load = sync.OnceValues(func() (*Spec, error) {
	var file specFile
	if err := json.Unmarshal(derived, &file); err != nil {
		return nil, fmt.Errorf("contract: spapi.json: %w", err)
	}
	s := &Spec{Revision: file.Revision}
	for _, api := range file.APIs {
		ops, err := compileAPI(api)
		if err != nil {
			return nil, fmt.Errorf("contract: %s: %w", api.Model, err)
		}
		s.operations = append(s.operations, ops...)
	}
	var err error
	if s.offer, err = compileOffer(); err != nil {
		return nil, err
	}
	s.documents, err = compileDocuments(file.Documents)
	return s, err
})

// Operation returns the operation with Amazon's name id, e.g. "getReport".
func (s *Spec) Operation(id string) (*Operation, bool) {
	for _, op := range s.operations {
		if op.ID == id {
			return op, true
		}
	}
	return nil, false
}

// Declares reports whether the model has the status among the operation's answers.
func (op *Operation) Declares(status int) bool { _, ok := op.responses[status]; return ok }

// DeclaresHeader reports whether answers with the status may have the header.
func (op *Operation) DeclaresHeader(status int, name string) bool {
	return op.responses[status].headers[http.CanonicalHeaderKey(name)]
}

// Operations returns all operations.
func (s *Spec) Operations() []*Operation { return append([]*Operation(nil), s.operations...) }

// Match finds the operation of a request by its method and its escaped path,
// and the decoded path parameters. A parameter is one segment of the path:
// a SKU with an unescaped slash matches nothing. It returns nil for no match.
func (s *Spec) Match(method, escapedPath string) (*Operation, map[string]string) {
	segments := strings.Split(escapedPath, "/")
	for _, op := range s.operations {
		if op.Method != method || len(op.segments) != len(segments) {
			continue
		}
		if params, ok := op.match(segments); ok {
			return op, params
		}
	}
	return nil, nil
}

func (op *Operation) match(segments []string) (map[string]string, bool) {
	params := map[string]string{}
	for i, want := range op.segments {
		name, isParam := strings.CutPrefix(want, "{")
		if !isParam {
			if segments[i] != want {
				return nil, false
			}
			continue
		}
		value, err := url.PathUnescape(segments[i])
		if err != nil || value == "" {
			return nil, false
		}
		params[strings.TrimSuffix(name, "}")] = value
	}
	return params, true
}

// maxProblems bounds what an error lists: a feed can be wrong in 25,000 places.
const maxProblems = 50

// problems collects what is wrong with one message.
type problems []string

func (p *problems) add(format string, args ...any) { *p = append(*p, fmt.Sprintf(format, args...)) }

func (p problems) err(what string) error {
	if len(p) == 0 {
		return nil
	}
	if more := len(p) - maxProblems; more > 0 {
		p = append(p[:maxProblems:maxProblems], fmt.Sprintf("and %d more", more))
	}
	return fmt.Errorf("%w: %s: %s", ErrViolation, what, strings.Join(p, "; "))
}

func statusName(status int) string { return "answer " + strconv.Itoa(status) }
