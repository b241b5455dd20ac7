package history

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"strconv"
	"sync"
	"time"

	"pricemanager/internal/ledger"
)

// Keep is how long events are kept: thirteen months.
const Keep = 400 * 24 * time.Hour

// sizes are how large runs get.
type sizes struct {
	least    int // leaves that make a run worth writing; fewer are read from the ledger, in a few pages
	most     int // leaves of one new run
	fan      int // runs of one level that make one of the next
	perPiece int // events in a piece, give or take: 20,000 are 1 MB packed and 10 MB to read
}

var usual = sizes{least: 1000, most: 20_000, fan: 8, perPiece: 20_000}

// run is a complete run in the bucket.
type run struct {
	level       int
	from, to    int64     // leaves [from, to)
	first, last time.Time // of its events; zero when it has none
	names       []string  // of its pieces; a power of two of them
	events      int64
}

// prefix of all runs.
const prefix = "runs/"

// name is runs/<level>/<from>-<to>/<first>-<last>-<events>/<piece>-<of>; times in
// Unix milliseconds.
func (r run) name(piece, of int) string {
	return fmt.Sprintf("%s%d/%015d-%015d/%d-%d-%d/%05d-%05d", prefix, r.level, r.from, r.to, millis(r.first), millis(r.last), r.events, piece, of)
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// cover picks from the names those complete runs that hold every leaf once, the
// largest first, and where they end. The rest is what merging or a crash left
// over. spare are the pieces that one run of the cover contains: they may go. A
// piece of an unfinished run that spans several runs of the cover may not: who
// writes it takes those away when it is done, so it must still be there then.
func cover(names []string) (runs []run, end int64, spare []string, err error) {
	type span struct {
		level       int
		from, to    int64
		first, last int64
		events      int64
		of          int
	}
	found := map[span][]string{}
	for _, name := range names {
		var s span
		var piece int
		n, err := fmt.Sscanf(name, prefix+"%d/%d-%d/%d-%d-%d/%d-%d", &s.level, &s.from, &s.to, &s.first, &s.last, &s.events, &piece, &s.of)
		if err != nil || n != 8 || s.of < 1 || bits.OnesCount(uint(s.of)) != 1 || s.to <= s.from {
			return nil, 0, nil, fmt.Errorf("history: %q is not the name of a piece", name)
		}
		found[s] = append(found[s], name)
	}
	var all []run
	for s, pieces := range found {
		slices.Sort(pieces)
		if len(pieces) == s.of {
			all = append(all, run{level: s.level, from: s.from, to: s.to, first: fromMillis(s.first), last: fromMillis(s.last), events: s.events, names: pieces})
		} else {
			all = append(all, run{level: -1, from: s.from, to: s.to, names: pieces})
		}
	}
	slices.SortFunc(all, func(a, b run) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(b.to, a.to), cmp.Compare(b.level, a.level), cmp.Compare(len(a.names), len(b.names)))
	})
	// What is before the first run has expired.
	started := false
	for _, r := range all {
		if r.level >= 0 && (!started || r.from == end) {
			runs, end, started = append(runs, r), r.to, true
		}
	}
	used := map[string]bool{}
	for _, r := range runs {
		for _, n := range r.names {
			used[n] = true
		}
	}
	for _, r := range all {
		if !slices.ContainsFunc(runs, func(c run) bool { return c.from <= r.from && r.to <= c.to }) {
			continue
		}
		spare = append(spare, slices.DeleteFunc(slices.Clone(r.names), func(n string) bool { return used[n] })...)
	}
	return runs, end, spare, nil
}

// pieceOf returns which of a power-of-two number of pieces holds the hash.
func pieceOf(hash uint32, of int) int { return int(uint64(hash) * uint64(of) >> 32) }

// line is one event in a piece: hash, leaf, time in Unix milliseconds and the
// event as the ledger has it, with spaces in between.
type line struct {
	hash uint32
	leaf int64
	at   int64
	json []byte
}

func (l line) append(b []byte) []byte {
	b = strconv.AppendUint(b, uint64(l.hash), 16)
	b = append(b, ' ')
	b = strconv.AppendInt(b, l.leaf, 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, l.at, 10)
	b = append(b, ' ')
	b = append(b, l.json...)
	return append(b, '\n')
}

func parseLine(b []byte) (l line, err error) {
	parts := bytes.SplitN(b, []byte(" "), 4)
	if len(parts) != 4 {
		return line{}, fmt.Errorf("history: cut line in a piece")
	}
	hash, err1 := strconv.ParseUint(string(parts[0]), 16, 32)
	leaf, err2 := strconv.ParseInt(string(parts[1]), 10, 64)
	at, err3 := strconv.ParseInt(string(parts[2]), 10, 64)
	if err := cmp.Or(err1, err2, err3); err != nil {
		return line{}, fmt.Errorf("history: line in a piece: %w", err)
	}
	return line{uint32(hash), leaf, at, parts[3]}, nil
}

func (l line) entry() (Entry, error) {
	var e ledger.Event
	if err := json.Unmarshal(l.json, &e); err != nil {
		return Entry{}, fmt.Errorf("history: leaf %d: %w", l.leaf, err)
	}
	return read(l.leaf, e)
}

// packer writes one piece.
type packer struct {
	out bytes.Buffer
	zip *gzip.Writer
	buf []byte
}

// zips are spare compressors: one takes 800 KB to make.
var zips = sync.Pool{New: func() any {
	z, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a valid constant
	}
	return z
}}

func newPacker() *packer {
	p := &packer{zip: zips.Get().(*gzip.Writer)} //nolint:forcetypeassert // the pool holds nothing else
	p.zip.Reset(&p.out)
	return p
}

func (p *packer) add(l line) error {
	p.buf = l.append(p.buf[:0])
	_, err := p.zip.Write(p.buf)
	return err
}

func (p *packer) bytes() ([]byte, error) {
	err := p.zip.Close()
	zips.Put(p.zip)
	return p.out.Bytes(), err
}

// unpack calls f for every line of a piece; what it gets is valid until it returns.
func unpack(body []byte, f func(line) error) error {
	zip, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("history: piece: %w", err)
	}
	in := bufio.NewReaderSize(zip, 64<<10)
	var long []byte
	for {
		part, err := in.ReadSlice('\n')
		if err == bufio.ErrBufferFull { //nolint:errorlint // ReadSlice returns it as it is
			long = append(long, part...)
			continue
		}
		if err == io.EOF && len(part)+len(long) == 0 { //nolint:errorlint // ReadSlice returns it as it is
			return nil
		}
		if err != nil {
			return fmt.Errorf("history: piece: %w", err)
		}
		text := part
		if len(long) > 0 {
			long = append(long, part...)
			text = long
		}
		l, err := parseLine(text[:len(text)-1])
		if err != nil {
			return err
		}
		if err := f(l); err != nil {
			return err
		}
		long = long[:0]
	}
}
