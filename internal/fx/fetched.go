package fx

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// mostMove is by how many percent of the rate before a table that nobody looked at
// may move one. The floating currencies of the European Central Bank's table move
// by some two percent on a bad day; a comma in the wrong place, or a table the
// other way round, moves them by far more.
const mostMove = 10

// Fetched is a table as it came from an address, and that nobody has looked at. It
// is in the layout of the European Central Bank when it begins as XML does, and
// CSV otherwise.
type Fetched struct {
	Body []byte
	Host string // where it is from: the table's source
	// Base and Modified are what a CSV does not say: its base currency, and when the
	// file last changed, as HTTP writes it. The day of that, in UTC, is the table's.
	// There is no other: were it the day of fetching, old rates would never age.
	Base     price.Currency
	Modified string
}

var _ Source = Fetched{}

// Table parses what came.
func (f Fetched) Table(ctx context.Context) (Table, error) {
	u := Upload{Body: f.Body, Name: f.Host, Base: f.Base}
	if u.XML = bytes.HasPrefix(bytes.TrimSpace(bytes.TrimPrefix(f.Body, []byte("\xef\xbb\xbf"))), []byte("<")); u.XML {
		return u.Table(ctx)
	}
	if f.Base == "" {
		return Table{}, bad("A CSV does not say what its rates are for one unit of. Set base in the source, such as EUR.")
	}
	day, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", f.Modified)
	if err != nil {
		return Table{}, bad("A CSV does not say of which day its rates are, and the server sends no Last-Modified. Have it send one, or fetch the XML layout of the European Central Bank.")
	}
	u.On = day.Format(dateLayout)
	return u.Table(ctx)
}

// Take replaces the rates old, as they were just read, by a table that nobody has
// looked at, together with the writes with: all are done or none. It returns false,
// and nothing was written, when old has these very rates of this day. Faults of
// kind Invalid: the table cannot be used; it is not newer than old; it moves a rate
// by more than mostMove percent, or is for another base, so that somebody has to
// look at it and PutRates it. Kind Conflict: old, or what with asks for, is no longer
// so.
func (s *Store) Take(ctx context.Context, t tenant.ID, actor string, from Source, old StoredRates, with ...store.Write) (bool, error) {
	next, err := from.Table(ctx)
	if err != nil {
		return false, err
	}
	if err := next.validate(s.Clock.Now()); err != nil {
		return false, err
	}
	if old.Table != nil {
		if next.Base == old.Base && next.On == old.On && maps.Equal(next.Rates, old.Rates) {
			return false, nil // whoever they are from
		}
		if err := next.follows(old.Table); err != nil {
			return false, err
		}
	}
	_, err = s.put(ctx, t, ratesKey, actor, next.encode(), old.Version, old.Hash(), old.Hash(), with...)
	return err == nil, err
}

// follows returns why a table should not come after old unseen. A currency that
// only one of them has is no reason: no price was or will be computed with it.
func (t *Table) follows(old *Table) error {
	const byHand = "The rates stay as they were. When these are right, upload them with PUT /rates."
	switch {
	case t.On <= old.On: // both were validated, and sort as days do
		return bad("The table is of %s, and the rates that are there are of %s. %s", t.On, old.On, byHand)
	case t.Base != old.Base:
		return bad("The table is for one %s, and the rates that are there are for one %s, so they cannot be compared. %s", t.Base, old.Base, byHand)
	}
	var moved []string
	for _, c := range slices.Sorted(maps.Keys(t.Rates)) {
		wasText, was, ok := old.of(c)
		isText, is, ok2 := t.of(c)
		if !ok || !ok2 {
			continue
		}
		// |is-was| * 100 > was * mostMove
		by := new(big.Rat).Sub(is, was)
		by.Abs(by).Mul(by, big.NewRat(100, 1))
		if by.Cmp(was.Mul(was, big.NewRat(mostMove, 1))) > 0 {
			moved = append(moved, fmt.Sprintf("%s from %s to %s", c, wasText, isText))
		}
	}
	if moved == nil {
		return nil
	}
	return bad("The table of %s moves rates by more than %d percent: %s%s. %s", t.On, mostMove, strings.Join(moved[:min(len(moved), 5)], ", "), more(len(moved)-5), byHand)
}

func more(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}
