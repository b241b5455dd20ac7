package main

import (
	"context"
	"strconv"
	"time"

	"pricemanager/internal/incident"
	"pricemanager/internal/privacy"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
	"pricemanager/internal/watch"
)

// suspicionList writes what looked suspicious, and who said what of it.
type suspicionList struct{ findings *watch.Findings }

type suspicionRow struct {
	ID         string      `json:"id"`
	Kind       watch.Kind  `json:"kind"`
	Subject    string      `json:"subject"` // who or what it is about
	At         time.Time   `json:"at"`
	Raised     time.Time   `json:"raisedAt"`
	Unit       string      `json:"unit"`
	Observed   int64       `json:"observed"`
	Limit      int64       `json:"limit"`
	Usual      int64       `json:"usual"`
	Events     int64       `json:"events"`
	First      int64       `json:"firstLeaf"`
	Last       int64       `json:"lastLeaf"`
	Batch      string      `json:"batch,omitempty"`
	State      watch.State `json:"state"`
	AnsweredBy string      `json:"answeredBy,omitempty"`
	AnsweredAt *time.Time  `json:"answeredAt,omitempty"`
}

func (s suspicionList) export(ctx context.Context, t tenant.ID, w *privacy.Writer) error {
	table, err := w.Table("suspicions", "id", "kind", "subject", "at", "raised_at", "unit", "observed", "limit", "usual", "state", "answered_by", "answered_at")
	if err != nil {
		return err
	}
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	for after := ""; ; {
		list, next, err := s.findings.List(ctx, t, after, page)
		if err != nil {
			return err
		}
		for _, f := range list {
			if !w.About(f.Subject, f.AnsweredBy) {
				continue
			}
			row := suspicionRow{f.ID, f.Kind, f.Subject, f.At, f.Raised, f.Unit, f.Observed, f.Limit, f.Usual, f.Events, f.First, f.Last,
				f.Batch, f.State, f.AnsweredBy, optional(f.AnsweredAt)}
			if err := table.Add(row, f.ID, string(f.Kind), f.Subject, privacy.Stamp(f.At), privacy.Stamp(f.Raised), f.Unit,
				number(f.Observed), number(f.Limit), number(f.Usual), string(f.State), f.AnsweredBy, privacy.Stamp(f.AnsweredAt)); err != nil {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}

// incidentList writes the breaches in which the tenant's data was reachable and of
// which it was told: what a notice says, and nothing about others. One that we have not
// told of yet is not learnt of by an export.
type incidentList struct {
	db  store.DB
	log *incident.Log
}

type incidentRow struct {
	ID           string        `json:"id"`
	Aware        time.Time     `json:"awareAt"`
	Told         time.Time     `json:"toldAt"`
	From         time.Time     `json:"from"`
	To           *time.Time    `json:"to,omitempty"`
	Tables       []store.Table `json:"tables"`
	Connection   string        `json:"connection,omitempty"`
	Nature       string        `json:"nature"`
	Subjects     string        `json:"subjects"`
	Records      string        `json:"records"`
	Consequences string        `json:"consequences"`
	Measures     string        `json:"measures"`
	Contact      string        `json:"contact"`
	Active       bool          `json:"active"` // something of the company was under way meanwhile
}

func (s incidentList) export(ctx context.Context, t tenant.ID, w *privacy.Writer) error {
	all, err := s.log.List(ctx)
	if err != nil {
		return err
	}
	var list *privacy.List
	for _, i := range all {
		told, ok := i.Told[incident.Tenants]
		if !ok {
			continue
		}
		reached, active, err := incident.Reached(ctx, s.db, t, i)
		if err != nil {
			return err
		}
		if !reached {
			continue
		}
		if list == nil {
			if list, err = w.List("incidents"); err != nil {
				return err
			}
		}
		if err := list.Add(incidentRow{i.ID, i.Aware, told.At, i.From, optional(i.To), i.Tables, i.Connection,
			i.Nature, i.Subjects, i.Records, i.Consequences, i.Measures, i.Contact, active}); err != nil {
			return err
		}
	}
	return nil
}
