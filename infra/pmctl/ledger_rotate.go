package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/config"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"pricemanager/internal/clock"
	"pricemanager/internal/ledger"
	"pricemanager/internal/secret"
	"pricemanager/internal/secret/secretsmanager"
	"pricemanager/internal/store/awshttp"
)

// ledgerRotate replaces the key that signs checkpoints. It works with the AWS
// credentials of whoever calls it.
func ledgerRotate() command {
	return command{
		name:  "ledger rotate-key",
		usage: "--stage STAGE",
		about: "sign with a new key from now on; what older ones signed stays good",
		run:   runLedgerRotate,
	}
}

func runLedgerRotate(ctx context.Context, args []string, out io.Writer) error {
	f := newFlags("ledger rotate-key")
	stage := f.String("stage", "", "")
	rest, err := parse(f, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 || *stage == "" {
		return errors.New("give --stage and nothing else")
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	cfg.HTTPClient = awshttp.Wrap(cfg.HTTPClient)
	return rotateSigner(ctx, secretsmanager.NewVersions(sm.NewFromConfig(cfg)), "pm-"+*stage+"/ledger-signer", clock.Real{}, out)
}

// rotateSigner rotates and says which keys there are now.
func rotateSigner(ctx context.Context, vault secret.Versions, name string, clk clock.Clock, out io.Writer) error {
	if err := (ledger.KeyRotation{Vault: vault, Name: name, Clock: clk}).Rotate(ctx); err != nil {
		return err
	}
	v, err := vault.At(ctx, name, secret.Current)
	if err != nil {
		return err
	}
	s, err := ledger.NewSigner(v.Value)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s signs; functions that hold the key before it take the new one within five minutes\n", s.VerifierKey())
	for _, k := range s.Keys()[1:] {
		fmt.Fprintf(out, "%s signed until %s\n", k.Key, k.Until.Format("2006-01-02T15:04:05Z07:00"))
	}
	return nil
}
