package demo

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"
)

// shown is how many planned rows of a file the table shows; every row that was
// held or refused is always shown.
const shown = 8

// showPlan prints a plan as a table.
func showPlan(w io.Writer, file string, p planDoc, rows []planRow) {
	s := p.Summary
	risk := make([]string, len(s.AtRisk))
	for i, m := range s.AtRisk {
		risk[i] = m.String()
	}
	fmt.Fprintf(w, "\nPlan of %s: %d rows = %d planned + %d held + %d refused + %d unchanged\n", file, s.Rows, s.Planned, s.Held, s.Refused, s.Unchanged)
	if s.Planned > 0 {
		fmt.Fprintf(w, "Money at risk (price drops x stock): %s. The last price shows in about %s.\n\n", orNone(strings.Join(risk, ", ")), time.Duration(s.ETASeconds)*time.Second)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if s.Planned > 0 {
		fmt.Fprintln(t, "  ROW\tMARKET\tSKU\tFIELD\tOLD\t\tNEW\tCHANGE\tAT RISK")
	}
	n := 0
	for _, r := range rows {
		if r.Verdict != "allowed" {
			continue
		}
		if n++; n > shown {
			continue
		}
		for i, f := range r.Fields {
			change, risk := "", ""
			if i == 0 {
				change = r.ChangePercent
				if r.AtRisk != nil {
					risk = r.AtRisk.String()
				}
			}
			fmt.Fprintf(t, "  %d\t%s\t%s\t%s\t%s\t->\t%s\t%s\t%s\n", r.Row, r.Marketplace, clip(r.SKU, 24), f.Field, f.Old, f.New, change, risk)
		}
	}
	_ = t.Flush()
	if n > shown {
		fmt.Fprintf(w, "  ... and %d more planned rows\n", n-shown)
	}
	fmt.Fprintln(w)
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		if r.Verdict != "held" && r.Verdict != "refused" {
			continue
		}
		for _, f := range r.Findings {
			fmt.Fprintf(t, "  %s\trow %d\t%s\t%s\t%s\t%s\n", strings.ToUpper(r.Verdict), r.Row, clip(r.SKU, 24), orNone(f.Column), quote(f.Value), f.Reason)
		}
	}
	_ = t.Flush()
}

func orNone(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func quote(s string) string { return "\"" + clip(s, 24) + "\"" }

func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// bar draws progress: on a terminal it rewrites one line, elsewhere it prints a
// line every few seconds.
type bar struct {
	w        io.Writer
	terminal bool
	every    time.Duration
	last     time.Time
}

func (b *bar) show(now time.Time, done, total int64, text string, final bool) {
	if !b.terminal && !final && now.Sub(b.last) < b.every {
		return
	}
	b.last = now
	const width = 30
	fill := 0
	if total > 0 {
		fill = int(done * width / total)
	}
	line := fmt.Sprintf("  [%s%s] %d/%d  %s", strings.Repeat("#", fill), strings.Repeat(".", width-fill), done, total, text)
	if !b.terminal {
		fmt.Fprintln(b.w, line)
		return
	}
	fmt.Fprintf(b.w, "\r\x1b[K%s", line)
	if final {
		fmt.Fprintln(b.w)
	}
}
