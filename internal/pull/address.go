package pull

import (
	"context"
	"encoding/json"
	"fmt"

	"pricemanager/internal/envelope"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Sealer seals addresses: an envelope.Sealer.
type Sealer interface {
	Seal(ctx context.Context, t tenant.ID, p envelope.Purpose, at envelope.Where, plaintext []byte) ([]byte, error)
	Open(ctx context.Context, t tenant.ID, p envelope.Purpose, at envelope.Where, sealed []byte) ([]byte, error)
}

// addresses are what is sealed of a source, since path and query may be the key
// to the file.
type addresses struct {
	URL         string `json:"url"`
	ChecksumURL string `json:"checksumUrl,omitempty"`
}

func addressPlace(id string) envelope.Where {
	return envelope.Where{Table: store.Offers, Key: itemKey(id), Field: aAddress}
}

// kept returns the source as it rests: what is in clear of it, and its addresses
// sealed. One write has both.
func (s *Store) kept(ctx context.Context, t tenant.ID, id string, src Source) (clear, sealed []byte, err error) {
	text, err := json.Marshal(addresses{src.URL, src.ChecksumURL})
	if err != nil {
		return nil, nil, fmt.Errorf("pull: address of %s cannot be encoded", id) // the encoder's text may quote it
	}
	if sealed, err = s.Sealer.Seal(ctx, t, envelope.Sources, addressPlace(id), text); err != nil {
		return nil, nil, fmt.Errorf("pull: seal address of %s: %w", id, err)
	}
	return src.hostsOnly().encode(), sealed, nil
}

// unseal puts the addresses back into a source that was read.
func unseal(ctx context.Context, s Sealer, t tenant.ID, id string, sealed []byte, src *Source) error {
	text, err := s.Open(ctx, t, envelope.Sources, addressPlace(id), sealed)
	if err != nil {
		return fmt.Errorf("pull: open address of %s: %w", id, err)
	}
	var a addresses
	if err := json.Unmarshal(text, &a); err != nil {
		return fmt.Errorf("pull: address of %s is malformed", id) // the decoder's text may quote it
	}
	src.URL, src.ChecksumURL = a.URL, a.ChecksumURL
	return nil
}

// hostsOnly returns the source with nothing of its addresses but the hosts, which
// is what rests in clear and what the ledger tells.
func (s Source) hostsOnly() Source {
	for _, at := range []*string{&s.URL, &s.ChecksumURL} {
		if *at != "" {
			*at = "https://" + (Source{URL: *at}).host() + "/[hidden]"
		}
	}
	return s
}
