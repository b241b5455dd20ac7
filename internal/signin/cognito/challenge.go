package cognito

import (
	"encoding/json"

	"pricemanager/internal/secret"
	"pricemanager/internal/signin"
)

// stage is what a challenge can be answered with.
type stage string

const (
	forCode      stage = "code"      // a code
	forEnrolment stage = "enrolment" // a new authenticator
	forConfirm   stage = "confirm"   // the first code of one
)

// challenge is what goes on from one call to the next. It names its user, because not
// every call of Cognito is told whose session it is given, and its stage.
type challenge struct {
	user    string
	stage   stage
	session string // of Cognito, or
	token   string // an access token, and the one that revokes it
	refresh string
}

// wire is a challenge as it is written.
type wire struct {
	User    string `json:"user"`
	Stage   stage  `json:"stage"`
	Session string `json:"session,omitempty"`
	Token   string `json:"token,omitempty"`
	Refresh string `json:"refresh,omitempty"`
}

func (c challenge) value() secret.Value {
	b, err := json.Marshal(wire{c.user, c.stage, c.session, c.token, c.refresh})
	if err != nil {
		return secret.Value{} // cannot happen: five plain texts; an empty challenge is expired
	}
	return secret.New(string(b))
}

// parse reads a challenge of a stage; anything else is ErrExpired.
func parse(v secret.Value, s stage) (challenge, error) {
	var w wire
	if err := json.Unmarshal([]byte(v.Reveal()), &w); err != nil || w.User == "" || w.Stage != s || (w.Session == "") == (w.Token == "") {
		return challenge{}, signin.ErrExpired
	}
	return challenge{w.User, w.Stage, w.Session, w.Token, w.Refresh}, nil
}
