package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"pricemanager/internal/amazon"
	"pricemanager/internal/fault"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Return is what Amazon's consent page sends back through the browser. None of
// it is proof of anything.
type Return struct {
	State  secret.Value
	Code   secret.Value
	Seller string // selling_partner_id
	// Caller is who the browser is signed in as, when that is known. A consent
	// begun by somebody else is then refused.
	Caller *Caller
}

// Caller is a member or key of a tenant.
type Caller struct {
	Tenant tenant.ID
	Actor  string
}

// errConsent is the one answer to a state that is unknown, used, too old or
// somebody else's, so that the answer tells nothing about which.
func errConsent(cause error) error {
	return fault.New(fault.Invalid, "consent",
		"This consent cannot be completed: it was used already, took longer than ten minutes, or was not begun here. Start the connection again.").Because(cause)
}

// again is the answer when something on the way failed that may pass.
func again(cause error) error {
	return fault.New(fault.Unavailable, "consent-unfinished",
		"The consent could not be completed just now. Nothing was changed; start the connection again.").Because(cause)
}

// begun is what a state remembers.
type begun struct {
	tenant     tenant.ID
	connection price.ConnectionID
	actor      string
}

var sellerForm = regexp.MustCompile(`^[A-Z0-9]{5,32}$`)

// Callback finishes a consent. Errors are faults with a public text.
func (s *Service) Callback(ctx context.Context, r Return) (Connection, error) {
	if r.State.Empty() || r.Code.Empty() || !sellerForm.MatchString(r.Seller) {
		return Connection{}, errConsent(errors.New("malformed callback"))
	}
	// 1. Use up the state. A crash after this costs the seller one more consent
	// and changes nothing else; doing it later would let one code be tried twice.
	b, err := s.consume(ctx, r)
	if err != nil {
		return Connection{}, err
	}
	// 2. Take a number for this consent. A crash leaves a gap in the numbers.
	c, number, err := s.take(ctx, b)
	if err != nil {
		return Connection{}, err
	}
	if c.Seller != "" && c.Seller != r.Seller {
		return Connection{}, otherSeller(c)
	}
	// 3. Trade the code. The refresh token is kept under the number: until the
	// connection is switched to it, one that works goes on with the token it has.
	// A crash leaves a token that nothing uses and the next consent destroys.
	token, err := s.Tokens.Exchange(ctx, b.tenant, c.ID, number, r.Code, s.Config.RedirectURI)
	if err != nil {
		return Connection{}, exchangeFault(err)
	}
	// 4. Prove the seller id, which so far is something a browser said, with the
	// token itself.
	proven := c
	proven.Seller = r.Seller
	markets, err := s.prove(ctx, proven.Account(b.tenant), token.Access)
	if err == nil {
		// 5. Claim the seller and switch the connection to the new number, both
		// or neither.
		err = s.activate(ctx, b, c, r.Seller, number, markets)
	}
	if err != nil {
		if errors.Is(err, errUnsure) {
			return Connection{}, err // it may be in use: leave the token alone
		}
		return Connection{}, errors.Join(err, s.discard(ctx, b, number, number))
	}
	// 6. Destroy what the new authorisation replaces, and what consents that were
	// interrupted left behind. If this is interrupted, the next consent does it.
	leftover := s.discard(ctx, b, max(c.Grant, number-tidy), number-1)
	// 7. Have Amazon tell us about the seller. It only has prices read sooner, so
	// that a ring that is lost is left to the daily one, and fails nothing.
	_ = s.Subscriptions.RequestSubscriptions(ctx, b.tenant, c.ID)
	// 8. Read the catalogue, and let a parked lane go on. After a crash before
	// this the connection is active with import "none": asking for an import
	// does the same.
	if err := s.requestImport(ctx, b.tenant, c.ID, b.actor); err != nil {
		return Connection{}, fault.New(fault.Unavailable, "import",
			"The seller account is connected, but reading its catalogue could not be started. Ask for an import of connection %s.", c.ID).
			Because(errors.Join(err, leftover))
	}
	return s.Get(ctx, b.tenant, c.ID)
}

// tidy is how many numbers back a consent looks for leftovers.
const tidy = 8

