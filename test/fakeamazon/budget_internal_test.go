package fakeamazon

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever the arrivals, no window of any length admits more than the burst
// plus what the rate refills in it, and a client that waits for its token is
// always admitted.
func TestBucketAdmitsBurstPlusRateInEveryWindow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rate := Rate{rapid.SampledFrom([]string{"5", "0.0167", "2", "0.016", "500"}).Draw(t, "rate"), rapid.IntRange(1, 15).Draw(t, "burst")}
		b, err := newBucket(rate, rapid.Int64Range(1, 50).Draw(t, "speed"))
		if err != nil {
			t.Fatal(err)
		}
		now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
		var admitted []time.Time
		for range rapid.IntRange(1, 80).Draw(t, "n") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(2*b.interval)).Draw(t, "gap")))
			before := b.tokens(now)
			if before < 1 {
				continue
			}
			b.take(now)
			if after := b.tokens(now); after != before-1 {
				t.Fatalf("tokens went from %d to %d", before, after)
			}
			admitted = append(admitted, now)
		}
		for i := range admitted {
			for j := i; j < len(admitted); j++ {
				window := admitted[j].Sub(admitted[i])
				if n, most := j-i+1, rate.Burst+int(window/b.interval); n > most {
					t.Fatalf("%d admitted within %v, at most %d", n, window, most)
				}
			}
		}
		if b.tokens(now.Add(b.interval)) < 1 {
			t.Fatal("no token after a whole interval")
		}
	})
}

func TestRatesAreExact(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rate  string
		speed int64
		want  time.Duration
	}{
		{"5", 1, 200 * time.Millisecond},
		{"5", 20, 10 * time.Millisecond},
		{"0.0167", 1, 59880239521}, // 1e9/0.0167 rounded up: never faster than the rate
		{"3", 1, 333333334},
	} {
		b, err := newBucket(Rate{c.rate, 1}, c.speed)
		if err != nil || b.interval != c.want {
			t.Errorf("%s/s at speed %d: %v (%v), want %v", c.rate, c.speed, b, err, c.want)
		}
	}
	for _, bad := range []Rate{{"0", 1}, {"-1", 1}, {"x", 1}, {"1", 0}, {"1e3", 1}, {"1/2", 1}, {"", 1}} {
		if _, err := newBucket(bad, 1); err == nil {
			t.Errorf("rate %v was taken", bad)
		}
	}
}
