package main

import (
	"context"
	"net/http"
	"net/url"

	"pricemanager/internal/price"
	"pricemanager/internal/web"
)

// revokeDoc says where the seller withdraws the authorisation at Amazon, which
// has no call for it.
type revokeDoc struct {
	URL string `json:"url"`
	How string `json:"how"`
}

// disconnect ends a connection.
func (h *handler) disconnect(ctx context.Context, r *web.Request) (*web.Response, error) {
	c, err := h.connections.Disconnect(ctx, r.Principal.Actor, r.Tenant, price.ConnectionID(r.Params["id"]))
	if err != nil {
		return nil, public(err)
	}
	doc := show(c, h.connections.Clock.Now())
	if u, err := url.Parse(h.connections.Config.Consent[c.Region]); err == nil && u.Host != "" {
		doc.Revoke = &revokeDoc{
			URL: u.Scheme + "://" + u.Host,
			How: "Our keys to this seller account are destroyed. Withdraw the authorisation at Amazon too: in Seller Central, Apps and Services, Manage Your Apps, disable this application.",
		}
	}
	return web.JSON(http.StatusOK, doc)
}