// take gives this consent its number and returns the connection as it is now.
func (s *Service) take(ctx context.Context, b begun) (Connection, int64, error) {
	it, err := s.DB.Update(ctx, b.tenant, store.Connections, connectionKey(b.connection), store.Update{
		Add: map[string]int64{aGrants: 1}, If: []store.Cond{store.Exists()},
	})
	if errors.Is(err, store.ErrConflict) {
		return Connection{}, 0, errConsent(ErrNotFound)
	}
	if err != nil {
		return Connection{}, 0, again(fmt.Errorf("connect: number the consent: %w", err))
	}
	c, err := parse(it)
	return c, it.Int(aGrants), err
}

// discard destroys the refresh tokens numbered from first to last, also when
// the caller has gone. What it cannot destroy now is left for the next consent.
func (s *Service) discard(ctx context.Context, b begun, first, last int64) error {
	var errs []error
	for n := max(first, 1); n <= last; n++ {
		if err := s.Tokens.Discard(context.WithoutCancel(ctx), b.tenant, b.connection, n); err != nil {
			errs = append(errs, fmt.Errorf("connect: discard authorisation %d: %w", n, err))
		}
	}
	return errors.Join(errs...)
}

func (s *Service) consume(ctx context.Context, r Return) (begun, error) {
	key := stateKey(r.State)
	it, err := s.DB.Get(ctx, store.Directory, store.Connections, key)
	if errors.Is(err, store.ErrNotFound) {
		return begun{}, errConsent(errors.New("unknown or used state"))
	}
	if err != nil {
		return begun{}, again(fmt.Errorf("connect: read state: %w", err))
	}
	b := begun{tenant: tenant.ID(it.Str(aTenant)), connection: price.ConnectionID(it.Str(aConnection)), actor: it.Str(aActor)}
	if !s.Clock.Now().Before(it.Time(aExpires)) {
		return begun{}, errConsent(errors.New("expired state"))
	}
	if r.Caller != nil && (r.Caller.Tenant != b.tenant || r.Caller.Actor != b.actor) {
		return begun{}, errConsent(errors.New("state of another caller"))
	}
	// Of all that hold the state at this moment, one deletes it.
	err = s.DB.Delete(ctx, store.Directory, store.Connections, key, store.Exists())
	if errors.Is(err, store.ErrConflict) {
		return begun{}, errConsent(errors.New("state used at the same time"))
	}
	if err != nil {
		return begun{}, again(fmt.Errorf("connect: use state: %w", err))
	}
	return b, nil
}

func exchangeFault(err error) error {
	if amazon.Classify(err) == amazon.Reauthorise {
		return fault.New(fault.Invalid, "code",
			"Amazon no longer accepts the code of this consent; it lives five minutes. Start the connection again.").Because(err)
	}
	return again(err)
}

func otherSeller(c Connection) error {
	return fault.New(fault.Conflict, "other-seller",
		"Connection %s belongs to another seller account than the one that gave consent. Sign in at Amazon with the right account, or start a new connection.", c.ID)
}

// proofs is how many marketplaces are tried for a proof. A seller may not be
// active in some, which Amazon may answer like a foreign seller.
const proofs = 5

// prove returns the marketplaces of the token's seller once Amazon has shown
// that the seller is the account's.
func (s *Service) prove(ctx context.Context, a amazon.Account, token secret.Value) ([]price.MarketplaceID, error) {
	markets, err := s.Sellers.Marketplaces(ctx, token, a.Region)
	if err != nil && !refused(err) { // refused: the app lacks that role, which says nothing about the seller
		return nil, again(err)
	}
	if len(markets) == 0 {
		markets = regionMarketplaces(a.Region)
	}
	for _, m := range markets[:min(len(markets), proofs)] {
		if err = s.Sellers.Prove(ctx, token, a, m); err == nil {
			return markets, nil
		}
		if !refused(err) {
			return nil, again(err)
		}
	}
	return nil, fault.New(fault.Forbidden, "seller",
		"Amazon does not confirm that this consent is for the seller account it names. Start the connection again.").Because(err)
}

// refused reports whether Amazon answered that it would not.
func refused(err error) bool {
	var e *amazon.Error
	return errors.As(err, &e) && e.Status >= 400 && e.Status < 500 && e.Status != 408 && e.Status != 429
}

