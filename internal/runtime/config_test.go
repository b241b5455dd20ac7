package runtime

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/price"
	"pricemanager/internal/store"
)

type everything struct {
	Base
	Tables  Tables
	Buckets Buckets
	Queues  Queues
	Secrets Secrets
	Amazon  Amazon
	Public  Public
}

func TestConfigurationIsReadFromTheEnvironment(t *testing.T) {
	t.Parallel()
	var cfg everything
	err := load(context.Background(), &cfg, []string{
		"STAGE=local", "LOG_LEVEL=DEBUG", "TABLE_OFFERS=pm-offers", "BUCKET_FILES=pm-files", "QUEUE_DOORBELL=http://localhost:4566/q",
		"SPAPI_ENDPOINT_EU=http://localhost:9000", "APPLICATION_DRAFT=true", "PUBLIC_URL=http://localhost:8080", "AWS_ENDPOINT_URL=http://localhost:4566",
	})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Stage != Local || cfg.LogLevel != slog.LevelDebug || cfg.Version != "dev" || !cfg.Amazon.ApplicationDraft {
		t.Errorf("%+v", cfg)
	}
	if d := cmp.Diff(map[store.Table]string{store.Offers: "pm-offers"}, cfg.Tables.Names()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[store.Bucket]string{store.Files: "pm-files"}, cfg.Buckets.Names()); d != "" {
		t.Error(d)
	}
	if e := cfg.Amazon.Endpoints(); e[price.EU] != "http://localhost:9000" || e[price.NA] != "https://sellingpartnerapi-na.amazon.com" {
		t.Errorf("endpoints %v", e)
	}
}

func TestStageIsNeverGuessed(t *testing.T) {
	t.Parallel()
	for _, env := range [][]string{nil, {"STAGE="}, {"STAGE=production"}} {
		if err := load(context.Background(), &everything{}, env); err == nil || !strings.Contains(err.Error(), "STAGE") && !strings.Contains(err.Error(), "Stage") {
			t.Errorf("%v gave %v", env, err)
		}
	}
}

func TestPlainHTTPIsForLocalOnly(t *testing.T) {
	t.Parallel()
	// Each variable that can hold an address, and one that nobody thinks of as one.
	for _, name := range []string{
		"SPAPI_ENDPOINT_NA", "SPAPI_ENDPOINT_EU", "SPAPI_ENDPOINT_FE", "LWA_ENDPOINT", "CONSENT_URL_NA", "CONSENT_URL_EU", "CONSENT_URL_FE",
		"PUBLIC_URL", "QUEUE_DOORBELL", "QUEUE_PRIVACY", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "TABLE_OFFERS",
	} {
		for _, stage := range []string{"dev", "prod", "local"} {
			err := load(context.Background(), &everything{}, []string{"STAGE=" + stage, name + "= HTTP://canary.example"})
			if stage == "local" {
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "canary") {
				t.Errorf("%s at %s gave %v; want an error with its name and not its value", name, stage, err)
			}
		}
	}
	if err := load(context.Background(), &everything{}, []string{"STAGE=prod", "LWA_ENDPOINT=https://api.amazon.com"}); err != nil {
		t.Error(err)
	}
}
