package cognito_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"pricemanager/internal/clock"
	"pricemanager/internal/secret"
	"pricemanager/internal/signin/cognito"
	"pricemanager/internal/signin/totp"
)

// pool behaves as a user pool on AWS does whose MFA is ON, where the local AWS does
// not: it asks for an authenticator with MFA_SETUP, sessions are used once, belong to
// one user and end, codes work once, passwords are remembered, and an authenticator
// cannot be switched off.
type pool struct {
	clock *clock.Manual

	mu       sync.Mutex
	users    map[string]*user
	sessions map[string]session
	tokens   map[string]bool // not given back
	serial   int
	// fail, when set, is asked before every call.
	fail func(op string) error
}

var _ cognito.API = (*pool)(nil)

type user struct {
	passwords []string // the last is the present one; none: a temporary one
	key       secret.Value
	asked     bool
	lastStep  int64
}

type session struct {
	user  string
	kind  types.ChallengeNameType
	key   secret.Value // associated
	until time.Time
	ready bool // the key's code was right
}

func newPool(c *clock.Manual) *pool {
	return &pool{clock: c, users: map[string]*user{}, sessions: map[string]session{}, tokens: map[string]bool{}}
}

func refused() error {
	return &types.NotAuthorizedException{Message: aws.String("Incorrect username or password.")}
}

func (p *pool) enter(op string) (func(), error) {
	p.mu.Lock()
	if p.fail != nil {
		if err := p.fail(op); err != nil {
			p.mu.Unlock()
			return nil, err
		}
	}
	return p.mu.Unlock, nil
}

func (p *pool) issue(s session) *string {
	p.serial++
	s.until = p.clock.Now().Add(15 * time.Minute)
	name := fmt.Sprintf("session-%024d", p.serial)
	p.sessions[name] = s
	return &name
}

// use spends a session.
func (p *pool) use(name *string, kind types.ChallengeNameType) (session, bool) {
	s, ok := p.sessions[aws.ToString(name)]
	if !ok || s.kind != kind || !p.clock.Now().Before(s.until) {
		return session{}, false
	}
	delete(p.sessions, aws.ToString(name))
	return s, true
}

func (p *pool) grant() *types.AuthenticationResultType {
	p.serial++
	refresh := fmt.Sprintf("refresh-%d", p.serial)
	p.tokens[refresh] = true
	return &types.AuthenticationResultType{AccessToken: aws.String("access"), RefreshToken: &refresh}
}

func (p *pool) AdminCreateUser(_ context.Context, in *cip.AdminCreateUserInput, _ ...func(*cip.Options)) (*cip.AdminCreateUserOutput, error) {
	leave, err := p.enter("AdminCreateUser")
	if err != nil {
		return nil, err
	}
	defer leave()
	if p.users[*in.Username] != nil {
		return nil, &types.UsernameExistsException{}
	}
	p.users[*in.Username] = &user{}
	return &cip.AdminCreateUserOutput{}, nil
}

func (p *pool) AdminSetUserPassword(_ context.Context, in *cip.AdminSetUserPasswordInput, _ ...func(*cip.Options)) (*cip.AdminSetUserPasswordOutput, error) {
	leave, err := p.enter("AdminSetUserPassword")
	if err != nil {
		return nil, err
	}
	defer leave()
	u, text := p.users[*in.Username], *in.Password
	has := func(lo, hi rune) bool {
		return strings.ContainsFunc(text, func(r rune) bool { return lo <= r && r <= hi })
	}
	switch {
	case u == nil:
		return nil, &types.UserNotFoundException{}
	case len(text) < 12 || !has('a', 'z') || !has('A', 'Z') || !has('0', '9') || !strings.ContainsAny(text, "-#!"):
		return nil, &types.InvalidPasswordException{Message: aws.String("Password did not conform with policy")}
	case slices.Contains(u.passwords, text):
		return nil, &types.PasswordHistoryPolicyViolationException{}
	case !in.Permanent:
		return nil, &types.InvalidParameterException{}
	}
	u.passwords = append(u.passwords, text)
	return &cip.AdminSetUserPasswordOutput{}, nil
}

func (p *pool) AdminDeleteUser(_ context.Context, in *cip.AdminDeleteUserInput, _ ...func(*cip.Options)) (*cip.AdminDeleteUserOutput, error) {
	leave, err := p.enter("AdminDeleteUser")
	if err != nil {
		return nil, err
	}
	defer leave()
	if p.users[*in.Username] == nil {
		return nil, &types.UserNotFoundException{}
	}
	delete(p.users, *in.Username)
	return &cip.AdminDeleteUserOutput{}, nil
}

func (p *pool) AdminGetUser(_ context.Context, in *cip.AdminGetUserInput, _ ...func(*cip.Options)) (*cip.AdminGetUserOutput, error) {
	leave, err := p.enter("AdminGetUser")
	if err != nil {
		return nil, err
	}
	defer leave()
	out := &cip.AdminGetUserOutput{Username: in.Username}
	if u := p.users[*in.Username]; u != nil && u.asked {
		out.UserMFASettingList = []string{"SOFTWARE_TOKEN_MFA"}
	}
	return out, nil
}

