package watch

import (
	"encoding/json"
	"strings"
	"time"

	"pricemanager/internal/ledger"
)

// Kind says what is suspicious.
type Kind string

// The kinds of findings: a closed set. Each has a metric, an alarm and a paragraph
// in the runbook suspicions.
const (
	MassExport Kind = "mass-export" // much data taken away
	TokenSpike Kind = "token-spike" // access to Amazon asked for far more often than usual
	PriceMoves Kind = "price-moves" // many prices of a batch fall far
	NewKeys    Kind = "new-keys"    // many API keys made
	Refusals   Kind = "refusals"    // many requests refused in the name of one key or member
	NewSource  Kind = "new-source"  // a key or member from an address that it never came from
)

// Kinds lists all kinds.
func Kinds() []Kind { return []Kind{MassExport, TokenSpike, PriceMoves, NewKeys, Refusals, NewSource} }

// Metric is the name of the metric that counts findings of the kind.
func (k Kind) Metric() string {
	return map[Kind]string{
		MassExport: "SuspectedMassExport", TokenSpike: "SuspectedTokenSpike", PriceMoves: "SuspectedPriceMoves", NewKeys: "SuspectedNewKeys",
		Refusals: "SuspectedRefusals", NewSource: "SuspectedNewSource",
	}[k]
}

// What is counted. The floors are our own: a catalogue of 50,000 offers taken whole
// once is work; two whole archives a day are care; an access token lives an hour, and
// every instance of a function may ask for its own; a machine whose key has ended and
// that asks every minute is told to its owner by the second hour.
var (
	rows     = limits{MassExport, time.Hour, 50_000, "rows"}
	archives = limits{MassExport, 24 * time.Hour, 2, "archives"}
	tokens   = limits{TokenSpike, time.Hour, 120, "access tokens"}
	keys     = limits{NewKeys, 24 * time.Hour, 5, "API keys"}
	refused  = limits{Refusals, time.Hour, 50, "refused requests"}
)

// state is what the rules know of a tenant. Its size is bounded whatever the events.
type state struct {
	Rows     series `json:"rows"`
	Archives series `json:"archives"`
	Tokens   series `json:"tokens"`
	Keys     series `json:"keys"`
	Moves    moves  `json:"moves"`

	Refused series  `json:"refused"`
	Sources sources `json:"sources"`
}

// take counts one event of the ledger, and returns what became suspicious by it, or
// nil. An event that says nothing a rule understands counts for nothing.
func (s *state) take(e ledger.Event, leaf int64) *Finding {
	switch e.Type {
	case ledger.TableExported:
		var x struct {
			Rows int64 `json:"rows"`
		}
		if json.Unmarshal(e.After, &x) != nil {
			return nil
		}
		return s.Rows.count(rows, clip(e.Actor), e.At, x.Rows, leaf)
	case ledger.ExportRequested:
		return s.Archives.count(archives, clip(e.Actor), e.At, 1, leaf)
	case ledger.TokenIssued:
		return s.Tokens.count(tokens, clip(e.Target), e.At, 1, leaf)
	case ledger.APIKeyCreated:
		return s.Keys.count(keys, clip(e.Actor), e.At, 1, leaf)
	case ledger.RequestRefused:
		var x struct {
			Times int64 `json:"times"`
		}
		if json.Unmarshal(e.After, &x) != nil {
			return nil
		}
		return s.Refused.count(refused, clip(e.Target), e.At, x.Times, leaf)
	case ledger.DataRead, ledger.RequestMade:
		return s.Sources.take(e, leaf)
	default:
		return s.Moves.take(e, leaf)
	}
}

// clip bounds what is kept of a name in an event; ours are shorter.
func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), 80)], "") }
