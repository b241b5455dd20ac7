package pull

import (
	"encoding/json"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"pricemanager/internal/fault"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
)

// Kind is what a source has files of.
type Kind string

// The kinds.
const (
	Prices Kind = "prices" // when none is given
	Rates  Kind = "rates"  // exchange rates: see fx
)

// Source is what a tenant sets: where the file is, when it is fetched, and how it
// is planned.
type Source struct {
	Kind Kind   `json:"kind"`
	URL  string `json:"url"`
	// ChecksumURL is where the file's SHA-256 is, in the form that sha256sum
	// writes; "" for nowhere.
	ChecksumURL string              `json:"checksumUrl,omitempty"`
	Schedule    Schedule            `json:"schedule"`
	Marketplace price.MarketplaceID `json:"marketplace,omitempty"` // of rows that name none
	Policy      plan.Policy         `json:"policy,omitempty"`      // of prices
	Base        price.Currency      `json:"base,omitempty"`        // of rates in a CSV, which does not say
}

// checked returns the source as it is kept. check reads addresses. Faults are of
// kind Invalid.
func (s Source) checked(check func(string) (string, error)) (Source, error) {
	var err error
	if s.URL, err = check(s.URL); err != nil {
		return Source{}, err
	}
	if s.ChecksumURL != "" {
		if s.ChecksumURL, err = check(s.ChecksumURL); err != nil {
			return Source{}, err
		}
	}
	if s.Kind == "" {
		s.Kind = Prices
	}
	if s.Kind == Rates {
		if err := s.checkRates(); err != nil {
			return Source{}, err
		}
		return s, s.Schedule.check()
	}
	if s.Kind != Prices || s.Base != "" {
		return Source{}, fault.New(fault.Invalid, "kind", "kind is %q: want %s or %s, and base only of %s.", s.Kind, Prices, Rates, Rates)
	}
	if s.Policy == "" {
		s.Policy = plan.SkipBadRows
	}
	if !s.Policy.Valid() {
		return Source{}, fault.New(fault.Invalid, "policy", "policy is %q: want %s or %s.", s.Policy, plan.SkipBadRows, plan.AllOrNothing)
	}
	if s.Marketplace != "" {
		m, ok := price.FindMarketplace(string(s.Marketplace))
		if !ok {
			return Source{}, fault.New(fault.Invalid, "marketplace", "marketplace is %q: want an Amazon marketplace id or a country code such as DE.", s.Marketplace)
		}
		s.Marketplace = m.ID
	}
	return s, s.Schedule.check()
}

func (s Source) checkRates() error {
	if s.Policy != "" || s.Marketplace != "" {
		return fault.New(fault.Invalid, "kind", "policy and marketplace are of prices: leave them out for %s.", Rates)
	}
	if _, ok := s.Base.Exponent(); !ok && s.Base != "" {
		return fault.New(fault.Invalid, "base", "base is %q: want the currency that a CSV of rates is for one unit of, such as EUR.", s.Base)
	}
	return nil
}

// host is where the file is, and all of the address that is told to others.
func (s Source) host() string {
	u, err := url.Parse(s.URL)
	if err != nil { // it was checked
		return ""
	}
	return u.Hostname()
}

// WithoutKeys returns the source with addresses whose query is hidden: it may be
// the key to the file, and what is taken away may be read by others.
func (s Source) WithoutKeys() Source {
	for _, at := range []*string{&s.URL, &s.ChecksumURL} {
		if before, _, has := strings.Cut(*at, "?"); has {
			*at = before + "?[hidden]"
		}
	}
	return s
}

// named are what names of files end in.
var named = []string{".csv", ".tsv", ".tab", ".txt", ".xlsx", ".json", ".jsonl", ".ndjson", ".gz", ".zip"}

// file is what the file is called, in its plan and everywhere that this is told: the
// last part of its address if that is the name of a file. Anything else there, and
// the query, may be a key.
func (s Source) file() string {
	u, err := url.Parse(s.URL)
	if err != nil {
		return "prices"
	}
	name := strings.TrimSpace(path.Base(u.Path))
	if !slices.Contains(named, strings.ToLower(path.Ext(name))) || len(name) > 200 || !utf8.ValidString(name) ||
		strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "prices"
	}
	return name
}

// encode is the JSON of a source, which cannot fail.
func (s Source) encode() []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic("pull: " + err.Error())
	}
	return b
}
