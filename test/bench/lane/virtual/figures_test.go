package virtual

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"testing"
)

// figures are what the tests measured, for the bench.
var figures = struct {
	sync.Mutex
	values map[string]float64
}{values: map[string]float64{}}

// full says that this is the bench, at full size.
func full() bool { return os.Getenv(Figures) != "" }

func scale(small, large int) int {
	if full() {
		return large
	}
	return small
}

func measured(t *testing.T, name string, v float64) {
	t.Helper()
	t.Logf("%s %.4g", name, v)
	figures.Lock()
	defer figures.Unlock()
	figures.values[name] = v
}

func TestMain(m *testing.M) {
	code := m.Run()
	if file := os.Getenv(Figures); file != "" {
		text, err := json.Marshal(figures.values)
		if err == nil {
			err = os.WriteFile(file, text, 0o600)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}
