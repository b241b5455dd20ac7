package runtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"strings"

	"github.com/sethvargo/go-envconfig"

	"pricemanager/internal/price"
	"pricemanager/internal/store"
)

// Stage says where the function runs.
type Stage string

// The stages. Only Local may speak plain HTTP.
const (
	Local Stage = "local"
	Dev   Stage = "dev"
	Prod  Stage = "prod"
)

// Base is what every function reads. STAGE has no default: a function that does
// not know where it is must not guess the stage with the weakest rules.
type Base struct {
	Stage    Stage      `env:"STAGE, required"`
	LogLevel slog.Level `env:"LOG_LEVEL, default=INFO"`
	Version  string     `env:"SERVICE_VERSION, default=dev"`
	Service  string     `env:"AWS_LAMBDA_FUNCTION_NAME, default=local"`
}

// Validate refuses an unknown stage.
func (b Base) Validate() error {
	switch b.Stage {
	case Local, Dev, Prod:
		return nil
	}
	return fmt.Errorf("STAGE is %q: want local, dev or prod", b.Stage)
}

func (b Base) base() Base { return b }

// Config is a function's configuration: a struct that embeds Base and holds
// the other groups it needs.
type Config interface{ base() Base }

// Tables are the names of the tables. A function is given those it may use.
type Tables struct {
	Offers      string `env:"TABLE_OFFERS"`
	Identity    string `env:"TABLE_IDENTITY"`
	Connections string `env:"TABLE_CONNECTIONS"`
	Ledger      string `env:"TABLE_LEDGER"`
	Privacy     string `env:"TABLE_PRIVACY"`
	Keys        string `env:"TABLE_KEYS"`
	Limits      string `env:"TABLE_LIMITS"`
}

// Names maps the tables that were given to their names.
func (t Tables) Names() map[store.Table]string {
	return given(map[store.Table]string{
		store.Offers: t.Offers, store.Identity: t.Identity, store.Connections: t.Connections,
		store.Ledger: t.Ledger, store.Privacy: t.Privacy, store.Keys: t.Keys, store.Limits: t.Limits,
	})
}

// Buckets are the names of the buckets.
type Buckets struct {
	Files   string `env:"BUCKET_FILES"`
	Exports string `env:"BUCKET_EXPORTS"`
	Archive string `env:"BUCKET_ARCHIVE"`
	History string `env:"BUCKET_HISTORY"`
	// Downloads keeps tables that sellers take away.
	Downloads string `env:"BUCKET_DOWNLOADS"`
}

// Names maps the buckets that were given to their names.
func (b Buckets) Names() map[store.Bucket]string {
	return given(map[store.Bucket]string{store.Files: b.Files, store.Exports: b.Exports, store.Archive: b.Archive, store.History: b.History, store.Downloads: b.Downloads})
}

func given[K comparable](m map[K]string) map[K]string {
	for k, v := range m {
		if v == "" {
			delete(m, k)
		}
	}
	return m
}

// Queues are the URLs of the queues.
type Queues struct {
	Doorbell string `env:"QUEUE_DOORBELL"`
	Privacy  string `env:"QUEUE_PRIVACY"`
	Plans    string `env:"QUEUE_PLANS"`
	Pulls    string `env:"QUEUE_PULLS"`
	// Downloads has tables made.
	Downloads string `env:"QUEUE_DOWNLOADS"`
	// Notices has owners told of changes of their guards.
	Notices string `env:"QUEUE_NOTICES"`
}

// Secrets are the names of secrets, never their content, and of the key that
// data keys are wrapped under.
type Secrets struct {
	LWA              string `env:"SECRET_LWA"`
	Pepper           string `env:"SECRET_PEPPER"`
	LedgerSigner     string `env:"SECRET_LEDGER_SIGNER"`
	ConnectionPrefix string `env:"SECRET_CONNECTION_PREFIX"`
	DataKey          string `env:"KMS_DATA_KEY"`
}

