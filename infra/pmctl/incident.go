package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"pricemanager/internal/clock"
	"pricemanager/internal/incident"
	"pricemanager/internal/store"
	"pricemanager/internal/store/awshttp"
	"pricemanager/internal/store/dynamo"
)

// incidents are the operator's records of breaches. They work with the AWS
// credentials of whoever calls them.
type incidents struct {
	log     *incident.Log
	db      store.DB
	holders incident.Holders
	now     func() time.Time
}

// incidentAction is one of the incident commands: do gets what is left of the
// operands, the words of the record and who acts.
type incidentAction struct {
	name, usage, about string
	operands           int
	do                 func(ctx context.Context, in incidents, args []string, f *incidentFlags, out io.Writer) error
}

func incidentActions() []incidentAction {
	return []incidentAction{
		{"open", "--nature TEXT --aware TIME --from TIME --tables a,b [--to TIME] [--connection ID] [words of the record]",
			"open the record of a breach; times such as 2026-11-22T09:00:00Z", 0, openIncident},
		{"change", "ID [--to TIME] [--nature, --subjects, --records, --subject-count, --record-count, --contact, --consequences, --measures, --delay TEXT]",
			"fill in what became known", 1, changeIncident},
		{"list", "", "show all records, and who has still to be told by when", 0, listIncidents},
		{"tell", "ID amazon|authority|tenants --note TEXT", "note that somebody was told, or why they need not be", 2, tellIncident},
		{"affected", "ID", "find whose data it was; reads the keys of whole tables", 1, showAffected},
		{"notice", "ID amazon|authority|tenants [--application ID]", "write a notice, filled from the record and the tables", 2, writeNotice},
	}
}

func incidentCommands() (all []command) {
	for _, a := range incidentActions() {
		all = append(all, command{
			name: "incident " + a.name, usage: strings.TrimSpace(a.usage + " --prefix pm-STAGE- --actor WHO"), about: a.about,
			run: func(ctx context.Context, args []string, out io.Writer) error { return runIncident(ctx, a, args, out) },
		})
	}
	return all
}

func runIncident(ctx context.Context, a incidentAction, args []string, out io.Writer) error {
	f := newIncidentFlags(a.name)
	operands, err := parse(f.set, args)
	if err != nil {
		return err
	}
	if len(operands) != a.operands || *f.prefix == "" || *f.actor == "" {
		return fmt.Errorf("usage: %s --prefix pm-STAGE- --actor WHO", a.usage)
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	cfg.HTTPClient = awshttp.Wrap(cfg.HTTPClient)
	names := map[store.Table]string{}
	for _, t := range store.Tables() {
		names[t] = *f.prefix + string(t)
	}
	client := dynamodb.NewFromConfig(cfg)
	db := dynamo.New(client, names)
	in := incidents{log: &incident.Log{DB: db, Clock: clock.Real{}, Rand: rand.Reader}, db: db, holders: dynamo.NewHolders(client, db), now: clock.Real{}.Now}
	return a.do(ctx, in, operands, f, out)
}

// incidentFlags are those of all incident commands.
type incidentFlags struct {
	set                              *flag.FlagSet
	prefix, actor, note, application *string
	aware, from, to                  *string
	tables, purposes, connection     *string
	texts                            map[string]*string
}

func newIncidentFlags(name string) *incidentFlags {
	set := newFlags("incident " + name)
	text := func(n string) *string { return set.String(n, "", "") }
	f := &incidentFlags{set: set, prefix: text("prefix"), actor: text("actor"), note: text("note"), application: text("application"),
		aware: text("aware"), from: text("from"), to: text("to"), tables: text("tables"), purposes: text("purposes"), connection: text("connection"),
		texts: map[string]*string{}}
	for n := range words(&incident.Incident{}) {
		f.texts[n] = text(n)
	}
	return f
}

// words are the texts of a record by the names of their flags.
func words(i *incident.Incident) map[string]*string {
	return map[string]*string{
		"nature": &i.Nature, "subjects": &i.Subjects, "records": &i.Records, "subject-count": &i.SubjectCount, "record-count": &i.RecordCount,
		"contact": &i.Contact, "consequences": &i.Consequences, "measures": &i.Measures, "delay": &i.Delay,
	}
}

// fill puts what was given into the record and leaves the rest as it is.
func (f *incidentFlags) fill(i *incident.Incident) error {
	for n, field := range words(i) {
		if s := *f.texts[n]; s != "" {
			*field = s
		}
	}
	for n, at := range map[string]struct {
		given string
		field *time.Time
	}{"aware": {*f.aware, &i.Aware}, "from": {*f.from, &i.From}, "to": {*f.to, &i.To}} {
		if at.given == "" {
			continue
		}
		t, err := time.Parse(time.RFC3339, at.given)
		if err != nil {
			return fmt.Errorf("--%s: %q is no time such as 2026-11-22T09:00:00Z", n, at.given)
		}
		*at.field = t.UTC()
	}
	if *f.tables != "" {
		i.Tables = nil
		for _, t := range strings.Split(*f.tables, ",") {
			i.Tables = append(i.Tables, store.Table(strings.TrimSpace(t)))
		}
	}
	if *f.purposes != "" {
		i.Purposes = strings.Split(*f.purposes, ",")
	}
	if *f.connection != "" {
		i.Connection = *f.connection
	}
	return nil
}

func openIncident(ctx context.Context, in incidents, _ []string, f *incidentFlags, out io.Writer) error {
	i := incident.Incident{By: "operator:" + *f.actor}
	if err := f.fill(&i); err != nil {
		return err
	}
	i, err := in.log.Open(ctx, i)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "opened: %s. Amazon by %s, the authority by %s\n", i.ID,
		i.Aware.Add(incident.AmazonWithin).Format(time.RFC3339), i.Aware.Add(incident.AuthorityWithin).Format(time.RFC3339))
	return nil
}

