package identity

import (
	"context"
	"strings"

	"pricemanager/internal/secret"
)

// PeppersFrom takes the peppers from one secret: one or several, separated by
// white space, the first one for new keys. To replace a pepper put a new one
// in front, and take the old one away when the keys made under it have expired.
func PeppersFrom(g secret.Getter, name string) Peppers {
	return func(ctx context.Context) ([]secret.Value, error) {
		v, err := g.Get(ctx, name)
		if err != nil {
			return nil, err
		}
		var peppers []secret.Value
		for _, s := range strings.Fields(v.Reveal()) {
			peppers = append(peppers, secret.New(s))
		}
		return peppers, nil
	}
}
