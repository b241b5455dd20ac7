package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"pricemanager/infra/local/canaries"
	"pricemanager/infra/local/localaws"
	"pricemanager/infra/local/stack"
	"pricemanager/internal/clock"
	"pricemanager/internal/identity"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/store/dynamo"
	"pricemanager/internal/tenant"
	"pricemanager/test/canary"
	"pricemanager/test/fakeamazon"
)

const (
	// speed makes the fake Amazon faster than the real one: a seller may make 50
	// requests a second, and prices show after 0.2 to 0.6 s.
	speed = 10
	// redelivery is how long a message is hidden, in seconds. On AWS it is far
	// longer than any invocation; here messages come again while the first worker
	// is still at it.
	redelivery = 12
	// de is where all sellers sell, in EUR.
	de         = price.MarketplaceID("A1PA6795UKMFR9")
	firstPrice = "20.00"
)

// world is the running product with everything around it.
type world struct {
	*stack.Stack
	proxy  *proxy
	amazon panel
	log    *os.File
	watch  *canaries.Watch
	state  string   // the stack's directory, gone after close
	keys   []string // of the sellers
	keysMu sync.Mutex
	say    func(format string, args ...any)
}

// open starts the proxy and the stack behind it. The log is kept when it fails.
func open(ctx context.Context, out io.Writer) (w *world, err error) {
	root, err := localaws.ProjectRoot()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(root, ".local", "soak-local")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	begun := time.Now()
	w = &world{say: func(format string, args ...any) {
		fmt.Fprintf(out, "%5.1f s  "+format+"\n", append([]any{time.Since(begun).Seconds()}, args...)...)
	}}
	if w.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	w.say("starting (log: %s)", w.log.Name())
	port, err := freePort(ctx)
	if err != nil {
		return w, err
	}
	if w.proxy, err = startProxy(ctx, port, w.log); err != nil {
		return w, err
	}
	if w.state, err = os.MkdirTemp("", "soak-"); err != nil {
		return w, err
	}
	w.Stack, err = stack.Up(ctx, stack.Options{
		StateDir: w.state, AWSPort: port, EndpointForFunctions: w.proxy.url, Speed: speed, Log: w.log,
		// Short, and still longer than an intent lives and a price takes to show.
		Parameters: map[string]string{"UnknownFor": "2s", "ConfirmWithin": "60s", "LimitAllow": "127.0.0.1", "TenantQuota": "60000", "CallerQuota": "60000"},
	})
	if err != nil {
		return w, err
	}
	w.amazon, w.watch = panel{w.AdminURL}, canaries.New(w.Stack)
	w.watch.Answers = answers
	_, err = sqs.NewFromConfig(w.Config()).SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{
		QueueUrl:   aws.String(w.Outputs["DoorbellQueueUrl"]),
		Attributes: map[string]string{"VisibilityTimeout": strconv.Itoa(redelivery)},
	})
	return w, err
}

// close ends everything that open started.
func (w *world) close() error {
	var errs []error
	if w.Stack != nil {
		errs = append(errs, w.Close())
	}
	if w.proxy != nil {
		w.proxy.close()
	}
	return errors.Join(append(errs, w.log.Close(), os.RemoveAll(w.state))...)
}

// search closes the stack and looks for planted secrets and personal data in
// everything that it left and said.
func (w *world) search(ctx context.Context) (canary.Figures, error) {
	if err := errors.Join(w.watch.Remember(ctx), w.Close()); err != nil {
		return canary.Figures{}, err
	}
	for _, key := range w.keys {
		w.watch.Also(canary.Secret("API key", key))
	}
	log, err := os.ReadFile(w.log.Name())
	if err != nil {
		return canary.Figures{}, err
	}
	return w.watch.Search(w.state, map[string][]byte{"log": log})
}

// invoke calls a function through the Lambda API, past the proxy.
func (w *world) invoke(ctx context.Context, function, event string) error {
	out, err := lambda.NewFromConfig(w.Config()).Invoke(ctx, &lambda.InvokeInput{
		FunctionName: aws.String(w.Function(function)), Payload: []byte(event),
	})
	if err == nil && out.FunctionError != nil {
		err = fmt.Errorf("%s: %s: %s", function, *out.FunctionError, out.Payload)
	}
	return err
}