func changeIncident(ctx context.Context, in incidents, args []string, f *incidentFlags, out io.Writer) error {
	if *f.aware != "" {
		return errors.New("when we became aware stays: all times run from then")
	}
	if err := f.fill(&incident.Incident{}); err != nil {
		return err
	}
	i, err := in.log.Change(ctx, args[0], func(i *incident.Incident) { _ = f.fill(i) }) // it was filled once already
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "changed: %s\n", i.ID)
	return nil
}

func listIncidents(ctx context.Context, in incidents, _ []string, _ *incidentFlags, out io.Writer) error {
	all, err := in.log.List(ctx)
	if err != nil {
		return err
	}
	for _, i := range all {
		state := "closed " + i.Closed.Format(time.RFC3339)
		if i.Closed.IsZero() {
			state = fmt.Sprintf("known for %d hours, still to be told: %v", int64(in.now().Sub(i.Aware)/time.Hour), i.Untold())
		}
		fmt.Fprintf(out, "%s  %s  %s\n", i.ID, state, i.Nature)
	}
	return nil
}

func tellIncident(ctx context.Context, in incidents, args []string, f *incidentFlags, out io.Writer) error {
	i, err := in.log.Tell(ctx, args[0], incident.Party(args[1]), "operator:"+*f.actor, *f.note)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "noted: %s; still to be told: %v\n", i.ID, i.Untold())
	return nil
}

func showAffected(ctx context.Context, in incidents, args []string, _ *incidentFlags, out io.Writer) error {
	_, list, err := in.affected(ctx, args[0])
	if err != nil {
		return err
	}
	for _, a := range list {
		fmt.Fprintf(out, "%s  %v  active: %t\n", a.Tenant, a.Tables, a.Active)
	}
	fmt.Fprintf(out, "%d tenants\n", len(list))
	return nil
}

func (in incidents) affected(ctx context.Context, id string) (incident.Incident, []incident.Affected, error) {
	i, err := in.log.Get(ctx, id)
	if err != nil {
		return i, nil, err
	}
	list, err := incident.WhoseData(ctx, in.db, in.holders, i)
	if list == nil {
		list = []incident.Affected{} // asked for, and none
	}
	return i, list, err
}

func writeNotice(ctx context.Context, in incidents, args []string, f *incidentFlags, out io.Writer) error {
	i, list, err := in.affected(ctx, args[0])
	if err != nil {
		return err
	}
	return incident.Write(out, incident.Party(args[1]), i, *f.application, list, in.now())
}
