package main

import (
	"context"
	"errors"

	"pricemanager/internal/account"
	"pricemanager/internal/guard"
	"pricemanager/internal/runtime"
)

func (h *handler) guardMails() *account.GuardMails {
	return &account.GuardMails{Service: h.accounts, Keys: h.keys, Notices: h.notices, Doors: h.doors}
}

// message has a tenant's owners told of a change of what protects its prices.
func (h *handler) message(ctx context.Context, m runtime.Message) error {
	news, err := guard.ParseNews(m.Body)
	if err != nil {
		return errors.Join(runtime.ErrMalformed, err)
	}
	again, err := h.guardMails().Tell(ctx, news.Tenant, news.At())
	if err != nil || again == 0 {
		return err
	}
	return h.bell.Ring(ctx, news, again)
}
