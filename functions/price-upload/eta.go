package main

import (
	"time"

	"pricemanager/internal/lane"
	"pricemanager/internal/price"
)

// waitingDoc is what must happen before rows can go on: while there is one,
// there is no ETA.
type waitingDoc struct {
	Kind       string             `json:"kind"` // stop, authorisation or feed
	Connection price.ConnectionID `json:"connection"`
	Stop       string             `json:"stop,omitempty"` // its name, as /stops has it
	Reason     string             `json:"reason,omitempty"`
	Since      *time.Time         `json:"since,omitempty"`
}

func showWaiting(w lane.Waiting) *waitingDoc {
	return &waitingDoc{Kind: w.Kind, Connection: w.Connection, Stop: w.Stop, Reason: w.Reason, Since: given(w.Since)}
}

// wholeSeconds rounds up: what is told is not over before it is due.
func wholeSeconds(d time.Duration) *int64 {
	s := int64((max(d, 0) + time.Second - 1) / time.Second)
	return &s
}
