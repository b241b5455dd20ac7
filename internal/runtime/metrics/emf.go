// Package metrics writes CloudWatch metrics in the embedded metric format: one
// JSON line on stdout that CloudWatch Logs turns into metrics, without a call
// to any API.
// Format: docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
//
// A metric that cannot be written is lost without an error. Delivery is at
// least once: a line may be counted twice, so metrics steer and alarm, and the
// ledger counts. Dimensions come from a closed set and their values are held
// to low cardinality: a value that looks like an identifier is written as
// "other", and there is no tenant dimension.
package metrics

import (
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"sync"
	"time"

	"pricemanager/internal/clock"
)

// Namespace is where all metrics of the product live.
const Namespace = "PriceManager"

// Unit is a CloudWatch unit.
type Unit string

// The units in use.
const (
	UnitCount        Unit = "Count"
	UnitMilliseconds Unit = "Milliseconds"
	UnitBytes        Unit = "Bytes"
	UnitSeconds      Unit = "Seconds"
)

// Value is one measured number. Metrics are whole numbers.
type Value struct {
	Name string
	Unit Unit
	N    int64
}

// Count is n occurrences.
func Count(name string, n int64) Value { return Value{name, UnitCount, n} }

// Millis is a duration in whole milliseconds.
func Millis(name string, d time.Duration) Value {
	return Value{name, UnitMilliseconds, d.Milliseconds()}
}

// Seconds is a duration in whole seconds.
func Seconds(name string, d time.Duration) Value {
	return Value{name, UnitSeconds, int64(d / time.Second)}
}

// Bytes is a size.
func Bytes(name string, n int64) Value { return Value{name, UnitBytes, n} }

// Dim names a dimension: a closed set, because every combination of values is
// a metric that is paid for.
type Dim string

// The dimensions besides service and stage, which every metric carries.
const (
	Operation   Dim = "operation"   // e.g. an Amazon operation
	Outcome     Dim = "outcome"     // e.g. a class of amazon.Outcome or a fault.Kind
	Route       Dim = "route"       // a route pattern
	Region      Dim = "region"      // NA, EU, FE
	Marketplace Dim = "marketplace" // an Amazon marketplace id: about 20 exist
	Kind        Dim = "kind"        // e.g. of a message or job
)

// Writer emits metrics of one function. It is safe for concurrent use. A nil
// Writer discards.
type Writer struct {
	mu             sync.Mutex
	w              io.Writer
	clock          clock.Clock
	service, stage string
}

// New returns a Writer of lines to w.
func New(w io.Writer, c clock.Clock, service, stage string) *Writer {
	return &Writer{w: w, clock: c, service: service, stage: stage}
}

// maxValues is how many metrics one line may carry (specification).
const maxValues = 100

// Emit writes values under the dimensions service, stage and dims, in one line
// per 100 values.
func (m *Writer) Emit(dims map[Dim]string, values ...Value) {
	if m == nil {
		return
	}
	for chunk := range slices.Chunk(values, maxValues) {
		m.line(dims, chunk)
	}
}

func (m *Writer) line(dims map[Dim]string, values []Value) {
	type metric struct {
		Name string
		Unit Unit
	}
	names := []string{"service", "stage"}
	doc := map[string]any{"service": m.service, "stage": m.stage}
	for _, d := range []Dim{Operation, Outcome, Route, Region, Marketplace, Kind} {
		if v, ok := dims[d]; ok {
			names = append(names, string(d))
			doc[string(d)] = tame(v)
		}
	}
	list := make([]metric, 0, len(values))
	for _, v := range values {
		if _, twice := doc[v.Name]; twice {
			continue // a name is a member of the line: the first one stands
		}
		list = append(list, metric{v.Name, v.Unit})
		doc[v.Name] = v.N
	}
	doc["_aws"] = map[string]any{
		"Timestamp": m.clock.Now().UnixMilli(),
		"CloudWatchMetrics": []any{map[string]any{
			"Namespace": Namespace, "Dimensions": [][]string{names}, "Metrics": list,
		}},
	}
	b, err := json.Marshal(doc)
	if err != nil {
		return // strings and int64s always encode
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	_, _ = m.w.Write(append(b, '\n'))
}

var (
	plain      = regexp.MustCompile(`^[A-Za-z0-9 /{}._:-]{1,64}$`)
	identifier = regexp.MustCompile(`(^|[^a-z])(t|conn|plan|bat|exp|imp|pmk)_[a-z0-9]|[0-9a-f]{16}`)
)

// tame returns v when it can be one of a few values, else "other".
func tame(v string) string {
	if !plain.MatchString(v) || identifier.MatchString(v) {
		return "other"
	}
	return v
}
