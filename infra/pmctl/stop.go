package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"pricemanager/internal/clock"
	"pricemanager/internal/lane"
	"pricemanager/internal/store"
	"pricemanager/internal/store/awshttp"
	"pricemanager/internal/store/dynamo"
	"pricemanager/internal/store/sqs"
)

// stopGlobal is the operator's kill switch over all tenants. It works with the
// AWS credentials of whoever calls it.
func stopGlobal() command {
	return command{
		name:  "stop global",
		usage: "set|lift --table OFFERS_TABLE --queue DOORBELL_URL --actor WHO [--reason TEXT]",
		about: "stop sending prices for everybody, or go on",
		run:   runStopGlobal,
	}
}

func runStopGlobal(ctx context.Context, args []string, out io.Writer) error {
	f := newFlags("stop global")
	table, queue := f.String("table", "", ""), f.String("queue", "", "")
	actor, reason := f.String("actor", "", ""), f.String("reason", "", "")
	operands, err := parse(f, args)
	if err != nil {
		return err
	}
	if len(operands) != 1 || *table == "" || *queue == "" || *actor == "" {
		return errors.New("say set or lift, and give --table, --queue and --actor")
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	cfg.HTTPClient = awshttp.Wrap(cfg.HTTPClient)
	db := dynamo.New(dynamodb.NewFromConfig(cfg), map[store.Table]string{store.Offers: *table})
	stops := lane.Stops{DB: db, Bell: lane.Bell{DB: db, Queue: sqs.New(awssqs.NewFromConfig(cfg), *queue), Now: clock.Real{}.Now}}
	return switchGlobal(ctx, stops, operands[0], "operator:"+*actor, *reason, out)
}

// switchGlobal sets or lifts the global stop.
func switchGlobal(ctx context.Context, stops lane.Stops, what, actor, reason string, out io.Writer) error {
	global := lane.Stop{Scope: lane.ScopeGlobal, Actor: actor, Reason: reason}
	switch what {
	case "set":
		if err := stops.Set(ctx, store.Directory, global); err != nil {
			return err
		}
		fmt.Fprintln(out, "stopped: no lane sends another price")
		return nil
	case "lift":
		err := stops.Lift(ctx, store.Directory, actor, global)
		if errors.Is(err, store.ErrNotFound) {
			fmt.Fprintln(out, "no global stop stands")
			return errVerdict
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(out, "lifted: every lane was rung")
		return nil
	}
	return fmt.Errorf("%q is neither set nor lift", what)
}
