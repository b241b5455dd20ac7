// Package cognito is a signin.Provider in an Amazon Cognito user pool, called
// server-side through its API.
//
// The pool demands an authenticator of everybody (MFA ON), shows nobody whether a
// user exists, and sends no mail. Cognito says that an authenticator is missing with
// the challenge MFA_SETUP. The local AWS signs such a user in at once instead; that
// is taken for the same thing, but only after Cognito said that the user has none:
// otherwise a pool whose MFA is off would let a password alone enrol another one.
//
// It relies on the SDK's retries. What is left after them comes back with the API's
// error code and not its text, which may quote what was asked. Tokens that Cognito
// hands out are revoked and never kept; revoking is tried once, since the pool lets
// them live for minutes only and nothing of ours accepts one.
package cognito

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"pricemanager/internal/secret"
	"pricemanager/internal/signin"
)

// API is the part of the SDK's client that is used. The four calls without Admin are
// authorised by a session or token and not by IAM.
type API interface {
	AdminCreateUser(context.Context, *cip.AdminCreateUserInput, ...func(*cip.Options)) (*cip.AdminCreateUserOutput, error)
	AdminSetUserPassword(context.Context, *cip.AdminSetUserPasswordInput, ...func(*cip.Options)) (*cip.AdminSetUserPasswordOutput, error)
	AdminDeleteUser(context.Context, *cip.AdminDeleteUserInput, ...func(*cip.Options)) (*cip.AdminDeleteUserOutput, error)
	AdminGetUser(context.Context, *cip.AdminGetUserInput, ...func(*cip.Options)) (*cip.AdminGetUserOutput, error)
	AdminInitiateAuth(context.Context, *cip.AdminInitiateAuthInput, ...func(*cip.Options)) (*cip.AdminInitiateAuthOutput, error)
	AdminRespondToAuthChallenge(context.Context, *cip.AdminRespondToAuthChallengeInput, ...func(*cip.Options)) (*cip.AdminRespondToAuthChallengeOutput, error)
	AdminSetUserMFAPreference(context.Context, *cip.AdminSetUserMFAPreferenceInput, ...func(*cip.Options)) (*cip.AdminSetUserMFAPreferenceOutput, error)
	AssociateSoftwareToken(context.Context, *cip.AssociateSoftwareTokenInput, ...func(*cip.Options)) (*cip.AssociateSoftwareTokenOutput, error)
	VerifySoftwareToken(context.Context, *cip.VerifySoftwareTokenInput, ...func(*cip.Options)) (*cip.VerifySoftwareTokenOutput, error)
	RevokeToken(context.Context, *cip.RevokeTokenInput, ...func(*cip.Options)) (*cip.RevokeTokenOutput, error)
}

var _ API = (*cip.Client)(nil)

// Provider is a signin.Provider in a user pool.
type Provider struct {
	api          API
	pool, client string
}

var _ signin.Provider = (*Provider)(nil)

// New returns a Provider for a pool and an app client of it, both named by id. The
// client allows ADMIN_USER_PASSWORD_AUTH and has no secret.
func New(api API, pool, client string) *Provider {
	return &Provider{api: api, pool: pool, client: client}
}

// maxPassword is the longest password that Cognito takes, in bytes at least: 256
// characters.
const maxPassword = 256

// Create makes a user, whom Cognito gives a password that nobody is told, and then
// sets theirs. A crash between the two leaves a user whom nobody can be; the next
// Create makes it whole. (Handing theirs to the first call would have it refused by
// the second one: the pool remembers passwords.)
func (p *Provider) Create(ctx context.Context, id string, password secret.Value) error {
	if unfit(password) {
		return signin.ErrPassword
	}
	isNew, err := p.create(ctx, id)
	if err != nil {
		return err
	}
	err = p.setPassword(ctx, id, password)
	switch {
	case isA[*types.PasswordHistoryPolicyViolationException](err):
		// Perhaps because it is theirs already: this call came twice.
		if _, err := p.Begin(ctx, id, password); err != nil && !errors.Is(err, signin.ErrRefused) {
			return err
		} else if err == nil {
			return nil
		}
	case isNew && isA[*types.InvalidPasswordException](err):
		if err := p.Delete(ctx, id); err != nil {
			return err
		}
	}
	return verdict("set password", err)
}

// create makes a user whom nobody can be, and reports whether there was none.
func (p *Provider) create(ctx context.Context, id string) (isNew bool, err error) {
	_, err = p.api.AdminCreateUser(ctx, &cip.AdminCreateUserInput{
		UserPoolId: &p.pool, Username: &id, MessageAction: types.MessageActionTypeSuppress,
	})
	if isA[*types.UsernameExistsException](err) {
		return false, nil
	}
	return err == nil, verdict("create user", err)
}

// SetPassword replaces the password.
func (p *Provider) SetPassword(ctx context.Context, id string, password secret.Value) error {
	if unfit(password) {
		return signin.ErrPassword
	}
	return verdict("set password", p.setPassword(ctx, id, password))
}

func (p *Provider) setPassword(ctx context.Context, id string, password secret.Value) error {
	_, err := p.api.AdminSetUserPassword(ctx, &cip.AdminSetUserPasswordInput{
		UserPoolId: &p.pool, Username: &id, Password: aws.String(password.Reveal()), Permanent: true,
	})
	return err
}

// Delete removes a user.
func (p *Provider) Delete(ctx context.Context, id string) error {
	_, err := p.api.AdminDeleteUser(ctx, &cip.AdminDeleteUserInput{UserPoolId: &p.pool, Username: &id})
	if isA[*types.UserNotFoundException](err) {
		return nil
	}
	return verdict("delete user", err)
}

