package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"

	"pricemanager/internal/price"
)

const (
	segmentRows = 1_000 // rows of one row file: a page of the report reads few
	chunkRows   = 2_500 // rows of one lane file: as many as a lane stages at a time
)

// LaneRow is a planned row as a lane needs it. It has the fields of the lane's
// own row type, in the same order, so that one converts to the other.
type LaneRow struct {
	N           int64               `json:"n"`    // Row.N, unique in the plan
	Line        int                 `json:"line"` // line in the seller's file
	Marketplace price.MarketplaceID `json:"m"`
	SKU         price.SKU           `json:"sku"`
	Version     int64               `json:"v"` // offer version that the plan saw
	Edit        price.Edit          `json:"edit"`
	Old         price.Prices        `json:"old"`
}

func segmentName(id string, i int) string { return fmt.Sprintf("plans/%s/rows-%06d.jsonl", id, i) }

func laneName(id string, c price.ConnectionID, i int) string {
	return fmt.Sprintf("plans/%s/lane-%s-%06d.jsonl", id, c, i)
}

// writer gathers rows into files of JSON lines and remembers their hashes.
type writer struct {
	per    int // rows per file
	put    func(i int, body []byte) error
	rows   int64
	hashes []string
	buf    bytes.Buffer
}

func (w *writer) add(row any) error {
	line, err := json.Marshal(row)
	if err != nil {
		return fmt.Errorf("plan: encode row: %w", err)
	}
	w.buf.Write(line)
	w.buf.WriteByte('\n')
	if w.rows++; w.rows%int64(w.per) == 0 {
		return w.flush()
	}
	return nil
}

// flush writes what is left as a last, shorter file.
func (w *writer) flush() error {
	if w.buf.Len() == 0 {
		return nil
	}
	body := bytes.Clone(w.buf.Bytes())
	w.buf.Reset()
	w.hashes = append(w.hashes, digest(body))
	return w.put(len(w.hashes)-1, body)
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func decode[T any](body []byte) ([]T, error) {
	var out []T
	for line := range bytes.Lines(body) {
		var row T
		if err := json.Unmarshal(line, &row); err != nil {
			return nil, fmt.Errorf("plan: row %s of a stored file: %w", strconv.Itoa(len(out)), err)
		}
		out = append(out, row)
	}
	return out, nil
}

// tokenVersion is the first part of every token: how it was computed.
const tokenVersion = "p1_"

// seal returns the header's canonical bytes, JSON with the members in the order
// of the struct, and the token that stands for them.
func seal(h Header) (canonical []byte, token string, err error) {
	canonical, err = json.Marshal(h)
	if err != nil {
		return nil, "", fmt.Errorf("plan: encode header: %w", err)
	}
	return canonical, tokenOf(canonical), nil
}

// tokenOf is SHA-256 over a label and the canonical header. The label keeps the
// hash from meaning anything elsewhere.
func tokenOf(canonical []byte) string {
	return tokenVersion + digest(append([]byte("pricemanager plan 1\n"), canonical...))
}
