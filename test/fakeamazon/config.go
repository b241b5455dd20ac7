package fakeamazon

import (
	"log/slog"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
)

// Config describes one fake Amazon. The zero value of every field but Clock
// and Application is usable.
type Config struct {
	// Seed decides every delay, identifier and token.
	Seed  uint64
	Clock clock.Clock
	// Speed makes Amazon faster than it is: rates are multiplied by it, the
	// delays of visibility, reports and feeds divided. 0 and 1 are Amazon's real pace.
	// The lifetimes of codes, tokens and links, and the calendar that sales
	// follow, stay real: they are promises to people and to token caches.
	Speed       int
	Application Application
	// StateFile keeps the catalogue, authorisations and tokens over a restart.
	// Empty keeps nothing.
	StateFile string
	// Visibility is how long an accepted patch stays invisible, at speed 1.
	// Zero: 2 s to 6 s.
	Visibility Delay
	// MarketplaceVisibility overrides Visibility for single marketplaces.
	MarketplaceVisibility map[price.MarketplaceID]Delay
	// Reorder lets several accepted patches of one SKU appear in an order of
	// their own instead of the order of acceptance. Amazon documents neither.
	Reorder bool
	// PartialMarketplaces applies the good marketplaces of a patch that is
	// invalid in others, instead of none. Amazon documents neither.
	PartialMarketplaces bool
	// ReplaceKeeps lets op replace keep the sub-attributes that it does not
	// name, instead of dropping them. Field reports tell both.
	ReplaceKeeps bool
	// Unasked has answers, notifications and reports carry a recipient's data that
	// nobody asked for and that the models do not have, as Amazon may begin to send
	// any day. It must go nowhere.
	Unasked bool
	Reports ReportConfig
	Feeds   FeedConfig
	// Notify, when set, is called with each notification, one at a time and up to
	// 200 ms on Clock after the event. It may call the fake.
	Notify func(Notification)
	// SecretQueue is the queue that the application registered for new client
	// secrets: it is called with the message, a JSON text that holds the secret.
	// Nil: none is registered, and rotateApplicationClientSecret is refused.
	SecretQueue func(message secret.Value)
	// SecretLife is how long a client secret works; at its half the fake gives
	// notice. At Amazon it is 180 days. Zero: for ever, without a notice, so that
	// a test in which a year goes by need not be about secrets.
	SecretLife time.Duration
	// Rates overrides the seller's budget of single operations, as Amazon grants
	// to some; x-amzn-RateLimit-Limit tells it.
	Rates map[string]Rate
	// LogLimit is the number of requests the log remembers; 0 means 100,000.
	// Counters and violations are kept beyond it.
	LogLimit int
	// Logger gets a line for every answered request and every violation, without
	// tokens or bodies. Nil is silent.
	Logger *slog.Logger
}

// Application is the one developer application that the fake knows.
type Application struct {
	ID           string // "amzn1.sp.solution...." or "amzn1.sellerapps.app...."
	ClientID     string
	ClientSecret secret.Value
	// RedirectURIs are the registered ones; the first is the default.
	RedirectURIs []string
	// Draft applications must, and published ones must not, send version=beta.
	Draft bool
}

// Rate is a token bucket's plan.
type Rate struct {
	PerSecond string // decimal text, at speed 1
	Burst     int
}

// Delay is a range from which each delay is drawn by seed, both ends included.
type Delay struct {
	Min, Max time.Duration
}

// FeedConfig shapes the feeds.
type FeedConfig struct {
	// Queue is how long a feed waits, Process how long its messages take, both at
	// speed 1. Zero: 30 s to 2 min, and 1 to 5 min, which is a good day at Amazon.
	Queue, Process Delay
	// Plain serves processing reports uncompressed.
	Plain bool
}

// ReportConfig shapes the reports.
type ReportConfig struct {
	// Delay is the time from createReport to DONE at speed 1; a third of it is
	// spent in the queue. Zero: 15 s to 45 s.
	Delay Delay
	// Plain serves documents uncompressed; otherwise they are gzipped and say so
	// in compressionAlgorithm.
	Plain bool
}
