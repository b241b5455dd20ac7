package fakeamazon

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"pricemanager/internal/price"
	"pricemanager/test/contract"
)

const (
	opGet    = "getListingsItem"
	opSearch = "searchListingsItems"
	opPatch  = "patchListingsItem"
	// preview is the extra budget that a patch in mode VALIDATION_PREVIEW uses.
	preview = "preview"
)

// Amazon's page "Listings Items API Rate Limits": budgets of the whole
// application over all its sellers, and of validation previews. Bursts are not
// documented there: the rate is taken, the smallest that the rate itself needs.
var applicationRates = map[string]Rate{
	opPatch: {"500", 500}, opGet: {"100", 100}, opSearch: {"100", 100}, preview: {"20", 20},
}

var previewRate = Rate{"1", 1}

// getBurst: the models say 10, the page on rate limits 5. The fake takes the
// stricter one.
const getBurst = 5

// bucket is a token bucket in integers (the generic cell rate algorithm): the
// time at which it would be full again stands for its level, so that no
// rounding adds up. Any window of length w admits at most burst + w/interval.
type bucket struct {
	interval time.Duration // per token, rounded up
	burst    int
	full     time.Time
}

func newBucket(r Rate, speed int64) (*bucket, error) {
	perSecond, ok := new(big.Rat).SetString(r.PerSecond)
	if !ok || strings.ContainsAny(r.PerSecond, "eE/") || perSecond.Sign() <= 0 || r.Burst < 1 {
		return nil, fmt.Errorf("fakeamazon: %q per second with burst %d is no rate", r.PerSecond, r.Burst)
	}
	interval := new(big.Rat).SetInt64(int64(time.Second))
	interval.Quo(interval, perSecond.Mul(perSecond, big.NewRat(speed, 1)))
	up := new(big.Int).Sub(interval.Denom(), big.NewInt(1))
	up.Add(up, interval.Num()).Quo(up, interval.Denom())
	if !up.IsInt64() {
		return nil, errors.New("fakeamazon: a rate is too slow to count")
	}
	return &bucket{interval: time.Duration(up.Int64()), burst: r.Burst}, nil
}

// tokens is the number of whole tokens in the bucket.
func (b *bucket) tokens(now time.Time) int {
	missing := max(b.full.Sub(now), 0)
	used := int((missing + b.interval - 1) / b.interval)
	return max(b.burst-used, 0)
}

func (b *bucket) take(now time.Time) {
	if b.full.Before(now) {
		b.full = now
	}
	b.full = b.full.Add(b.interval)
}

// budgets holds the buckets: per seller and operation, and per application and
// operation.
type budgets struct {
	pace    pace
	spec    *contract.Spec
	changed map[string]Rate
	buckets map[budgetKey]*bucket
}

// budgetKey with no seller is the application's.
type budgetKey struct {
	region price.Region
	seller string
	op     string
}

// plan returns the seller's rate of an operation.
func (b *budgets) plan(op string) Rate {
	if r, ok := b.changed[op]; ok {
		return r
	}
	if op == preview {
		return previewRate
	}
	known, _ := b.spec.Operation(op)
	r := Rate{PerSecond: known.Rate, Burst: known.Burst}
	if op == opGet {
		r.Burst = getBurst
	}
	return r
}

func (b *budgets) bucket(key budgetKey, r Rate) *bucket {
	got := b.buckets[key]
	if got == nil {
		var err error
		if got, err = newBucket(r, b.pace.speed); err != nil {
			panic(err) // New has tried every rate
		}
		b.buckets[key] = got
	}
	return got
}

// level is what a request found: the tokens left in both buckets, and which
// limit refused it, if any.
type level struct {
	seller, app int
	refused     string // Amazon's words for the limit, "" when admitted
}

// take admits the request and takes a token from each bucket that it needs, or
// refuses it and takes none.
func (b *budgets) take(now time.Time, region price.Region, seller, op string, previews bool) level {
	ops := []string{op}
	if previews {
		ops = append(ops, preview)
	}
	var needed []*bucket
	out := level{app: -1}
	for _, op := range ops {
		own := b.bucket(budgetKey{region, seller, op}, b.plan(op))
		needed = append(needed, own)
		if own.tokens(now) < 1 {
			out.refused = "your selling partner account and application"
		}
		if r, ok := applicationRates[op]; ok {
			app := b.bucket(budgetKey{op: op}, r)
			needed = append(needed, app)
			if app.tokens(now) < 1 {
				out.refused = "the application"
			}
		}
	}
	if out.refused == "" {
		for _, bucket := range needed {
			bucket.take(now)
		}
	}
	out.seller = needed[0].tokens(now)
	if len(needed) > 1 {
		out.app = needed[1].tokens(now)
	}
	return out
}

// header is the value of x-amzn-RateLimit-Limit: the seller's rate as the fake
// really grants it.
func (b *budgets) header(op string) string {
	r, _ := new(big.Rat).SetString(b.plan(op).PerSecond)
	text := r.Mul(r, big.NewRat(b.pace.speed, 1)).FloatString(4)
	text = strings.TrimRight(text, "0")
	if strings.HasSuffix(text, ".") {
		text += "0"
	}
	return text
}