// Amazon is where Amazon is and who we are there.
type Amazon struct {
	EndpointNA       string `env:"SPAPI_ENDPOINT_NA, default=https://sellingpartnerapi-na.amazon.com"`
	EndpointEU       string `env:"SPAPI_ENDPOINT_EU, default=https://sellingpartnerapi-eu.amazon.com"`
	EndpointFE       string `env:"SPAPI_ENDPOINT_FE, default=https://sellingpartnerapi-fe.amazon.com"`
	LWA              string `env:"LWA_ENDPOINT, default=https://api.amazon.com/auth/o2/token"`
	ConsentNA        string `env:"CONSENT_URL_NA, default=https://sellercentral.amazon.com/apps/authorize/consent"`
	ConsentEU        string `env:"CONSENT_URL_EU, default=https://sellercentral-europe.amazon.com/apps/authorize/consent"`
	ConsentFE        string `env:"CONSENT_URL_FE, default=https://sellercentral.amazon.co.jp/apps/authorize/consent"`
	ApplicationID    string `env:"APPLICATION_ID"`
	ApplicationDraft bool   `env:"APPLICATION_DRAFT"`
}

// Endpoints are the Selling Partner API's addresses by region.
func (a Amazon) Endpoints() map[price.Region]string {
	return map[price.Region]string{price.NA: a.EndpointNA, price.EU: a.EndpointEU, price.FE: a.EndpointFE}
}

// Consent are the addresses of the pages where a seller authorises us, by region.
func (a Amazon) Consent() map[price.Region]string {
	return map[price.Region]string{price.NA: a.ConsentNA, price.EU: a.ConsentEU, price.FE: a.ConsentFE}
}

// Limits say how often the API may be asked; see package limit, whose Quotas they are.
type Limits struct {
	Allow  string `env:"LIMIT_ALLOW"`
	Tenant int    `env:"LIMIT_TENANT"`
	Caller int    `env:"LIMIT_CALLER"`
}

// Public is where our own API is reached, without a slash at the end.
type Public struct {
	URL string `env:"PUBLIC_URL"`
}

// Load fills cfg from the environment and checks it: everything required is
// there, each group's Validate agrees, and unless STAGE is local no address in
// it, nor any that the AWS SDK would take from the environment, is plain HTTP.
// The error names variables and fields and shows no values.
func Load(ctx context.Context, cfg Config) error { return load(ctx, cfg, os.Environ()) }

func load(ctx context.Context, cfg Config, environ []string) error {
	env := map[string]string{}
	for _, kv := range environ {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
	}
	if err := envconfig.ProcessWith(ctx, &envconfig.Config{Target: cfg, Lookuper: envconfig.MapLookuper(env)}); err != nil {
		return fmt.Errorf("runtime: configuration: %w", err)
	}
	errs := validate(reflect.ValueOf(cfg).Elem())
	if cfg.base().Stage != Local {
		errs = append(errs, plainHTTP(reflect.ValueOf(cfg).Elem())...)
		for k, v := range env {
			if strings.HasPrefix(k, "AWS_ENDPOINT_URL") && isPlain(v) {
				errs = append(errs, fmt.Errorf("%s is plain HTTP, which only STAGE=local may use", k))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("runtime: configuration: %w", err)
	}
	return nil
}

// validate asks every group that can check itself.
func validate(v reflect.Value) []error {
	var errs []error
	for i := range v.NumField() {
		f := v.Field(i)
		if f.Kind() != reflect.Struct || !f.CanInterface() {
			continue
		}
		if c, ok := f.Interface().(interface{ Validate() error }); ok {
			if err := c.Validate(); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errs
}

// plainHTTP finds addresses without TLS in any text field, also in those that
// nobody thought of as an address.
func plainHTTP(v reflect.Value) []error {
	var errs []error
	for i := range v.NumField() {
		f, t := v.Field(i), v.Type().Field(i)
		switch {
		case f.Kind() == reflect.Struct:
			errs = append(errs, plainHTTP(f)...)
		case f.Kind() == reflect.String && isPlain(f.String()):
			name, _, _ := strings.Cut(t.Tag.Get("env"), ",")
			errs = append(errs, fmt.Errorf("%s (%s) is plain HTTP, which only STAGE=local may use", name, t.Name))
		}
	}
	return errs
}

func isPlain(s string) bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(s)), "http://")
}