// largest lists each region's largest marketplaces, where a seller most likely is.
var largest = map[price.Region][]price.MarketplaceID{
	price.NA: {"ATVPDKIKX0DER", "A2EUQ1WTGCTBG2", "A1AM78C64UM0Y8", "A2Q3Y263D00KWC"},
	price.EU: {"A1PA6795UKMFR9", "A1F83G8C2ARO7P", "A13V1IB3VIYZZH", "APJ6JRA9NG5V4", "A1RKKUPIHCS9HS"},
	price.FE: {"A1VC38T7YXB528", "A39IBJ37TRP1C6", "A19VAU5U5O7RUS"},
}

// regionMarketplaces are all of the region that the product knows: what a
// connection gets when Amazon does not tell.
func regionMarketplaces(r price.Region) []price.MarketplaceID {
	out := slices.Clone(largest[r])
	for _, m := range price.Marketplaces() {
		if m.Region == r && !slices.Contains(out, m.ID) {
			out = append(out, m.ID)
		}
	}
	return out
}

// errUnsure marks a fault after which the switch may or may not have happened.
var errUnsure = errors.New("connect: activation unsure")

// activate claims the seller for the connection and switches the connection to
// the authorisation numbered.
func (s *Service) activate(ctx context.Context, b begun, c Connection, seller string, number int64, markets []price.MarketplaceID) error {
	claim, err := s.claim(ctx, b, c.Region, seller)
	if err != nil {
		return err
	}
	encoded, err := json.Marshal(markets)
	if err != nil {
		return fmt.Errorf("connect: marketplaces: %w", err)
	}
	was := store.Missing(aGrant)
	if c.Grant != 0 {
		was = store.Eq(aGrant, c.Grant)
	}
	err = s.DB.Transact(ctx, claim, store.Write{
		Tenant: b.tenant, Table: store.Connections, Key: connectionKey(b.connection), Update: &store.Update{
			Set: map[string]any{
				aState: string(Active), aSeller: seller, aMarkets: encoded, aGrant: number,
				aAuthorised: store.Millis(s.Clock.Now()), aActor: b.actor,
			},
			Remove: []string{aReason},
			If:     []store.Cond{store.Exists(), was},
		},
	})
	if errors.Is(err, store.ErrConflict) {
		return fault.New(fault.Conflict, "moved",
			"The connection or the seller account was connected at the same time by somebody else. Look at the connection and start again if needed.").Because(err)
	}
	if err != nil {
		return fault.New(fault.Unavailable, "unsure",
			"It is not certain whether the seller account was connected. Look at the connection, and start again if it is not active.").
			Because(errors.Join(errUnsure, err))
	}
	return nil
}

// claim returns the write that makes the seller this connection's, or checks
// that it is. A seller is one budget at Amazon and so one connection: one that
// is claimed by any other is refused, and whose it is, is told to its own
// tenant only.
func (s *Service) claim(ctx context.Context, b begun, r price.Region, seller string) (store.Write, error) {
	w := store.Write{Tenant: store.Directory, Table: store.Connections}
	key := claimKey(r, seller)
	it, err := s.DB.Get(ctx, store.Directory, store.Connections, key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		w.Put = &store.Item{Key: key, Attrs: map[string]any{aTenant: string(b.tenant), aConnection: string(b.connection)}}
		w.If = []store.Cond{store.Absent()}
		return w, nil
	case err != nil:
		return w, again(fmt.Errorf("connect: read claim: %w", err))
	case it.Str(aTenant) != string(b.tenant):
		return w, fault.New(fault.Conflict, "seller-taken",
			"This seller account cannot be connected. If it is yours, write to support.").Because(errors.New("claimed by another tenant"))
	case it.Str(aConnection) != string(b.connection):
		return w, fault.New(fault.Conflict, "seller-connected",
			"This seller account is connected already, as %s. Authorise that connection again instead.", it.Str(aConnection))
	}
	w.Key, w.Check = key, true
	w.If = []store.Cond{store.Eq(aTenant, string(b.tenant)), store.Eq(aConnection, string(b.connection))}
	return w, nil
}
