package privacy

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"pricemanager/internal/ledger"
	"pricemanager/internal/tenant"
)

// How long backups bring back what was deleted: the point-in-time recovery of the
// tables (template.yaml; the keys table has the shorter one, so that what the
// other backups hold sealed opens no more after it).
const (
	KeysInBackups   = 7 * 24 * time.Hour
	TablesInBackups = 35 * 24 * time.Hour
)

// Receipt is our signed statement that a tenant was erased. It holds the opaque
// tenant id and nothing else of the tenant. Signed, it is a note:
//
//	pricemanager.ledger/erasure
//	tenant <id>
//	erasure <id>
//	requested <time, RFC 3339, UTC>
//	started <time>
//	erased <time>
//	no backup has its keys from <time>
//	no backup has its records from <time>
//	ledger <size, decimal> <root, base64>
//
// The ledger's line is its last state: the tree stays, what its leaves stand for
// cannot be opened any more.
type Receipt struct {
	Tenant    tenant.ID
	Erasure   string
	Requested time.Time // all whole seconds
	Started   time.Time
	Erased    time.Time
	KeysGone  time.Time
	AllGone   time.Time
	Size      int64
	Root      tlog.Hash
}

const receiptOrigin = ledger.KeyName + "/erasure"

// receiptFields are what begins each line.
var receiptFields = []string{
	"tenant ", "erasure ", "requested ", "started ", "erased ", "no backup has its keys from ", "no backup has its records from ", "ledger ",
}

func (r Receipt) text() string {
	values := []string{string(r.Tenant), r.Erasure}
	for _, at := range []time.Time{r.Requested, r.Started, r.Erased, r.KeysGone, r.AllGone} {
		values = append(values, at.UTC().Format(time.RFC3339))
	}
	values = append(values, strconv.FormatInt(r.Size, 10)+" "+base64.StdEncoding.EncodeToString(r.Root[:]))
	lines := receiptOrigin + "\n"
	for i, v := range values {
		lines += receiptFields[i] + v + "\n"
	}
	return lines
}

// Sign returns the signed note.
func (r Receipt) Sign(s *ledger.Signer) (string, error) {
	msg, err := note.Sign(&note.Note{Text: r.text()}, s)
	if err != nil {
		return "", fmt.Errorf("privacy: sign receipt of %s: %w", r.Erasure, err)
	}
	return string(msg), nil
}

// OpenReceipt checks the signature and form of a signed receipt under our public
// keys, as ledger.ParseKeys reads them; the key that signed has to have been in use
// when everything was erased. Exactly one spelling is accepted.
func OpenReceipt(signed, keys string) (Receipt, error) {
	ring, err := ledger.ParseKeys(keys)
	if err != nil {
		return Receipt{}, err
	}
	text, by, err := ledger.OpenNote(signed, ring)
	if err != nil {
		return Receipt{}, fmt.Errorf("privacy: receipt: %w", err)
	}
	bad := errors.New("privacy: the note is signed but is no erasure receipt")
	lines := strings.Split(text, "\n")
	if len(lines) != len(receiptFields)+2 {
		return Receipt{}, bad
	}
	values := make([]string, len(receiptFields))
	for i, field := range receiptFields {
		var ok bool
		if values[i], ok = strings.CutPrefix(lines[i+1], field); !ok {
			return Receipt{}, bad
		}
	}
	r := Receipt{Tenant: tenant.ID(values[0]), Erasure: values[1]}
	for i, at := range []*time.Time{&r.Requested, &r.Started, &r.Erased, &r.KeysGone, &r.AllGone} {
		if *at, err = time.Parse(time.RFC3339, values[2+i]); err != nil {
			return Receipt{}, bad
		}
	}
	size, root, _ := strings.Cut(values[7], " ")
	if r.Size, err = strconv.ParseInt(size, 10, 64); err != nil {
		return Receipt{}, bad
	}
	if r.Root, err = tlog.ParseHash(root); err != nil || r.text() != text || !r.Tenant.Valid() {
		return Receipt{}, bad
	}
	return r, by.At(r.Erased)
}

// tombstone is what remains of a tenant outside of everything that a restore can
// bring back.
type tombstone struct {
	Tenant  tenant.ID `json:"tenant"`
	Erasure string    `json:"erasure"`
	Started time.Time `json:"startedAt"`
	Erased  time.Time `json:"erasedAt"`
}

func (t tombstone) encode() ([]byte, error) {
	b, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("privacy: encode tombstone: %w", err)
	}
	return append(b, '\n'), nil
}
