package main

import (
	"maps"
	"slices"
	"time"

	"pricemanager/internal/lane"
	"pricemanager/internal/price"
)

// routeDoc says by which way a batch's rows of one seller account go to Amazon.
type routeDoc struct {
	Connection price.ConnectionID `json:"connection"`
	Kind       string             `json:"kind"` // patch or feed
	Reason     string             `json:"reason,omitempty"`
}

func showRoutes(routes map[price.ConnectionID]lane.Route) []routeDoc {
	var out []routeDoc
	for _, c := range slices.Sorted(maps.Keys(routes)) {
		out = append(out, routeDoc{Connection: c, Kind: routes[c].Kind, Reason: routes[c].Reason})
	}
	return out
}

// feedDoc is a feed as the API shows it.
type feedDoc struct {
	Connection  price.ConnectionID  `json:"connection"`
	Marketplace price.MarketplaceID `json:"marketplace"`
	Batch       string              `json:"batch"`
	Rows        int                 `json:"rows"`
	State       string              `json:"state"`
	Feed        string              `json:"feed,omitempty"` // Amazon's id
	SubmittedAt *time.Time          `json:"submittedAt,omitempty"`
	EndedAt     *time.Time          `json:"endedAt,omitempty"`
	Escaped     bool                `json:"escaped"`
	Reason      string              `json:"reason,omitempty"`
}

func showFeeds(feeds []lane.FeedView) []feedDoc {
	out := make([]feedDoc, len(feeds))
	for i, f := range feeds {
		out[i] = feedDoc{Connection: f.Connection, Marketplace: f.Marketplace, Batch: f.Batch, Rows: f.Rows, State: f.State,
			Feed: f.ID, Escaped: f.Escaped, Reason: f.Reason}
		if !f.Submitted.IsZero() {
			out[i].SubmittedAt = &f.Submitted
		}
		if !f.Ended.IsZero() {
			out[i].EndedAt = &f.Ended
		}
	}
	return out
}
