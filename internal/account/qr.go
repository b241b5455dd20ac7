package account

import (
	"fmt"
	"strings"

	"rsc.io/qr"

	"pricemanager/internal/secret"
)

// svg draws a text as a QR code, with the quiet zone of four modules around it that
// readers want (ISO/IEC 18004 section 5.3.8). It has no style and no script: it may
// stand in a page of a strict policy.
func svg(text secret.Value) (secret.Value, error) {
	code, err := qr.Encode(text.Reveal(), qr.M)
	if err != nil {
		return secret.Value{}, fmt.Errorf("account: QR code: %w", err)
	}
	const quiet = 4
	side := code.Size + 2*quiet
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="240" height="240" role="img" aria-label="QR code for your authenticator">`, side, side)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/><path fill="#000" d="`, side, side)
	for y := range code.Size {
		for x := 0; x < code.Size; {
			run := 0
			for x+run < code.Size && code.Black(x+run, y) {
				run++
			}
			if run > 0 {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", x+quiet, y+quiet, run, run)
			}
			x += run + 1
		}
	}
	b.WriteString(`"/></svg>`)
	return secret.New(b.String()), nil
}
