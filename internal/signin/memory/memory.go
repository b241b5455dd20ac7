// Package memory is a signin.Provider that lives in the process, for tests and
// simulations. It is as strict as Cognito is on AWS: challenges end after some
// minutes, belong to one user and are spent by success, and a code works once.
// It forgets everything when the process ends.
package memory

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"pricemanager/internal/clock"
	"pricemanager/internal/secret"
	"pricemanager/internal/signin"
	"pricemanager/internal/signin/totp"
)

// ChallengeLasts is how long a challenge may be answered, as template.yaml sets it
// for Cognito (AuthSessionValidity).
const ChallengeLasts = 15 * time.Minute

// What the user pool of template.yaml asks of a password: a length in characters, one
// of each kind, and none of the last ones.
const (
	minPassword = 12
	remembered  = 10
	signs       = "^$*.[]{}()?-\"!@#%&/\\,><':;|_~`+="
)

// Provider is a signin.Provider in memory. Set Clock and Rand.
type Provider struct {
	Clock clock.Clock
	Rand  io.Reader
	// Hook, when set, runs before every operation ("create", "set-password",
	// "delete", "begin", "answer", "enrol", "confirm", "forget"); id is empty for
	// "enrol". An error from it is returned to the caller; applied says whether the
	// operation takes effect all the same, as when an answer is lost.
	Hook func(op, id string) (applied bool, err error)

	mu         sync.Mutex
	users      map[string]*user
	challenges map[string]*challenge
}

var _ signin.Provider = (*Provider)(nil)

type user struct {
	password secret.Value
	before   []secret.Value // passwords, the present one among them
	key      secret.Value   // of the authenticator; empty without one
	lastStep int64          // of the newest code that was taken
}

type challenge struct {
	user  string
	needs signin.Needs
	until time.Time
	key   secret.Value // of the authenticator to be
}

// Create makes a user, or gives the password to the one there is. Giving the password
// that is theirs already is fine: this call comes twice.
func (p *Provider) Create(_ context.Context, id string, password secret.Value) error {
	return p.do("create", id, func() error {
		u := p.users[id]
		if u == nil {
			u = &user{}
		}
		if u.password.Empty() || !same(u.password, password) {
			if err := u.set(password); err != nil {
				return err
			}
		}
		p.users[id] = u
		return nil
	})
}

// SetPassword replaces the password.
func (p *Provider) SetPassword(_ context.Context, id string, password secret.Value) error {
	return p.do("set-password", id, func() error {
		u := p.users[id]
		if u == nil {
			return signin.ErrRefused
		}
		return u.set(password)
	})
}

// set gives a password that the pool takes and remembers it.
func (u *user) set(password secret.Value) error {
	text := password.Reveal()
	if utf8.RuneCountInString(text) < minPassword || strings.TrimSpace(text) != text || !strings.ContainsAny(text, signs) ||
		!strings.ContainsFunc(text, unicode.IsUpper) || !strings.ContainsFunc(text, unicode.IsLower) || !strings.ContainsFunc(text, unicode.IsDigit) ||
		slices.ContainsFunc(u.before, func(b secret.Value) bool { return same(b, password) }) {
		return signin.ErrPassword
	}
	u.password, u.before = password, append(u.before, password)
	u.before = u.before[max(0, len(u.before)-remembered):]
	return nil
}

func same(a, b secret.Value) bool {
	return subtle.ConstantTimeCompare([]byte(a.Reveal()), []byte(b.Reveal())) == 1
}

// Delete removes a user.
func (p *Provider) Delete(_ context.Context, id string) error {
	return p.do("delete", id, func() error {
		delete(p.users, id)
		return nil
	})
}

// Begin checks a password.
func (p *Provider) Begin(_ context.Context, id string, password secret.Value) (step signin.Step, err error) {
	err = p.do("begin", id, func() error {
		u := p.users[id]
		known := u != nil
		if !known {
			u = &user{}
		}
		// Compared also for nobody: what a missing user costs is the same.
		if right := same(u.password, password); !right || !known || u.password.Empty() {
			return signin.ErrRefused
		}
		c := &challenge{user: id, needs: signin.NeedsCode}
		if u.key.Empty() {
			c.needs = signin.NeedsEnrolment
		}
		token, err := p.issue(c)
		step = signin.Step{Needs: c.needs, Challenge: token}
		return err
	})
	if err != nil {
		return signin.Step{}, err
	}
	return step, nil
}

