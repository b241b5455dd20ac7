package cognito

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"pricemanager/internal/secret"
	"pricemanager/internal/signin"
)

// Enrol has Cognito make an authenticator's key.
func (p *Provider) Enrol(ctx context.Context, token secret.Value) (signin.Enrolment, error) {
	c, err := parse(token, forEnrolment)
	if err != nil {
		return signin.Enrolment{}, err
	}
	in := &cip.AssociateSoftwareTokenInput{}
	if c.token != "" {
		in.AccessToken = &c.token
	} else {
		in.Session = &c.session
	}
	out, err := p.api.AssociateSoftwareToken(ctx, in)
	if isA[*types.NotAuthorizedException](err) || isA[*types.SoftwareTokenMFANotFoundException](err) {
		return signin.Enrolment{}, signin.ErrExpired
	}
	if err != nil {
		return signin.Enrolment{}, verdict("associate", err)
	}
	if c.token == "" {
		c.session = aws.ToString(out.Session)
	}
	c.stage = forConfirm
	return signin.Enrolment{Secret: secret.New(aws.ToString(out.SecretCode)), Challenge: c.value()}, nil
}

// Confirm checks the first code and has codes asked for. In this order every crash
// leaves something that goes on: an authenticator that Cognito knows but does not ask
// for yet is replaced at the next sign-in, and one that it asks for already is
// answered with a code.
func (p *Provider) Confirm(ctx context.Context, id string, token secret.Value, code string) error {
	c, err := parse(token, forConfirm)
	if err != nil || c.user != id {
		return signin.ErrExpired
	}
	if !digits(code) {
		return signin.ErrCode
	}
	in := &cip.VerifySoftwareTokenInput{UserCode: &code}
	if c.token != "" {
		in.AccessToken = &c.token
	} else {
		in.Session = &c.session
	}
	out, err := p.api.VerifySoftwareToken(ctx, in)
	switch {
	case isA[*types.EnableSoftwareTokenMFAException](err):
		return signin.ErrCode
	case isA[*types.NotAuthorizedException](err), isA[*types.SoftwareTokenMFANotFoundException](err):
		return signin.ErrExpired
	case err != nil:
		return verdict("verify", err)
	case out.Status != types.VerifySoftwareTokenResponseTypeSuccess:
		return signin.ErrCode
	}
	if c.token == "" {
		// The sign-in that asked for an authenticator has to end for it to count.
		if err := p.respond(ctx, id, aws.ToString(out.Session), types.ChallengeNameTypeMfaSetup, nil); err != nil {
			return err
		}
	}
	_, err = p.api.AdminSetUserMFAPreference(ctx, &cip.AdminSetUserMFAPreferenceInput{
		UserPoolId: &p.pool, Username: &id,
		SoftwareTokenMfaSettings: &types.SoftwareTokenMfaSettingsType{Enabled: true, PreferredMfa: true},
	})
	if err != nil {
		return verdict("prefer authenticator", err)
	}
	if c.refresh != "" {
		p.revoke(ctx, &types.AuthenticationResultType{RefreshToken: &c.refresh})
	}
	return nil
}
