package main

import (
	"bytes"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/secret"
	"pricemanager/test/fakeamazon"
)

func TestTheDemoFilesAreWhatTheGeneratorWrites(t *testing.T) {
	t.Parallel()
	if err := run("..", true); err != nil {
		t.Error(err)
	}
}

func TestTheFakeAmazonTakesTheDemoCatalogue(t *testing.T) {
	t.Parallel()
	fake, err := fakeamazon.New(fakeamazon.Config{
		Clock: clock.NewManual(time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)),
		Application: fakeamazon.Application{
			ID: "amzn1.sellerapps.app.demo", ClientID: "id", ClientSecret: secret.New("unused"), RedirectURIs: []string{"http://localhost/oauth/callback"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := fake.LoadSeed(bytes.NewReader(seed(catalogue()))); err != nil {
		t.Error(err)
	}
}
