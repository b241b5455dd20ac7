// Package connect owns connections: a seller account in one Amazon region that
// a tenant was authorised to manage. It starts a consent, takes the seller back
// from it, proves who the seller is, has Amazon tell us about the seller, keeps
// what is known about the connection, ends it, and holds the token broker, the one
// place that touches refresh tokens. It also replaces the application's own client
// secret (Rotation).
//
// What it promises when things fail: a connection becomes active only when its
// refresh token is stored, its seller is proven with that very authorisation,
// and no other tenant has the seller; all crash points before that leave the
// connection as it was, and a consent that was interrupted is begun again. A
// consent state works once. Every consent gets a number and its own place for
// the refresh token, and one write switches the connection to it, so that a
// working authorisation is never replaced by one that was not proven. Another
// tenant's connection is not found.
//
// It does not read catalogues (the lane does), does not call Amazon by itself
// (it is given what does), and keeps no secret outside the vault but access tokens,
// which it seals.
package connect

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// State says whether a connection can be used.
type State string

// The states.
const (
	Pending     State = "pending"     // consent was asked for, not yet given
	Active      State = "active"      // authorised
	Reauthorise State = "reauthorise" // Amazon no longer accepts the authorisation
	// Disconnected: the tenant has ended it, and its refresh tokens are destroyed.
	Disconnected State = "disconnected"
)

// ImportState says how the reading of the seller's catalogue goes.
type ImportState string

// The states of an import.
const (
	ImportNone    ImportState = "none"
	ImportRunning ImportState = "running"
	ImportDone    ImportState = "done"
	ImportFailed  ImportState = "failed"
)

// Import is the last import of a connection's catalogue.
type Import struct {
	State     ImportState
	Known     int64     // offers read so far
	Requested int64     // offers to read, as far as the reports have told
	At        time.Time // of the last news
}

// Connection is one seller account in one region.
type Connection struct {
	ID           price.ConnectionID
	Region       price.Region
	State        State
	Seller       string // "" until first authorised
	Marketplaces []price.MarketplaceID
	CreatedAt    time.Time
	AuthorisedAt time.Time // of the last consent; zero until the first
	ClosedAt     time.Time // of the last disconnection; zero until the first
	Grant        int64     // number of the authorisation in use, 0 until the first
	Consents     int64     // numbers given out: no refresh token of the connection has a higher one
	Reason       string    // why it has to be authorised again, Amazon's words
	Import       Import
	// Subscriptions are Amazon's notifications, once they were looked after.
	Subscriptions []Subscription
}

// Account is the connection as calls to Amazon name it.
func (c Connection) Account(t tenant.ID) amazon.Account {
	return amazon.Account{Tenant: t, Connection: c.ID, Region: c.Region, Seller: c.Seller, Grant: c.Grant}
}

// Tokens trades codes and destroys refresh tokens: Broker, or what invokes it.
type Tokens interface {
	// Exchange trades a code and keeps the refresh token under the number grant.
	// A code works once.
	Exchange(ctx context.Context, t tenant.ID, c price.ConnectionID, grant int64, code secret.Value, redirectURI string) (amazon.Token, error)
	// Discard destroys the refresh token of that number; a missing one is no error.
	Discard(ctx context.Context, t tenant.ID, c price.ConnectionID, grant int64) error
}

// Sellers asks Amazon about the owner of an access token. Errors are
// *amazon.Error; a refusal has status 403.
type Sellers interface {
	// Prove returns nil when the token belongs to the account's seller.
	Prove(ctx context.Context, token secret.Value, a amazon.Account, m price.MarketplaceID) error
	// Marketplaces lists where the token's seller takes part.
	Marketplaces(ctx context.Context, token secret.Value, region price.Region) ([]price.MarketplaceID, error)
}

// Importer starts the reading of a connection's catalogue and lets a lane that
// waits for a new authorisation go on. Repeating it is harmless.
type Importer interface {
	RequestImport(ctx context.Context, t tenant.ID, c price.ConnectionID) error
}

// Config is where sellers are sent and where they come back.
type Config struct {
	Consent       map[price.Region]string // Seller Central's consent page per region
	ApplicationID string                  // "amzn1.sp.solution...." or "amzn1.sellerapps.app...."
	// Draft adds version=beta, which Amazon wants until the app is published and
	// refuses after.
	Draft       bool
	RedirectURI string // our callback, as registered with Amazon
	// AllowInsecure permits consent pages that are not Amazon's. Local profile only.
	AllowInsecure bool
}

// consentHosts are Seller Central's, one for each region.
var consentHosts = []string{"sellercentral.amazon.com", "sellercentral-europe.amazon.com", "sellercentral.amazon.co.jp"}

// Validate refuses a configuration with which no consent could work, or with which
// sellers would be sent to somebody who is not Amazon.
func (c Config) Validate() error {
	u, err := url.Parse(c.RedirectURI)
	if err != nil || u.Host == "" || c.ApplicationID == "" {
		return errors.New("connect: the public address and the application id must be set")
	}
	for region, page := range c.Consent {
		u, err := url.Parse(page)
		if page != "" && !c.AllowInsecure && (err != nil || u.Scheme != "https" || !slices.Contains(consentHosts, u.Host) || u.User != nil) {
			return fmt.Errorf("connect: the consent page of %s is not https at Seller Central", region)
		}
	}
	return nil
}

