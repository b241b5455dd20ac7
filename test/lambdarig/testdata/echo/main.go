// Command echo is a small function over package runtime that the rig's tests
// run: it echoes, fails, panics, exits and counts on demand.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"pricemanager/internal/runtime"
)

type request struct{ Do, Text string }

func main() { runtime.Main(run) }

func run(ctx context.Context) error {
	var cfg struct{ runtime.Base }
	app, err := runtime.Open(ctx, &cfg)
	if err != nil {
		return err
	}
	app.Start(runtime.JSON(func(ctx context.Context, in request) (string, error) {
		switch in.Do {
		case "fail":
			return "", errors.New(in.Text)
		case "panic":
			panic(in.Text)
		case "exit":
			os.Exit(3)
		}
		app.Log.InfoContext(ctx, "echo", "text", in.Text)
		return in.Text, nil
	}), func() { fmt.Println("flushed") })
	return nil
}
