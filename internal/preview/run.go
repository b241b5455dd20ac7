package preview

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

const (
	// perAccount is how far apart two previews of one seller account are, and
	// perApplication how many the application makes a second (Amazon's page "Listings
	// Items API Rate Limits"; changelog of 31 January 2024).
	perAccount     = time.Second
	perApplication = 20
	// runFor is how long one run asks: what is left is asked by the next.
	runFor = 40 * time.Second
	// callFor is the most that one call may take.
	callFor = 10 * time.Second
	// leased is longer than a run, with the last call of it.
	leased = 90 * time.Second
	// again is when a run that could not go on is repeated, and giveUp for how long.
	again  = time.Minute
	giveUp = time.Hour
)

// Connections is what is asked about connections.
type Connections interface {
	Account(ctx context.Context, t tenant.ID, c price.ConnectionID) (amazon.Account, []price.MarketplaceID, error)
	MarkReauthorise(ctx context.Context, a amazon.Account, reason string) error
}

// Runner asks Amazon.
type Runner struct {
	Service
	Amazon      amazon.Previews
	Connections Connections
	Bell        lane.Bell
	Offers      plan.Lookup
}

// Run asks about the rows of a sample that have no answer yet. It returns the state
// that the document is in afterwards, "" when there is nothing to do.
//
// Crash points: what was answered and not written is asked again once the lease has
// ended, by the message's next delivery; nothing at Amazon changes by it.
func (r *Runner) Run(ctx context.Context, t tenant.ID, id string) (State, error) {
	now := r.Clock.Now()
	until := store.Millis(now.Add(leased))
	it, err := r.DB.Update(ctx, t, store.Offers, key(id), store.Update{
		Set: map[string]any{aLease: until},
		If:  []store.Cond{store.Eq(aState, string(Waiting)), store.AnyOf(store.Missing(aLease), store.Le(aLease, store.Millis(now)))},
	})
	if errors.Is(err, store.ErrConflict) {
		return "", nil // done, gone, or another run is at it
	}
	if err != nil {
		return "", fmt.Errorf("preview: lease: %w", err)
	}
	doc, err := decode(it)
	if err != nil {
		return "", err
	}
	s, err := r.ask(ctx, t, &doc)
	if err != nil {
		return "", err
	}
	doc.State, doc.Reason = s.state, s.reason
	if s.state == Waiting && r.Clock.Now().Sub(doc.AskedAt) > giveUp {
		doc.State, doc.Reason = Failed, fmt.Sprintf("Amazon could not be asked within %s: %s", giveUp, s.reason)
	}
	if doc.State != Waiting {
		end := r.Clock.Now().UTC().Truncate(time.Millisecond)
		doc.Finished = &end
	}
	body, err := json.Marshal(doc)
	if err != nil {
		return "", fmt.Errorf("preview: encode: %w", err)
	}
	_, err = r.DB.Update(ctx, t, store.Offers, key(id), store.Update{
		Set: map[string]any{aState: string(doc.State), aDoc: body}, Remove: []string{aLease},
		If: []store.Cond{store.Eq(aLease, until)},
	})
	if err != nil {
		return "", fmt.Errorf("preview: write: %w", err)
	}
	if doc.State == Waiting {
		return Waiting, r.Bell.Preview(ctx, t, id, s.delay)
	}
	return doc.State, nil
}

// step is how a run goes on: "" asks the next row.
type step struct {
	state  State
	reason string
	delay  time.Duration
}

func wait(reason string) step { return step{Waiting, reason, again} }
func fail(reason string) step { return step{Failed, reason, 0} }

// ask asks about rows until all are answered, time is up, or something is in the way.
func (r *Runner) ask(ctx context.Context, t tenant.ID, doc *stored) (step, error) {
	p, err := r.Plans.Load(ctx, t, doc.Plan)
	if err != nil {
		return step{}, err
	}
	if p.State != plan.Ready {
		return fail(fmt.Sprintf("the plan is %s meanwhile", p.State)), nil
	}
	end := r.Clock.Now().Add(runFor)
	for i := range doc.Rows {
		if doc.Rows[i].Verdict != "" {
			continue
		}
		if !r.Clock.Now().Before(end) {
			return step{Waiting, "", time.Second}, nil
		}
		s, err := r.row(ctx, t, doc, i)
		if err != nil || s.state != "" {
			return s, err
		}
	}
	return step{state: Done}, nil
}