// Service manages connections. All fields are needed; DB and Clock are enough
// for reading and for what the lane reports.
type Service struct {
	DB            store.DB
	Clock         clock.Clock
	Random        io.Reader
	Config        Config
	Tokens        Tokens
	Sellers       Sellers
	Importer      Importer
	Subscriptions Subscriptions
}

// Errors that callers test for.
var (
	// ErrNotFound: there is no such connection in this tenant.
	ErrNotFound = errors.New("connect: no such connection")
	// ErrRegion: Amazon has no such region, or no consent page is known for it.
	ErrRegion = errors.New("connect: unknown region")
	// ErrNotAuthorised: the seller has not authorised the connection yet.
	ErrNotAuthorised = errors.New("connect: connection is not authorised")
)

// Items live in the connections table. A state and a seller claim are in the
// directory, since the caller does not know the tenant; they hold a tenant id
// and nothing else of the tenant but ids.
const (
	connectionsPK = "connections" // SK: connection id
	statePK       = "state#"      // + SHA-256 of the state
	stateSK       = "state"
	sellerPK      = "seller#" // + region#seller
	sellerSK      = "claim"

	aRegion, aState, aSeller, aMarkets     = "region", "state", "seller", "markets"
	aCreated, aAuthorised, aReason, aActor = "created", "authorised", "reason", "actor"
	aGrant                                 = "grant" // number of the authorisation in use
	aClosed                                = "closed"
	aGrants                                = "grants" // numbers given out: no refresh token has a higher one
	aImport, aKnown, aRequested, aImportAt = "imp", "known", "requested", "impAt"
	aSubscriptions                         = "subs" // JSON of []Subscription
	aTenant, aConnection, aExpires, aTTL   = "tenant", "connection", "expires", "ttl"
)

func connectionKey(c price.ConnectionID) store.Key {
	return store.Key{PK: connectionsPK, SK: string(c)}
}

func claimKey(r price.Region, seller string) store.Key {
	return store.Key{PK: sellerPK + string(r) + "#" + seller, SK: sellerSK}
}

// IsConsent reports whether an item of the directory is a consent that was begun:
// whoever comes back with it is let in.
func IsConsent(key store.Key) bool { return strings.HasPrefix(key.PK, statePK) }

func stateKey(state secret.Value) store.Key {
	sum := sha256.Sum256([]byte(state.Reveal()))
	return store.Key{PK: statePK + hex.EncodeToString(sum[:]), SK: stateSK}
}

func (s *Service) random(n int) (string, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(s.Random, b); err != nil {
		return "", fmt.Errorf("connect: random bytes: %w", err)
	}
	return lower.EncodeToString(b), nil
}

var lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Bytes of randomness: a connection id is 26 characters, a state 256 bits.
const (
	idBytes    = 16
	stateBytes = 32
)

var connectionForm = regexp.MustCompile(`^conn_[a-z2-7]{26}$`)

// StateLife is how long a consent may take. Amazon says that a flow of more
// than ten minutes may break.
const StateLife = 10 * time.Minute

// Start makes a connection and returns it with the address where the seller
// gives consent.
func (s *Service) Start(ctx context.Context, actor string, t tenant.ID, r price.Region) (Connection, string, error) {
	if s.Config.Consent[r] == "" {
		return Connection{}, "", ErrRegion
	}
	id, err := s.random(idBytes)
	if err != nil {
		return Connection{}, "", err
	}
	now := s.Clock.Now()
	c := Connection{ID: price.ConnectionID("conn_" + id), Region: r, State: Pending, CreatedAt: now, Import: Import{State: ImportNone}}
	item := store.Item{Key: connectionKey(c.ID), Attrs: map[string]any{
		aRegion: string(r), aState: string(Pending), aCreated: store.Millis(now), aActor: actor,
	}}
	address, state, err := s.consent(c, actor, t, now)
	if err != nil {
		return Connection{}, "", err
	}
	// Both or none: no state without its connection, and no stray connections.
	err = s.DB.Transact(ctx,
		store.Write{Tenant: t, Table: store.Connections, Put: &item, If: []store.Cond{store.Absent()}},
		store.Write{Tenant: store.Directory, Table: store.Connections, Put: &state, If: []store.Cond{store.Absent()}},
	)
	if err != nil {
		return Connection{}, "", fmt.Errorf("connect: start: %w", err)
	}
	return c, address, nil
}

// StartAgain returns the address where the seller of an existing connection
// gives consent once more. The connection stays as it is until then.
func (s *Service) StartAgain(ctx context.Context, actor string, t tenant.ID, id price.ConnectionID) (Connection, string, error) {
	c, err := s.Get(ctx, t, id)
	if err != nil {
		return Connection{}, "", err
	}
	address, state, err := s.consent(c, actor, t, s.Clock.Now())
	if err != nil {
		return Connection{}, "", err
	}
	if err := s.DB.Put(ctx, store.Directory, store.Connections, state, store.Absent()); err != nil {
		return Connection{}, "", fmt.Errorf("connect: start again: %w", err)
	}
	return c, address, nil
}