// Forget deletes the user and makes it anew with a password that nobody is told:
// in a pool that demands an authenticator, AdminSetUserMFAPreference takes none away
// (its answer is 200, and nothing changes). After a crash in between there is no
// user, which Create repairs.
func (p *Provider) Forget(ctx context.Context, id string) error {
	_, err := p.api.AdminDeleteUser(ctx, &cip.AdminDeleteUserInput{UserPoolId: &p.pool, Username: &id})
	if err != nil {
		return verdict("delete user", err)
	}
	_, err = p.create(ctx, id)
	return err
}

// Begin checks a password. Cognito answers a user who does not exist as it answers a
// wrong password, and so is its own lock (NotAuthorizedException, "Password attempts
// exceeded") taken: told apart it would say that the user exists. A right password
// that AWS found in a leak (PasswordResetRequiredException) does not sign in either;
// setting another one, by mail, is the way on after every refusal.
func (p *Provider) Begin(ctx context.Context, id string, password secret.Value) (signin.Step, error) {
	if unfit(password) {
		return signin.Step{}, signin.ErrRefused
	}
	out, err := p.api.AdminInitiateAuth(ctx, &cip.AdminInitiateAuthInput{
		UserPoolId: &p.pool, ClientId: &p.client, AuthFlow: types.AuthFlowTypeAdminUserPasswordAuth,
		AuthParameters: map[string]string{"USERNAME": id, "PASSWORD": password.Reveal()},
	})
	if isA[*types.NotAuthorizedException](err) || isA[*types.UserNotFoundException](err) || isA[*types.PasswordResetRequiredException](err) {
		return signin.Step{}, signin.ErrRefused
	}
	if err != nil {
		return signin.Step{}, verdict("begin", err)
	}
	open := func(s stage) secret.Value {
		return challenge{user: id, stage: s, session: aws.ToString(out.Session)}.value()
	}
	switch {
	case out.AuthenticationResult != nil:
		return p.signedIn(ctx, id, out.AuthenticationResult)
	case out.ChallengeName == types.ChallengeNameTypeSoftwareTokenMfa:
		return signin.Step{Needs: signin.NeedsCode, Challenge: open(forCode)}, nil
	case out.ChallengeName == types.ChallengeNameTypeMfaSetup:
		return signin.Step{Needs: signin.NeedsEnrolment, Challenge: open(forEnrolment)}, nil
	case out.ChallengeName == types.ChallengeNameTypeNewPasswordRequired:
		// Between the two calls of Create: there is no such user yet.
		return signin.Step{}, signin.ErrRefused
	}
	return signin.Step{}, unexpected("begin", string(out.ChallengeName))
}

// signedIn takes tokens for the absence of an authenticator, if it is absent.
func (p *Provider) signedIn(ctx context.Context, id string, tokens *types.AuthenticationResultType) (signin.Step, error) {
	user, err := p.api.AdminGetUser(ctx, &cip.AdminGetUserInput{UserPoolId: &p.pool, Username: &id})
	if err != nil {
		p.revoke(ctx, tokens)
		return signin.Step{}, verdict("get user", err)
	}
	if len(user.UserMFASettingList) > 0 {
		p.revoke(ctx, tokens)
		return signin.Step{}, unexpected("begin", "tokens for a password alone: switch MFA of the user pool ON")
	}
	c := challenge{user: id, stage: forEnrolment, token: aws.ToString(tokens.AccessToken), refresh: aws.ToString(tokens.RefreshToken)}
	return signin.Step{Needs: signin.NeedsEnrolment, Challenge: c.value()}, nil
}

// Answer checks a code.
func (p *Provider) Answer(ctx context.Context, id string, token secret.Value, code string) error {
	c, err := parse(token, forCode)
	if err != nil || c.user != id {
		return signin.ErrExpired
	}
	if !digits(code) {
		return signin.ErrCode
	}
	return p.respond(ctx, id, c.session, types.ChallengeNameTypeSoftwareTokenMfa, map[string]string{"SOFTWARE_TOKEN_MFA_CODE": code})
}

// respond ends a sign-in and gives its tokens back.
func (p *Provider) respond(ctx context.Context, id, session string, name types.ChallengeNameType, answers map[string]string) error {
	if answers == nil {
		answers = map[string]string{}
	}
	answers["USERNAME"] = id
	out, err := p.api.AdminRespondToAuthChallenge(ctx, &cip.AdminRespondToAuthChallengeInput{
		UserPoolId: &p.pool, ClientId: &p.client, ChallengeName: name, Session: &session, ChallengeResponses: answers,
	})
	if isA[*types.NotAuthorizedException](err) {
		return signin.ErrExpired
	}
	if err != nil {
		return verdict("answer", err)
	}
	if out.AuthenticationResult == nil {
		return unexpected("answer", string(out.ChallengeName))
	}
	p.revoke(ctx, out.AuthenticationResult)
	return nil
}

func (p *Provider) revoke(ctx context.Context, tokens *types.AuthenticationResultType) {
	if tokens.RefreshToken == nil {
		return
	}
	_, _ = p.api.RevokeToken(ctx, &cip.RevokeTokenInput{ClientId: &p.client, Token: tokens.RefreshToken})
}

// unfit are passwords that Cognito answers with an error about the request: they are
// nobody's, whoever the user is.
func unfit(password secret.Value) bool {
	s := password.Reveal()
	return s == "" || len(s) > maxPassword || strings.TrimSpace(s) != s
}

// digits reports whether Cognito takes a text for a code at all.
func digits(code string) bool { return len(code) == 6 && strings.Trim(code, "0123456789") == "" }