// repeat puts a doorbell into the queue that somebody has sent before.
func (w *world) repeat(ctx context.Context, s *seller) error {
	body := fmt.Sprintf(`{"kind":"lane","tenant":%q,"connection":%q}`, s.tenant, s.conn)
	_, err := sqs.NewFromConfig(w.Config()).SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: aws.String(w.Outputs["DoorbellQueueUrl"]), MessageBody: aws.String(body),
	})
	return err
}

// seller is a tenant of its own with one connected seller account.
type seller struct {
	w       *world
	api     api
	tenant  tenant.ID
	account string // at Amazon
	conn    price.ConnectionID
	skus    []string
}

// seller makes a tenant whose account is connected and whose offers are known.
func (w *world) seller(ctx context.Context, name string, n int) (*seller, error) {
	s := &seller{w: w, tenant: tenant.ID("t_soak" + strings.ToLower(name) + "0001"), account: "A2SOAK" + name}
	listings := make([]fakeamazon.Listing, n)
	for i := range n {
		s.skus = append(s.skus, fmt.Sprintf("%s-%04d", name, i+1))
		listings[i] = fakeamazon.Listing{Marketplace: de, SKU: price.SKU(s.skus[i]), Price: firstPrice}
	}
	seed := fakeamazon.Seed{Sellers: []fakeamazon.Seller{
		{ID: s.account, Region: price.EU, Marketplaces: []price.MarketplaceID{de}, Listings: listings},
	}}
	if err := w.amazon.do(ctx, "POST", "sellers", seed, nil); err != nil {
		return nil, err
	}
	db := dynamo.New(dynamodb.NewFromConfig(w.Config()), map[store.Table]string{store.Identity: w.Outputs["IdentityTableName"]})
	peppers := func(ctx context.Context, _ bool) ([]secret.Value, error) {
		out, err := secretsmanager.NewFromConfig(w.Config()).GetSecretValue(ctx,
			&secretsmanager.GetSecretValueInput{SecretId: aws.String(w.Outputs["PepperSecretArn"])})
		if err != nil {
			return nil, err
		}
		return []secret.Value{secret.New(aws.ToString(out.SecretString))}, nil
	}
	if err := identity.NewTenants(db, w.Sealer(), clock.Real{}).Create(ctx, s.tenant, "soak", name); err != nil {
		return nil, err
	}
	_, key, err := identity.NewKeys(db, peppers, clock.Real{}, rand.Reader).Sealing(w.Sealer()).Create(ctx, s.tenant, "soak", name, identity.Scopes())
	if err != nil {
		return nil, err
	}
	s.api = api{w.URL, key}
	w.keysMu.Lock()
	w.keys = append(w.keys, key.Reveal())
	w.keysMu.Unlock()
	c, err := ask[connectionDoc](ctx, s.api, "POST", "/connections", `{"region":"EU"}`)
	if err != nil {
		return nil, err
	}
	if err := w.Consent(ctx, c.AuthorizeURL, s.account); err != nil {
		return nil, err
	}
	s.conn = price.ConnectionID(c.ID)
	err = until(ctx, time.Minute, "the offers of "+name+" are known", func() (bool, error) {
		c, err := ask[connectionDoc](ctx, s.api, "GET", "/connections/"+c.ID, "")
		return c.Import.State == "done" && c.Import.Known == n, err
	})
	return s, err
}

// shows is the price that Amazon shows for a SKU.
func (s *seller) shows(ctx context.Context, sku string) (string, error) {
	var l fakeamazon.Listing
	q := url.Values{"region": {"EU"}, "seller": {s.account}, "marketplace": {string(de)}, "sku": {sku}}
	err := s.w.amazon.do(ctx, "GET", "listing?"+q.Encode(), nil, &l)
	return l.Price, err
}

// until asks until it is so.
func until(ctx context.Context, limit time.Duration, what string, so func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		ok, err := so()
		if err != nil || ok {
			return err
		}
		if err := (clock.Real{}).Sleep(ctx, 400*time.Millisecond); err != nil {
			return fmt.Errorf("gave up after %s waiting until %s: %w", limit, what, err)
		}
	}
}
