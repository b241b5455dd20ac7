package metrics_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/clock"
	"pricemanager/internal/runtime/metrics"
)

func writer() (*metrics.Writer, *bytes.Buffer) {
	var b bytes.Buffer
	return metrics.New(&b, clock.NewManual(time.UnixMilli(1795338000123)), "price-sync", "prod"), &b
}

func TestLineIsTheEmbeddedMetricFormat(t *testing.T) {
	t.Parallel()
	m, b := writer()
	m.Emit(map[metrics.Dim]string{metrics.Operation: "patchListingsItem", metrics.Region: "EU"},
		metrics.Count("Sent", 3), metrics.Millis("Latency", 120*time.Millisecond), metrics.Bytes("Body", 512), metrics.Seconds("Eta", 90*time.Second))
	golden, err := os.ReadFile(filepath.Join("testdata", "line.golden"))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(golden), b.String()); d != "" {
		t.Error(d)
	}
}

// TestLineKeepsTheSpecificationsRules checks what the specification says of
// every document: a time in milliseconds, at most 30 dimensions and 100
// metrics, a string member for each dimension and a number for each metric.
func TestLineKeepsTheSpecificationsRules(t *testing.T) {
	t.Parallel()
	m, b := writer()
	values := make([]metrics.Value, 0, 150)
	for i := range 150 {
		values = append(values, metrics.Count(fmt.Sprintf("M%d", i), int64(i)))
	}
	m.Emit(nil, values...)
	m.Emit(map[metrics.Dim]string{metrics.Kind: "x"}, metrics.Count("service", 1), metrics.Count("A", 1), metrics.Count("A", 2))
	seen := 0
	for line := range strings.Lines(b.String()) {
		var doc map[string]any
		if err := json.Unmarshal([]byte(line), &doc); err != nil {
			t.Fatal(err)
		}
		aws := doc["_aws"].(map[string]any)
		dir := aws["CloudWatchMetrics"].([]any)[0].(map[string]any)
		if aws["Timestamp"] != float64(1795338000123) || dir["Namespace"] != "PriceManager" {
			t.Errorf("metadata %v", aws)
		}
		list := dir["Metrics"].([]any)
		seen += len(list)
		if len(list) == 0 || len(list) > 100 {
			t.Errorf("%d metrics in a line", len(list))
		}
		for _, x := range list {
			if _, ok := doc[x.(map[string]any)["Name"].(string)].(float64); !ok {
				t.Errorf("metric %v has no number", x)
			}
		}
		for _, d := range dir["Dimensions"].([]any)[0].([]any) {
			if _, ok := doc[d.(string)].(string); !ok {
				t.Errorf("dimension %v has no text", d)
			}
		}
	}
	if seen != 151 { // 150, and A once; "service" is a dimension
		t.Errorf("%d metrics, want 151", seen)
	}
}

func TestAnIdentifierNeverBecomesADimension(t *testing.T) {
	t.Parallel()
	for v, want := range map[string]string{
		"t_alpha00001": "other", "conn_0123": "other", "/plans/plan_7": "other", "pmk_abc": "other", "3f2a9c1d3f2a9c1d": "other",
		"": "other", "a\nb": "other", strings.Repeat("x", 65): "other", "seller@example.com": "other",
		"/plans/{id}": "/plans/{id}", "A1PA6795UKMFR9": "A1PA6795UKMFR9", "retry-after": "retry-after", "not-found": "not-found",
	} {
		m, b := writer()
		m.Emit(map[metrics.Dim]string{metrics.Route: v}, metrics.Count("N", 1))
		if !strings.Contains(b.String(), fmt.Sprintf("%q:%q", "route", want)) {
			t.Errorf("%q gave %s, want %q", v, b, want)
		}
	}
}

func TestLinesOfManyGoroutinesStayWhole(t *testing.T) {
	t.Parallel()
	m, b := writer()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				m.Emit(nil, metrics.Count("N", 1))
			}
		})
	}
	wg.Wait()
	n := 0
	for line := range strings.Lines(b.String()) {
		if n++; !json.Valid([]byte(line)) {
			t.Fatalf("broken line %q", line)
		}
	}
	if n != 400 {
		t.Errorf("%d lines, want 400", n)
	}
	var none *metrics.Writer
	none.Emit(nil, metrics.Count("N", 1)) // a nil writer discards
}