// Answer checks a code.
func (p *Provider) Answer(_ context.Context, id string, token secret.Value, code string) error {
	return p.do("answer", id, func() error {
		c, err := p.find(token, signin.NeedsCode)
		if err != nil {
			return err
		}
		u := p.users[id]
		if u == nil || c.user != id || u.key.Empty() {
			return signin.ErrExpired
		}
		return p.take(u, u.key, token, code)
	})
}

// Enrol makes a key. The challenge goes on in the one that is returned.
func (p *Provider) Enrol(_ context.Context, token secret.Value) (e signin.Enrolment, err error) {
	err = p.do("enrol", "", func() error {
		c, err := p.find(token, signin.NeedsEnrolment)
		if err != nil {
			return err
		}
		key := make([]byte, totp.KeyBytes)
		if _, err := io.ReadFull(p.Rand, key); err != nil {
			return fmt.Errorf("signin: memory: key: %w", err)
		}
		next := &challenge{user: c.user, needs: signin.NeedsEnrolment, key: totp.Encode(key)}
		issued, err := p.issue(next)
		if err != nil {
			return err
		}
		delete(p.challenges, token.Reveal())
		e = signin.Enrolment{Secret: next.key, Challenge: issued}
		return nil
	})
	if err != nil {
		return signin.Enrolment{}, err
	}
	return e, nil
}

// Confirm checks the first code of a new authenticator.
func (p *Provider) Confirm(_ context.Context, id string, token secret.Value, code string) error {
	return p.do("confirm", id, func() error {
		c, err := p.find(token, signin.NeedsEnrolment)
		if err != nil {
			return err
		}
		u := p.users[id]
		if u == nil || c.user != id || c.key.Empty() || !u.key.Empty() {
			return signin.ErrExpired
		}
		if err := p.take(u, c.key, token, code); err != nil {
			return err
		}
		u.key = c.key
		return nil
	})
}

// Forget takes the authenticator and the password away.
func (p *Provider) Forget(_ context.Context, id string) error {
	return p.do("forget", id, func() error {
		if p.users[id] == nil {
			return signin.ErrRefused
		}
		p.users[id] = &user{}
		return nil
	})
}

// Users is how many there are.
func (p *Provider) Users() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.users)
}

// do runs an operation behind the hook and the lock.
func (p *Provider) do(op, id string, f func() error) error {
	applied, lost := true, error(nil)
	if p.Hook != nil {
		applied, lost = p.Hook(op, id)
	}
	if lost != nil && !applied {
		return lost
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.users == nil {
		p.users, p.challenges = map[string]*user{}, map[string]*challenge{}
	}
	if err := f(); err != nil {
		return err
	}
	return lost
}

func (p *Provider) issue(c *challenge) (secret.Value, error) {
	b := make([]byte, 16)
	if _, err := io.ReadFull(p.Rand, b); err != nil {
		return secret.Value{}, fmt.Errorf("signin: memory: challenge: %w", err)
	}
	c.until = p.Clock.Now().Add(ChallengeLasts)
	token := hex.EncodeToString(b)
	p.challenges[token] = c
	return secret.New(token), nil
}

func (p *Provider) find(token secret.Value, needs signin.Needs) (*challenge, error) {
	c := p.challenges[token.Reveal()]
	if c == nil || c.needs != needs || !p.Clock.Now().Before(c.until) {
		return nil, signin.ErrExpired
	}
	return c, nil
}

// take spends a code of a key, and with it the challenge. A code of a step that is
// not after the last one was used already.
func (p *Provider) take(u *user, key, token secret.Value, code string) error {
	step, ok := totp.Match(key, code, p.Clock.Now())
	if !ok || step <= u.lastStep {
		return signin.ErrCode
	}
	u.lastStep = step
	delete(p.challenges, token.Reveal())
	return nil
}
