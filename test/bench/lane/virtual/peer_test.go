//go:build bench

package virtual

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/secret"
)

// TestOurEngineBesideItsPeers sends a batch over HTTP in real time: one of the
// senders of the bench's comparison, which judges it by what Amazon saw. The tag
// keeps it out of the tests, where it would have nothing to send to.
func TestOurEngineBesideItsPeers(t *testing.T) {
	where := strings.Fields(os.Getenv(Target))
	if len(where) != 4 {
		t.Fatalf("%s does not say where to send to", Target)
	}
	n, err := strconv.Atoi(where[3])
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.base, w.calls = "http://127.0.0.1:"+where[0], http.DefaultTransport
	w.deploy()
	c := price.ConnectionID(strings.TrimPrefix(where[2], "A2"))
	w.connect(c, n)
	w.refresh[c] = secret.New(where[1])
	w.start()
	w.apply("bat_peer", "19.00", 0, map[price.ConnectionID]int64{c: int64(n)})
	w.finish("bat_peer", 3*time.Minute)
	w.halt()
}
