package connect

import (
	"encoding/json"
	"fmt"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/secret"
)

// credentials are our application's at Amazon as the vault keeps them:
// {"client_id","client_secret","ends"}. A person who puts them there leaves the
// last one out.
type credentials struct {
	amazon.Credentials

	Ends time.Time // when Amazon will refuse the secret; zero when it is not known
}

type credentialsDoc struct {
	ID     string    `json:"client_id"`
	Secret string    `json:"client_secret"`
	Ends   time.Time `json:"ends,omitzero"`
}

func readCredentials(name string, v secret.Value) (credentials, error) {
	var c credentialsDoc
	// The decoder's error would quote the secret: it is dropped on purpose.
	if json.Unmarshal([]byte(v.Reveal()), &c) != nil || c.ID == "" || c.Secret == "" {
		return credentials{}, fmt.Errorf("connect: secret %s does not hold client_id and client_secret", name)
	}
	return credentials{amazon.Credentials{ClientID: c.ID, ClientSecret: secret.New(c.Secret)}, c.Ends}, nil
}

func (c credentials) value() (secret.Value, error) {
	text, err := json.Marshal(credentialsDoc{c.ClientID, c.ClientSecret.Reveal(), c.Ends.UTC()}) //nolint:gosec // it is made for the vault
	return secret.New(string(text)), err
}
