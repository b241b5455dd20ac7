package contract

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The documents. A notification goes by the name of its type.
const (
	DocumentFeed          = "listings-feed"        // JSON_LISTINGS_FEED, version 2.0
	DocumentFeedReport    = "listings-feed-report" // its processing report
	DocumentFeedFinished  = "FEED_PROCESSING_FINISHED"
	DocumentListingStatus = "LISTINGS_ITEM_STATUS_CHANGE"
	DocumentListingIssues = "LISTINGS_ITEM_ISSUES_CHANGE"
	DocumentSecretExpiry  = "APPLICATION_OAUTH_CLIENT_SECRET_EXPIRY"
	DocumentNewSecret     = "APPLICATION_OAUTH_CLIENT_NEW_SECRET"
)

// schemaStatus is the name of a status notification in Amazon's schema alone.
const schemaStatus = "LISTINGS_ITEM_STATUS_CHANGED"

// oauth holds the schemas of the last two, from the payload classes in Amazon's
// official samples.
//
//go:embed oauth_notifications.json
var oauth []byte

func compileDocuments(derived map[string]json.RawMessage) (map[string]*jsonschema.Schema, error) {
	own := map[string]json.RawMessage{}
	if err := json.Unmarshal(oauth, &own); err != nil {
		return nil, fmt.Errorf("contract: oauth_notifications.json: %w", err)
	}
	maps.Copy(own, derived)
	c := &compiler{Compiler: newCompiler(), definitions: map[string]any{}}
	out := map[string]*jsonschema.Schema{}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		raw := own[name]
		if name == DocumentListingStatus {
			var err error
			if raw, err = correctStatus(raw); err != nil {
				return nil, err
			}
		}
		var err error
		if out[name], err = c.compile(raw); err != nil {
			return nil, fmt.Errorf("contract: document %s: %w", name, err)
		}
	}
	return out, nil
}

// correctStatus lets a status notification carry its own name. Amazon's schema
// allows only LISTINGS_ITEM_STATUS_CHANGED, which neither its own example nor
// the type that one subscribes to has; both are taken.
func correctStatus(raw json.RawMessage) (json.RawMessage, error) {
	schema, err := decodeObject(raw)
	if err != nil {
		return nil, err
	}
	properties, _ := schema["properties"].(map[string]any)
	kind, _ := properties["NotificationType"].(map[string]any)
	if names, _ := kind["enum"].([]any); len(names) != 1 || names[0] != schemaStatus {
		return nil, errors.New("contract: Amazon changed the name in its schema of LISTINGS_ITEM_STATUS_CHANGE: take the correction out")
	}
	kind["enum"] = []any{schemaStatus, DocumentListingStatus}
	return json.Marshal(schema)
}

// CheckDocument holds a document against the schema of its kind, which is one of
// the Document constants. The error, if any, wraps ErrViolation.
func (s *Spec) CheckDocument(kind string, raw []byte) error {
	var p problems
	schema := s.documents[kind]
	if schema == nil {
		p.add("there is no such kind of document")
		return p.err(kind)
	}
	if v, err := Decode(raw); err != nil {
		p.add("%v", err)
	} else {
		validate(&p, "document", schema, v)
	}
	return p.err(kind)
}
