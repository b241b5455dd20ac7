package fakeamazon

import (
	"encoding/json"
	"net/http"
	"time"

	"pricemanager/internal/price"
)

// destination is the models' Destination, with its region.
type destination struct {
	Region   price.Region `json:"region"`
	ID       string       `json:"destinationId"`
	Name     string       `json:"name"`
	Resource Resource     `json:"resource"`
}

func (d destination) view() map[string]any {
	return map[string]any{"destinationId": d.ID, "name": d.Name, "resource": d.Resource}
}

// subscription is the models' Subscription, with whose it is.
type subscription struct {
	Region         price.Region    `json:"region"`
	Seller         string          `json:"seller"`
	Type           string          `json:"type"`
	ID             string          `json:"subscriptionId"`
	PayloadVersion string          `json:"payloadVersion"`
	DestinationID  string          `json:"destinationId"`
	Directive      json.RawMessage `json:"processingDirective,omitempty"`
}

func (s *subscription) view() map[string]any {
	out := map[string]any{"subscriptionId": s.ID, "payloadVersion": s.PayloadVersion, "destinationId": s.DestinationID}
	if s.Directive != nil {
		out["processingDirective"] = s.Directive
	}
	return out
}

// createDestination makes a destination of the application in the region; the
// same resource again is a conflict.
func (f *Fake) createDestination(c *call) answer {
	var want struct {
		Name     string   `json:"name"`
		Resource Resource `json:"resourceSpecification"`
	}
	if err := json.Unmarshal(c.body, &want); err != nil {
		return badRequest(err.Error())
	}
	r := want.Resource
	if (r.SQS == nil) == (r.EventBridge == nil) || want.Name == "" {
		return badRequest("A destination has a name and either a queue or an event bus.")
	}
	for _, d := range f.destinations {
		if d.Region == c.key.region && (sameQueue(d.Resource, r) || sameBus(d.Resource, r)) {
			return refuse(http.StatusConflict, "The destination exists already.", "")
		}
	}
	if r.EventBridge != nil {
		r.EventBridge.Name = "aws.partner/sellingpartnerapi.amazon.com/" + r.EventBridge.Account + "/" + f.cfg.Application.ID
	}
	d := destination{c.key.region, f.pace.id("destination", f.next()), want.Name, r}
	f.destinations = append(f.destinations, d)
	f.touch()
	return payload(d.view())
}

func sameQueue(a, b Resource) bool { return a.SQS != nil && b.SQS != nil && *a.SQS == *b.SQS }

func sameBus(a, b Resource) bool {
	return a.EventBridge != nil && b.EventBridge != nil &&
		a.EventBridge.Account == b.EventBridge.Account && a.EventBridge.Region == b.EventBridge.Region
}

func (f *Fake) getDestinations(c *call) answer {
	list := []any{}
	for _, d := range f.destinations {
		if d.Region == c.key.region {
			list = append(list, d.view())
		}
	}
	return payload(list)
}

// createSubscription subscribes the token's seller.
func (f *Fake) createSubscription(c *call) answer {
	var want subscription
	if err := json.Unmarshal(c.body, &want); err != nil {
		return badRequest(err.Error())
	}
	kind := c.params["notificationType"]
	how, known := transports[kind]
	if !known {
		return badRequest("The fake has no notification " + kind + ".")
	}
	if want.PayloadVersion != how.version {
		return badRequest("The payload version of " + kind + " is " + how.version + ".")
	}
	var to *destination
	for i, d := range f.destinations {
		if d.ID == want.DestinationID && d.Region == c.key.region {
			to = &f.destinations[i]
		}
	}
	if to == nil {
		return badRequest("There is no such destination in the region.")
	}
	if (to.Resource.EventBridge != nil) != how.eventBridge {
		return badRequest("The destination cannot take " + kind + ".")
	}
	if f.subscription(c.key, kind) != nil {
		return refuse(http.StatusConflict, "The subscription exists already.", "")
	}
	sub := &subscription{c.key.region, c.key.id, kind, f.pace.id("subscription", f.next()), want.PayloadVersion, to.ID, want.Directive}
	f.subscriptions = append(f.subscriptions, sub)
	f.touch()
	return payload(sub.view())
}

func (f *Fake) getSubscription(c *call) answer {
	sub := f.subscription(c.key, c.params["notificationType"])
	version := c.query.Get("payloadVersion")
	if sub == nil || (version != "" && version != sub.PayloadVersion) {
		return refuse(http.StatusNotFound, "There is no such subscription.", "")
	}
	return payload(sub.view())
}

func (f *Fake) subscription(k sellerKey, kind string) *subscription {
	for _, s := range f.subscriptions {
		if s.Region == k.region && s.Seller == k.id && s.Type == kind {
			return s
		}
	}
	return nil
}

// subscribed reports whether the seller listens to anything at all.
func (f *Fake) subscribed(k sellerKey) bool {
	for _, s := range f.subscriptions {
		if s.Region == k.region && s.Seller == k.id {
			return true
		}
	}
	return false
}

// settle makes due patches of a listing visible and tells who listens.
func (f *Fake) settle(k sellerKey, m price.Marketplace, l *listing, now time.Time) {
	if len(l.pending) == 0 {
		return
	}
	if !f.subscribed(k) {
		l.settle(now, f.cfg.ReplaceKeeps)
		return
	}
	before := l.face(m)
	l.settle(now, f.cfg.ReplaceKeeps)
	f.listingChanged(k, m, l, before, l.updated)
}
