package contract

import (
	"bytes"
	_ "embed"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed purchasable_offer.json
var offerSchema []byte

// OfferUse is where a purchasable_offer instance stands; the same attribute
// allows different things in different places.
type OfferUse string

// The uses. Each value is an array of instances except Stored, which is the
// attribute as a read returns it.
const (
	OfferStored OfferUse = "stored" // attributes.purchasable_offer of a read
	OfferSet    OfferUse = "set"    // value of op add or replace
	OfferMerge  OfferUse = "merge"  // value of op merge: null deletes a sub-attribute, but never our_price
	OfferDelete OfferUse = "delete" // value of op delete: selectors only
)

// OfferUseOf returns the use of the value of a patch with the given op.
func OfferUseOf(op string) OfferUse {
	switch op {
	case "merge":
		return OfferMerge
	case "delete":
		return OfferDelete
	default:
		return OfferSet
	}
}

func compileOffer() (map[OfferUse]*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(offerSchema))
	if err != nil {
		return nil, fmt.Errorf("contract: purchasable_offer.json: %w", err)
	}
	const location = "contract:///purchasable_offer"
	c := newCompiler()
	if err := c.AddResource(location, doc); err != nil {
		return nil, fmt.Errorf("contract: purchasable_offer.json: %w", err)
	}
	out := map[OfferUse]*jsonschema.Schema{}
	for _, use := range []OfferUse{OfferStored, OfferSet, OfferMerge, OfferDelete} {
		if out[use], err = c.Compile(location + "#/$defs/" + string(use)); err != nil {
			return nil, fmt.Errorf("contract: purchasable_offer.json: %s: %w", use, err)
		}
	}
	return out, nil
}

// CheckOffer holds the JSON value of a purchasable_offer attribute, an array of
// instances, against its shape. The error, if any, wraps ErrViolation.
func (s *Spec) CheckOffer(use OfferUse, value []byte) error {
	var p problems
	v, err := Decode(value)
	if err != nil {
		p.add("%v", err)
	} else {
		validate(&p, "value", s.offer[use], v)
	}
	return p.err("purchasable_offer")
}