func (p *pool) AdminInitiateAuth(_ context.Context, in *cip.AdminInitiateAuthInput, _ ...func(*cip.Options)) (*cip.AdminInitiateAuthOutput, error) {
	leave, err := p.enter("AdminInitiateAuth")
	if err != nil {
		return nil, err
	}
	defer leave()
	id, text := in.AuthParameters["USERNAME"], in.AuthParameters["PASSWORD"]
	u := p.users[id]
	if in.AuthFlow != types.AuthFlowTypeAdminUserPasswordAuth {
		return nil, &types.InvalidParameterException{}
	}
	if u == nil || len(u.passwords) == 0 || u.passwords[len(u.passwords)-1] != text {
		return nil, refused()
	}
	kind := types.ChallengeNameTypeMfaSetup
	if u.asked {
		kind = types.ChallengeNameTypeSoftwareTokenMfa
	}
	return &cip.AdminInitiateAuthOutput{ChallengeName: kind, Session: p.issue(session{user: id, kind: kind})}, nil
}

func (p *pool) AdminRespondToAuthChallenge(_ context.Context, in *cip.AdminRespondToAuthChallengeInput, _ ...func(*cip.Options)) (*cip.AdminRespondToAuthChallengeOutput, error) {
	leave, err := p.enter("AdminRespondToAuthChallenge")
	if err != nil {
		return nil, err
	}
	defer leave()
	s, ok := p.use(in.Session, in.ChallengeName)
	u := p.users[s.user]
	if !ok || u == nil || in.ChallengeResponses["USERNAME"] != s.user {
		return nil, &types.NotAuthorizedException{Message: aws.String("Invalid session for the user.")}
	}
	if s.kind == types.ChallengeNameTypeMfaSetup {
		if !s.ready {
			return nil, &types.NotAuthorizedException{}
		}
		u.key, u.asked = s.key, true
		return &cip.AdminRespondToAuthChallengeOutput{AuthenticationResult: p.grant()}, nil
	}
	if !totp.WellFormed(in.ChallengeResponses["SOFTWARE_TOKEN_MFA_CODE"]) {
		return nil, &types.InvalidParameterException{}
	}
	step, right := totp.Match(u.key, in.ChallengeResponses["SOFTWARE_TOKEN_MFA_CODE"], p.clock.Now())
	switch {
	case !right:
		return nil, &types.CodeMismatchException{Message: aws.String("Invalid code received for user")}
	case step <= u.lastStep:
		return nil, &types.ExpiredCodeException{Message: aws.String("Your software token has already been used once.")}
	}
	u.lastStep = step
	return &cip.AdminRespondToAuthChallengeOutput{AuthenticationResult: p.grant()}, nil
}

func (p *pool) AdminSetUserMFAPreference(_ context.Context, in *cip.AdminSetUserMFAPreferenceInput, _ ...func(*cip.Options)) (*cip.AdminSetUserMFAPreferenceOutput, error) {
	leave, err := p.enter("AdminSetUserMFAPreference")
	if err != nil {
		return nil, err
	}
	defer leave()
	if u := p.users[*in.Username]; u == nil || u.key.Empty() {
		return nil, &types.InvalidParameterException{Message: aws.String("User has not set up software token mfa")}
	}
	return &cip.AdminSetUserMFAPreferenceOutput{}, nil // it is on already and stays on
}

func (p *pool) AssociateSoftwareToken(_ context.Context, in *cip.AssociateSoftwareTokenInput, _ ...func(*cip.Options)) (*cip.AssociateSoftwareTokenOutput, error) {
	leave, err := p.enter("AssociateSoftwareToken")
	if err != nil {
		return nil, err
	}
	defer leave()
	s, ok := p.use(in.Session, types.ChallengeNameTypeMfaSetup)
	if !ok || in.AccessToken != nil {
		return nil, &types.NotAuthorizedException{Message: aws.String("Invalid session for the user.")}
	}
	p.serial++
	s.key, s.ready = totp.Encode(fmt.Appendf(nil, "%020d", p.serial)), false
	return &cip.AssociateSoftwareTokenOutput{SecretCode: aws.String(s.key.Reveal()), Session: p.issue(s)}, nil
}

func (p *pool) VerifySoftwareToken(_ context.Context, in *cip.VerifySoftwareTokenInput, _ ...func(*cip.Options)) (*cip.VerifySoftwareTokenOutput, error) {
	leave, err := p.enter("VerifySoftwareToken")
	if err != nil {
		return nil, err
	}
	defer leave()
	if !totp.WellFormed(*in.UserCode) {
		return nil, &types.InvalidParameterException{}
	}
	s, ok := p.use(in.Session, types.ChallengeNameTypeMfaSetup)
	if !ok {
		return nil, &types.NotAuthorizedException{Message: aws.String("Invalid session for the user.")}
	}
	if _, right := totp.Match(s.key, *in.UserCode, p.clock.Now()); !right {
		return nil, &types.EnableSoftwareTokenMFAException{Message: aws.String("Code mismatch")}
	}
	s.ready = true
	return &cip.VerifySoftwareTokenOutput{Status: types.VerifySoftwareTokenResponseTypeSuccess, Session: p.issue(s)}, nil
}

func (p *pool) RevokeToken(_ context.Context, in *cip.RevokeTokenInput, _ ...func(*cip.Options)) (*cip.RevokeTokenOutput, error) {
	leave, err := p.enter("RevokeToken")
	if err != nil {
		return nil, err
	}
	defer leave()
	delete(p.tokens, *in.Token)
	return &cip.RevokeTokenOutput{}, nil
}