// consent makes the address of Amazon's consent page and the item that will
// know the state again. Only the state's hash is stored: who reads the table
// cannot finish somebody's consent.
func (s *Service) consent(c Connection, actor string, t tenant.ID, now time.Time) (string, store.Item, error) {
	text, err := s.random(stateBytes)
	if err != nil {
		return "", store.Item{}, err
	}
	u, err := url.Parse(s.Config.Consent[c.Region])
	if err != nil || u.Host == "" {
		return "", store.Item{}, fmt.Errorf("%w: consent page of %s", ErrRegion, c.Region)
	}
	q := u.Query()
	q.Set("application_id", s.Config.ApplicationID)
	q.Set("state", text)
	q.Set("redirect_uri", s.Config.RedirectURI)
	if s.Config.Draft {
		q.Set("version", "beta")
	}
	u.RawQuery = q.Encode()
	expires := now.Add(StateLife)
	return u.String(), store.Item{Key: stateKey(secret.New(text)), Attrs: map[string]any{
		aTenant: string(t), aConnection: string(c.ID), aActor: actor,
		aExpires: store.Millis(expires), aTTL: expires.Add(time.Hour).Unix(),
	}}, nil
}

// Get returns one connection, or ErrNotFound.
func (s *Service) Get(ctx context.Context, t tenant.ID, id price.ConnectionID) (Connection, error) {
	if !connectionForm.MatchString(string(id)) {
		return Connection{}, ErrNotFound
	}
	it, err := s.DB.Get(ctx, t, store.Connections, connectionKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return Connection{}, ErrNotFound
	}
	if err != nil {
		return Connection{}, fmt.Errorf("connect: get: %w", err)
	}
	return parse(it)
}

// List returns all connections of the tenant, in the order of their ids.
func (s *Service) List(ctx context.Context, t tenant.ID) ([]Connection, error) {
	var out []Connection
	for after := ""; ; {
		page, err := s.DB.Query(ctx, t, store.Connections, store.Query{PK: connectionsPK, After: after})
		if err != nil {
			return nil, fmt.Errorf("connect: list: %w", err)
		}
		for _, it := range page.Items {
			c, err := parse(it)
			if err != nil {
				return nil, err
			}
			out = append(out, c)
		}
		if after = page.Next; after == "" {
			return out, nil
		}
	}
}

// ForMarketplaces returns the connections that were authorised, by marketplace.
// One that has to be authorised again is among them: its offers are known.
func (s *Service) ForMarketplaces(ctx context.Context, t tenant.ID) (map[price.MarketplaceID][]Connection, error) {
	all, err := s.List(ctx, t)
	if err != nil {
		return nil, err
	}
	out := map[price.MarketplaceID][]Connection{}
	for _, c := range all {
		if c.State == Pending || c.State == Disconnected {
			continue
		}
		for _, m := range c.Marketplaces {
			out[m] = append(out[m], c)
		}
	}
	return out, nil
}

// Account returns the seller account of a connection and its marketplaces. That
// of a disconnected one has no authorisation: whoever asks for a token with it is
// told so.
func (s *Service) Account(ctx context.Context, t tenant.ID, id price.ConnectionID) (amazon.Account, []price.MarketplaceID, error) {
	c, err := s.Get(ctx, t, id)
	if err != nil {
		return amazon.Account{}, nil, err
	}
	if c.State == Pending {
		return amazon.Account{}, nil, ErrNotAuthorised
	}
	return c.Account(t), c.Marketplaces, nil
}

func parse(it store.Item) (Connection, error) {
	c := Connection{
		ID: price.ConnectionID(it.SK), Region: price.Region(it.Str(aRegion)), State: State(it.Str(aState)),
		Seller: it.Str(aSeller), CreatedAt: it.Time(aCreated), AuthorisedAt: it.Time(aAuthorised), ClosedAt: it.Time(aClosed), Reason: it.Str(aReason),
		Grant: it.Int(aGrant), Consents: it.Int(aGrants), Import: Import{State: ImportState(it.Str(aImport)), Known: it.Int(aKnown), Requested: it.Int(aRequested), At: it.Time(aImportAt)},
	}
	if c.Import.State == "" {
		c.Import.State = ImportNone
	}
	if b := it.Bytes(aSubscriptions); b != nil {
		if err := json.Unmarshal(b, &c.Subscriptions); err != nil {
			return Connection{}, fmt.Errorf("connect: subscriptions of %s: %w", it.SK, err)
		}
	}
	if b := it.Bytes(aMarkets); b != nil {
		if err := json.Unmarshal(b, &c.Marketplaces); err != nil {
			return Connection{}, fmt.Errorf("connect: marketplaces of %s: %w", it.SK, err)
		}
	}
	return c, nil
}
