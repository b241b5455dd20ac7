package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/secret"
	"pricemanager/internal/signin/totp"
)

// totpCode is an authenticator for the command line: for trying out a sign-in and for
// machines. A secret among the arguments is seen by whoever lists processes, so that of
// a real member goes through stdin.
func totpCode() command {
	return command{
		name:  "totp",
		usage: "SECRET | -",
		about: "the code of an authenticator now; - reads its secret from stdin",
		run: func(_ context.Context, args []string, out io.Writer) error {
			return printCode(args, os.Stdin, clock.Real{}.Now(), out)
		},
	}
}

func printCode(args []string, in io.Reader, now time.Time, out io.Writer) error {
	f := newFlags("totp")
	operands, err := parse(f, args)
	if err != nil {
		return err
	}
	if len(operands) != 1 {
		return errors.New("give the secret that was shown with the QR code, or - to read it from stdin")
	}
	key := secret.New(operands[0])
	if operands[0] == "-" {
		line, err := bufio.NewReader(io.LimitReader(in, 1024)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		key = secret.New(line)
	}
	code, err := totp.Code(key, now)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, code)
	return err
}
