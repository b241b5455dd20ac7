package fakeamazon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/secret"
)

// adminRoutes is the control panel for tests in other processes. Everything it
// does is a method of Fake as well.
//
//	GET    /_fake/ready
//	GET    /_fake/requests?op=&seller=&sku=&after=&limit=
//	GET    /_fake/violations
//	GET    /_fake/effects
//	GET    /_fake/planted                                 how many secrets and personal data it sent
//	GET    /_fake/notifications?after=
//	POST   /_fake/sellers                                 a Seed
//	POST   /_fake/listings?region=&seller=                a JSON array of Listing
//	POST   /_fake/report?region=&seller=&marketplace=&fill=true   an active-listings report
//	GET    /_fake/listing?region=&seller=&marketplace=&sku=
//	GET    /_fake/faults, POST /_fake/faults              a Fault
//	DELETE /_fake/faults/{id}
//	POST   /_fake/faults/{id}/release?drop=true
//	POST   /_fake/consent?seller=&url=                    confirms a consent page
//	POST   /_fake/revoke?region=&seller=
//	POST   /_fake/expire-tokens?region=&seller=
//	POST   /_fake/expire-grants?region=&seller=
//	POST   /_fake/secret-expiry?at=                       sends the notice that the client secret ends then
//	POST   /_fake/secret                                  the next client secret as plain text
func (f *Fake) adminRoutes() http.Handler {
	mux := http.NewServeMux()
	get := func(path string, fn func(url.Values) (any, error)) {
		mux.HandleFunc("GET /_fake/"+path, func(w http.ResponseWriter, r *http.Request) {
			v, err := fn(r.URL.Query())
			reply(w, v, err)
		})
	}
	post := func(path string, fn func(*http.Request, url.Values) (any, error)) {
		mux.HandleFunc("POST /_fake/"+path, func(w http.ResponseWriter, r *http.Request) {
			v, err := fn(r, r.URL.Query())
			reply(w, v, err)
		})
	}
	get("ready", func(url.Values) (any, error) { return map[string]bool{"ok": true}, nil })
	get("requests", func(q url.Values) (any, error) {
		after, errAfter := whole(q, "after")
		limit, errLimit := whole(q, "limit")
		lines := f.Requests(Query{Op: q.Get("op"), Seller: q.Get("seller"), SKU: price.SKU(q.Get("sku")), After: after, Limit: int(limit)})
		return append([]Request{}, lines...), errors.Join(errAfter, errLimit)
	})
	get("violations", func(url.Values) (any, error) { return append([]Violation{}, f.Violations()...), nil })
	get("planted", func(url.Values) (any, error) { return f.Planted(), nil })
	get("effects", func(url.Values) (any, error) { return f.Effects(), nil })
	get("notifications", func(q url.Values) (any, error) {
		after, err := whole(q, "after")
		return f.Notifications(after), err
	})
	get("faults", func(url.Values) (any, error) { return f.Faults(), nil })
	get("listing", func(q url.Values) (any, error) {
		l, ok := f.Listing(region(q), q.Get("seller"), price.MarketplaceID(q.Get("marketplace")), price.SKU(q.Get("sku")))
		if !ok {
			return nil, errors.New("no such listing")
		}
		return l, nil
	})
	post("sellers", func(r *http.Request, _ url.Values) (any, error) { return nil, f.LoadSeed(r.Body) })
	post("listings", func(r *http.Request, q url.Values) (any, error) {
		var list []Listing
		if err := json.NewDecoder(r.Body).Decode(&list); err != nil {
			return nil, err
		}
		return map[string]int{"listings": len(list)}, f.AddListings(region(q), q.Get("seller"), list)
	})
	post("report", func(r *http.Request, q url.Values) (any, error) {
		n, err := f.LoadReport(r.Body, ReportSeed{
			Region: region(q), Seller: q.Get("seller"),
			Marketplace: price.MarketplaceID(q.Get("marketplace")), Fill: q.Get("fill") == "true",
		})
		return map[string]int{"listings": n}, err
	})
	post("faults", func(r *http.Request, _ url.Values) (any, error) {
		var ft Fault
		dec := json.NewDecoder(r.Body)
		dec.DisallowUnknownFields()
		if err := dec.Decode(&ft); err != nil {
			return nil, err
		}
		id, err := f.AddFault(ft)
		return map[string]string{"id": id}, err
	})
	post("faults/{id}/release", func(r *http.Request, q url.Values) (any, error) {
		return map[string]int{"released": f.Release(r.PathValue("id"), q.Get("drop") == "true")}, nil
	})
	mux.HandleFunc("DELETE /_fake/faults/{id}", func(w http.ResponseWriter, r *http.Request) {
		var err error
		if !f.RemoveFault(r.PathValue("id")) {
			err = fmt.Errorf("no fault %q", r.PathValue("id"))
		}
		reply(w, nil, err)
	})
	post("consent", func(_ *http.Request, q url.Values) (any, error) {
		back, err := f.Consent(q.Get("url"), q.Get("seller"))
		return map[string]string{"redirect": back}, err
	})
	post("revoke", func(_ *http.Request, q url.Values) (any, error) {
		return map[string]int{"revoked": f.Revoke(region(q), q.Get("seller"))}, nil
	})
	post("expire-tokens", func(_ *http.Request, q url.Values) (any, error) {
		f.ExpireTokens(region(q), q.Get("seller"))
		return nil, nil
	})
	post("expire-grants", func(_ *http.Request, q url.Values) (any, error) {
		f.ExpireGrants(region(q), q.Get("seller"))
		return nil, nil
	})
	post("secret-expiry", func(_ *http.Request, q url.Values) (any, error) {
		at, err := time.Parse(time.RFC3339, q.Get("at"))
		if err == nil {
			f.NoticeSecretExpiry(at)
		}
		return nil, err
	})
	post("secret", func(r *http.Request, _ url.Values) (any, error) {
		raw, err := io.ReadAll(io.LimitReader(r.Body, 4096))
		if err != nil || len(raw) == 0 {
			return nil, errors.Join(errors.New("the body must be the secret"), err)
		}
		f.RotateSecret(secret.New(string(raw)))
		return nil, nil
	})
	return mux
}

func region(q url.Values) price.Region { return price.Region(q.Get("region")) }

func whole(q url.Values, name string) (int64, error) {
	if q.Get(name) == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(q.Get(name), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return n, nil
}

func reply(w http.ResponseWriter, v any, err error) {
	w.Header().Set("Content-Type", "application/json")
	switch {
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
		v = map[string]string{"error": err.Error()}
	case v == nil:
		w.WriteHeader(http.StatusNoContent)
		return
	}
	_ = json.NewEncoder(w).Encode(v)
}
