package account

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/mail"
	"pricemanager/internal/personal"
	"pricemanager/internal/secret"
)

// Where the pages are that tickets are used on. A GET of one uses nothing up: mail
// scanners follow links.
const (
	WelcomePage    = "/welcome"
	InvitationPage = "/invitation"
	ResetPage      = "/new-password"
	AddressPage    = "/new-address"
	NotMePage      = "/not-me"
)

// letter is what a mail says. Subjects hold nothing personal: they show on locked
// screens.
type letter struct{ subject, body string }

func (s *Service) send(ctx context.Context, to personal.Sensitive[string], once string, l letter) error {
	err := s.Mail.Send(ctx, mail.Message{To: to, Subject: l.subject, Once: once,
		Body: personal.New(l.body + "\n\n" + Product + "\n" + s.URL + "\n")})
	if err != nil {
		return fault.New(fault.Unavailable, "", "The mail cannot be sent now; try again in a moment.").Because(err)
	}
	return nil
}

// notify sends what a member should know. That it cannot be sent stops nothing.
func (s *Service) notify(ctx context.Context, m identity.Member, l letter) {
	if err := s.send(ctx, m.Email, "notice#"+m.ID+"#"+l.subject+"#"+s.stamp(), l); err != nil {
		s.Log.WarnContext(ctx, "a member could not be told", "member", m.ID, "about", l.subject, "cause", err)
	}
}

// stamp tells notices of one kind apart.
func (s *Service) stamp() string { return s.Clock.Now().Format("20060102T150405") }

func paragraphs(p ...string) string { return strings.Join(p, "\n\n") }

func link(base, page string, text secret.Value) string {
	return base + page + "?ticket=" + url.QueryEscape(text.Reveal())
}

const ignore = "If you did not ask for this, you can ignore this mail: nothing happens without the link."

func welcome(base string, text secret.Value) letter {
	return letter{"Confirm your address", paragraphs(
		"Somebody, hopefully you, wants to open an account with this address.",
		"Choose a password here, within 24 hours:\n"+link(base, WelcomePage, text), ignore)}
}

func knownAlready(base string, _ secret.Value) letter {
	return letter{"You have an account already", paragraphs(
		"Somebody, hopefully you, wanted to open an account with this address. There is one already: sign in with it, or ask for a new password at\n"+base+ResetPage,
		"If it was not you, there is nothing that you need to do.")}
}

func invited(base string, text secret.Value, company personal.Sensitive[string], role identity.Role) letter {
	return letter{"You are invited", paragraphs(
		fmt.Sprintf("%s invites you to work with its prices, as %s.", company.Reveal(), role),
		"Choose a password here, within seven days:\n"+link(base, InvitationPage, text), ignore)}
}

func invitedElsewhere(company personal.Sensitive[string]) letter {
	return letter{"You are invited", paragraphs(
		company.Reveal()+" invites you to work with its prices. Your address belongs to an account of another company, and an address can belong to one company only.",
		"Ask them to invite another address of yours.")}
}

func reset(base string, text secret.Value) letter {
	return letter{"Choose a new password", paragraphs(
		"Somebody, hopefully you, forgot the password of this address.",
		"Choose a new one here, within an hour:\n"+link(base, ResetPage, text),
		"You will need your authenticator to sign in with it.", ignore)}
}

func outdated(base string, text secret.Value) letter {
	return letter{"Choose a new password", paragraphs(
		"Your password is older than a year and works no more.",
		"Choose a new one here, within an hour:\n"+link(base, ResetPage, text))}
}

func nobodyHere(base string, _ secret.Value) letter {
	return letter{"There is no account with this address", paragraphs(
		"Somebody, hopefully you, asked for a new password. There is no account with this address. If you have one, it is with another address.",
		"To open an account: "+base+"/sign-up")}
}

func passwordChanged(base string) letter {
	return letter{"Your password was changed", paragraphs("Your password was changed, and your other sessions ended.", wasItYou(base))}
}

func addressKnown() letter {
	return letter{"An address could not be changed", paragraphs(
		"Somebody, hopefully you, wants to sign in with this address in future. It belongs to an account already, so that this cannot be done.")}
}

func newAddress(base string, text secret.Value) letter {
	return letter{"Confirm your new address", paragraphs(
		"Somebody, hopefully you, wants to sign in with this address in future.",
		"Confirm it here, within 24 hours; the address until now has to confirm it too:\n"+link(base, AddressPage, text), ignore)}
}

func oldAddress(base string, text secret.Value) letter {
	return letter{"Confirm the change of your address", paragraphs(
		"Somebody, hopefully you, wants to sign in with another address than this one in future.",
		"Confirm it here, within 24 hours; the new address has to confirm it too:\n"+link(base, AddressPage, text),
		"If it was not you, change your password: "+base+ResetPage)}
}

func addressChanged(base string) letter {
	return letter{"Your address was changed", paragraphs("You sign in with another address from now on.", wasItYou(base))}
}

func enrolled(base string) letter {
	return letter{"An authenticator was set up", paragraphs(
		"An authenticator was set up for your account. Its codes are asked for from now on.", wasItYou(base))}
}

func unenrolled(base string) letter {
	return letter{"Your authenticator was removed", paragraphs(
		"The authenticator of your account was removed. Set up another one: until then you reach your own account only.", wasItYou(base))}
}

func recoveryUsed(base string) letter {
	return letter{"A recovery code was used", paragraphs(
		"Somebody, hopefully you, signed in with a recovery code. Your authenticator was removed and your sessions ended.", wasItYou(base))}
}

func signedInNotice(base string, text secret.Value, fresh bool, from Origin) letter {
	what := "Somebody, hopefully you, signed in while another device of yours is signed in."
	if fresh {
		what = "Somebody, hopefully you, signed in from a device or a network that you did not use before."
	}
	return letter{"A new sign-in", paragraphs(what,
		fmt.Sprintf("Browser: %s\nNetwork address: %s", oneLine(from.Agent), oneLine(from.Address)),
		"If it was you, there is nothing that you need to do. If not, this ends all sessions and the password, and has you choose another one:\n"+link(base, NotMePage, text))}
}

func disowned(base string, text secret.Value) letter {
	return letter{"Choose a new password", paragraphs(
		"You said that a sign-in was not yours. All sessions ended and your password works no more.",
		"Choose a new one here, within an hour:\n"+link(base, ResetPage, text))}
}

func wasItYou(base string) string {
	return "If it was not you, choose a new password now and tell an owner of your company: " + base + ResetPage
}

// oneLine keeps what a stranger's browser calls itself from looking like text of ours.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, clip(s, 120))
	if s == "" || strings.Contains(s, "://") {
		return "unknown"
	}
	return s
}

// document encodes a small map of the ledger's.
func document(m map[string]any) json.RawMessage {
	b, err := json.Marshal(m)
	if err != nil {
		return nil
	}
	return b
}
