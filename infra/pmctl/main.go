// Command pmctl is the operator's and the seller's tool on the command line.
// What it prints on stdout is the answer; what went wrong is on stderr. It ends
// with 0 when all is well, 1 when the answer is bad news, 2 when it was called
// wrongly or could not do its work.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// command is one subcommand, each in a file of its own.
type command struct {
	name  string // the words that select it, e.g. "ledger verify"
	usage string // what follows them
	about string // one line
	run   func(ctx context.Context, args []string, out io.Writer) error
}

func commands() []command {
	return slices.Concat([]command{ledgerVerify(), ledgerRotate(), receiptVerify(), stopGlobal(), secretsCost(), privacyReceipt(), privacyReplay(), privacyHold(), blockAddress(), totpCode()}, operatorCommands(), vaultCommands(), incidentCommands())
}

// errVerdict is bad news that was already printed as the answer.
var errVerdict = errors.New("bad verdict")

func run(ctx context.Context, args []string, out, errs io.Writer) int {
	line := strings.Join(args, " ") + " "
	for _, c := range commands() {
		if !strings.HasPrefix(line, c.name+" ") {
			continue
		}
		err := c.run(ctx, args[len(strings.Fields(c.name)):], out)
		switch {
		case err == nil:
			return 0
		case errors.Is(err, errVerdict):
			return 1
		case errors.Is(err, flag.ErrHelp):
			fmt.Fprintf(errs, "usage: pmctl %s %s\n", c.name, c.usage)
		default:
			fmt.Fprintf(errs, "pmctl %s: %v\n", c.name, err)
		}
		return 2
	}
	fmt.Fprintln(errs, "usage: pmctl COMMAND, one of:")
	for _, c := range commands() {
		fmt.Fprintf(errs, "  %s %s\n        %s\n", c.name, c.usage, c.about)
	}
	return 2
}
