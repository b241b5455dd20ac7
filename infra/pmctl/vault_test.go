package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"pricemanager/internal/clock"
	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/memkms"
	"pricemanager/internal/personal"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

func TestAVaultLooksAfterEveryTenantsKeys(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	clk := clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	db, kms := memory.New(clk), memkms.New(rand.Reader)
	open := func() *vault {
		return &vault{
			sealer: envelope.New(kms, db, clk), kms: kms, places: personal.Places(), purposes: envelope.Purposes(), since: clk.Now(),
		}
	}
	tenants := []tenant.ID{"t_aaaaaa", "t_bbbbbb", "t_cccccc"}
	for _, id := range tenants {
		item, err := personal.Recipient{City: personal.New("Xylopolis")}.Item(ctx, open().sealer, id, "r1")
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Put(ctx, id, store.Privacy, item); err != nil {
			t.Fatal(err)
		}
	}
	if err := open().sealer.Shred(ctx, "t_cccccc"); err != nil {
		t.Fatal(err)
	}
	run := func(do job) string {
		t.Helper()
		clk.Advance(time.Second)
		var out bytes.Buffer
		if err := open().each(ctx, tenants, &out, do); err != nil {
			t.Fatalf("%v\n%s", err, &out)
		}
		return out.String()
	}
	for _, step := range []struct {
		do   job
		want string // of both tenants that are left
	}{
		{(*vault).rotate, "addresses: version 2 seals"},
		{(*vault).reseal, "5 fields sealed again, 0 old versions destroyed"},
		{(*vault).reseal, "0 fields sealed again, 0 old versions destroyed"},
		{(*vault).rewrap, "2 data keys wrapped anew"},
	} {
		got := run(step.do)
		for _, id := range tenants[:2] {
			if !strings.Contains(got, string(id)+" "+step.want) && !strings.Contains(got, string(id)+": "+step.want) {
				t.Errorf("%q, want %q of %s", got, step.want, id)
			}
		}
	}
	clk.Advance(envelope.Settled + envelope.Kept)
	if got := run((*vault).reseal); strings.Count(got, "1 old versions destroyed") != 2 {
		t.Errorf("%q", got)
	}
	got := run((*vault).status)
	if strings.Contains(got, "LOST") || strings.Contains(got, "addresses/1") || strings.Count(got, "addresses/2: 5 fields") != 2 || strings.Contains(got, "Xylo") {
		t.Errorf("%q", got)
	}
}

func TestAFailingTenantKeepsNobodyElseFromTheirs(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	done := 0
	err := (&vault{}).each(t.Context(), []tenant.ID{"t_aaaaaa", "t_bbbbbb"}, &out, func(_ *vault, _ context.Context, id tenant.ID, _ io.Writer) error {
		if id == "t_aaaaaa" {
			return errors.New("throttled")
		}
		done++
		return nil
	})
	if done != 1 || !errors.Is(err, errVerdict) || !strings.Contains(out.String(), "t_aaaaaa: throttled") {
		t.Errorf("%d done, %v, %q", done, err, out.String())
	}
}

// pages answers scans with one list of partition keys each.
type pages [][]string

func (p *pages) Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	out := &dynamodb.ScanOutput{}
	for _, pk := range (*p)[0] {
		out.Items = append(out.Items, map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: pk}})
	}
	if *p = (*p)[1:]; len(*p) > 0 {
		out.LastEvaluatedKey = map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "x"}}
	}
	return out, nil
}

func TestEveryTenantWithKeysIsFoundOnce(t *testing.T) {
	t.Parallel()
	got, err := withKeys(t.Context(), &pages{{"t_aaaaaa#datakey", "t_aaaaaa#datakey"}, {}, {"t_aaaaaa#datakey", "t_bbbbbb#datakey"}}, "keys")
	if err != nil || len(got) != 2 || got[0] != "t_aaaaaa" || got[1] != "t_bbbbbb" {
		t.Errorf("%v, %v", got, err)
	}
}
