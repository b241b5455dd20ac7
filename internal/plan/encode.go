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
	// Release are the codes that the row was held for and released from: the lane
	// does not hold it for them again.
	Release []price.Code `json:"rel,omitempty"`
}

// pricesJSON is what the files say of a row's prices, both those of the rows and
// those of the lanes, so that it is put into JSON once.
type pricesJSON struct {
	buf []byte
	cut int // where the edit ends and the old prices begin
}

// set encodes the prices in place of those of the row before.
func (e *pricesJSON) set(edit *price.Edit, old *price.Prices) (err error) {
	if e.buf, err = edit.AppendJSON(e.buf[:0]); err != nil {
		return fmt.Errorf("plan: encode row: %w", err)
	}
	e.cut = len(e.buf)
	if e.buf, err = old.AppendJSON(e.buf); err != nil {
		return fmt.Errorf("plan: encode row: %w", err)
	}
	return nil
}

func (e *pricesJSON) edit() []byte { return e.buf[:e.cut] }
func (e *pricesJSON) old() []byte  { return e.buf[e.cut:] }

// appendJSON appends the row as encoding/json writes it.
func (r *LaneRow) appendJSON(b []byte, e *pricesJSON) []byte {
	b = strconv.AppendInt(append(b, `{"n":`...), r.N, 10)
	b = strconv.AppendInt(append(b, `,"line":`...), int64(r.Line), 10)
	b = price.AppendJSONString(append(b, `,"m":`...), string(r.Marketplace))
	b = price.AppendJSONString(append(b, `,"sku":`...), string(r.SKU))
	b = strconv.AppendInt(append(b, `,"v":`...), r.Version, 10)
	b = append(append(b, `,"edit":`...), e.edit()...)
	b = append(append(b, `,"old":`...), e.old()...)
	for i, code := range r.Release {
		b = price.AppendJSONString(append(b, []string{`,"rel":[`, `,`}[min(i, 1)]...), string(code))
	}
	if len(r.Release) > 0 {
		b = append(b, ']')
	}
	return append(b, '}')
}

// appendJSON appends the row as encoding/json writes it.
func (r *Row) appendJSON(b []byte, e *pricesJSON) []byte {
	b = strconv.AppendInt(append(b, `{"n":`...), r.N, 10)
	b = strconv.AppendInt(append(b, `,"line":`...), int64(r.Line), 10)
	b = price.AppendJSONString(append(b, `,"key":{"connection":`...), string(r.Key.Connection))
	b = price.AppendJSONString(append(b, `,"marketplace":`...), string(r.Key.Marketplace))
	b = price.AppendJSONString(append(b, `,"sku":`...), string(r.Key.SKU))
	b = append(b, '}')
	if r.Version != 0 {
		b = strconv.AppendInt(append(b, `,"v":`...), r.Version, 10)
	}
	b = price.AppendJSONString(append(b, `,"verdict":`...), string(r.Verdict))
	b = append(append(b, `,"old":`...), e.old()...)
	b = append(append(b, `,"edit":`...), e.edit()...)
	if r.ChangePercent != "" {
		b = price.AppendJSONString(append(b, `,"changePercent":`...), r.ChangePercent)
	}
	if r.AtRisk != nil {
		b = r.AtRisk.AppendJSON(append(b, `,"atRisk":`...))
	}
	for i := range r.Findings {
		if i == 0 {
			b = append(b, `,"findings":[`...)
		} else {
			b = append(b, ',')
		}
		b = r.Findings[i].appendJSON(b)
	}
	if len(r.Findings) > 0 {
		b = append(b, ']')
	}
	return append(appendLinked(b, r.Linked), '}')
}

func (f *Finding) appendJSON(b []byte) []byte {
	b = price.AppendJSONString(append(b, `{"code":`...), f.Code)
	b = price.AppendJSONString(append(b, `,"column":`...), f.Column)
	b = price.AppendJSONString(append(b, `,"value":`...), f.Value)
	b = price.AppendJSONString(append(b, `,"reason":`...), f.Reason)
	b = price.AppendJSONString(append(b, `,"fix":`...), f.Fix)
	return append(b, '}')
}

func segmentName(id string, i int) string { return fmt.Sprintf("plans/%s/rows-%06d.jsonl", id, i) }

func laneName(id string, c price.ConnectionID, i int) string {
	return fmt.Sprintf("plans/%s/lane-%s-%06d.jsonl", id, c, i)
}

// writer gathers rows into files of JSON lines and remembers their hashes. put
// gets each file as it fills up and must not keep the bytes.
type writer struct {
	per    int // rows per file
	put    func(i int, body []byte) error
	rows   int64
	hashes []string
	buf    []byte
}

// row is what can be written, given its prices: JSON as encoding/json would have
// it.
type row interface {
	appendJSON(b []byte, prices *pricesJSON) []byte
}

func (w *writer) add(r row, prices *pricesJSON) error {
	w.buf = append(r.appendJSON(w.buf, prices), '\n')
	if w.rows++; w.rows%int64(w.per) == 0 {
		return w.flush()
	}
	return nil
}

// flush writes what is left as a last, shorter file.
func (w *writer) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	w.hashes = append(w.hashes, digest(w.buf))
	err := w.put(len(w.hashes)-1, w.buf)
	w.buf = w.buf[:0]
	return err
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