// row asks about one row.
func (r *Runner) row(ctx context.Context, t tenant.ID, doc *stored, i int) (step, error) {
	row := &doc.Rows[i]
	if err := r.turn(ctx, t, row.Connection); err != nil {
		return step{}, err
	}
	barred, err := lane.Stops{DB: r.DB, Bell: r.Bell}.Aside(ctx, t, row.Connection, row.Marketplace)
	switch {
	case err != nil:
		return step{}, err
	case barred.Passing:
		return wait(barred.Reason), nil
	case barred.Reason != "":
		return fail(barred.Reason), nil
	}
	account, _, err := r.Connections.Account(ctx, t, row.Connection)
	if err != nil {
		return step{}, fmt.Errorf("preview: account: %w", err)
	}
	k := price.OfferKey{Connection: row.Connection, Marketplace: row.Marketplace, SKU: row.SKU}
	known, err := r.Offers.Offers(ctx, t, []price.OfferKey{k})
	if err != nil {
		return step{}, fmt.Errorf("preview: offer: %w", err)
	}
	cctx, cancel := clock.WithDeadline(ctx, r.Clock, r.Clock.Now().Add(callFor))
	out, err := r.Amazon.Preview(cctx, account, amazon.Patch{Marketplace: row.Marketplace, SKU: row.SKU, ProductType: known[k].ProductType, Edit: doc.Edits[i]})
	cancel()
	if err != nil {
		return r.failed(ctx, account, doc, i, err)
	}
	row.Issues = issues(out.Issues, doc.Columns[i])
	if row.Verdict = Invalid; out.Status == amazon.Valid {
		row.Verdict = Valid
	}
	doc.count(row.Verdict)
	return step{}, nil
}

func (d *stored) count(v Verdict) {
	if v == Valid {
		d.Valid++
	} else {
		d.Invalid++
	}
}

// failed says what a call's error means.
func (r *Runner) failed(ctx context.Context, a amazon.Account, doc *stored, i int, err error) (step, error) {
	var e *amazon.Error
	text := "no answer"
	if errors.As(err, &e) {
		text = strings.TrimSpace(e.Code + " " + e.Message)
		if e.Status == 200 {
			// Asking again could make it worse, whatever Amazon took the request for.
			return fail("Amazon's answer is none to a preview; look at the price of " + string(doc.Rows[i].SKU)), nil
		}
	}
	switch amazon.Classify(err) {
	case amazon.Permanent:
		doc.Rows[i].Verdict = Invalid
		doc.Rows[i].Issues = issues([]amazon.Issue{{Code: e.Code, Severity: "ERROR", Message: e.Message}}, doc.Columns[i])
		doc.count(Invalid)
		return step{}, nil
	case amazon.Reauthorise:
		if err := r.Connections.MarkReauthorise(context.WithoutCancel(ctx), a, text); err != nil {
			return step{}, fmt.Errorf("preview: mark the connection: %w", err)
		}
		return fail("Amazon refuses the seller account: connect it again"), nil
	case amazon.Operator:
		return fail("our own access to Amazon does not work at the moment; we are looking at it"), nil
	case amazon.Retry, amazon.RetryAfter, amazon.Unknown:
	}
	return wait("Amazon did not answer, or asked us to wait: " + text), nil
}

// turn waits until a preview of the account may be asked for, and counts it: one a
// second of the account, twenty of the application.
func (r *Runner) turn(ctx context.Context, t tenant.ID, c price.ConnectionID) error {
	account := store.Key{PK: accountsPK, SK: string(c)}
	for {
		now := r.Clock.Now()
		_, err := r.DB.Update(ctx, t, store.Offers, account, store.Update{
			Set: map[string]any{aNext: store.Millis(now.Add(perAccount)) + 1, aTTL: now.Add(giveUp).Unix()},
			If:  []store.Cond{store.AnyOf(store.Missing(aNext), store.Le(aNext, store.Millis(now)))},
		})
		if err == nil {
			break
		}
		if !errors.Is(err, store.ErrConflict) {
			return fmt.Errorf("preview: wait for a turn: %w", err)
		}
		if err := r.Clock.Sleep(ctx, perAccount/10); err != nil {
			return err
		}
	}
	for {
		now := r.Clock.Now()
		second := store.Key{PK: accountsPK, SK: fmt.Sprintf("%s/%d", application, now.Unix())}
		_, err := r.DB.Update(ctx, store.Directory, store.Offers, second, store.Update{
			Set: map[string]any{aTTL: now.Add(giveUp).Unix()}, Add: map[string]int64{aTaken: 1},
			If: []store.Cond{store.AnyOf(store.Missing(aTaken), store.Lt(aTaken, int64(perApplication)))},
		})
		if err == nil {
			return nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return fmt.Errorf("preview: wait for a turn: %w", err)
		}
		if err := r.Clock.Sleep(ctx, now.Truncate(time.Second).Add(time.Second).Sub(now)); err != nil {
			return err
		}
	}
}
