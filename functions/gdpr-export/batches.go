package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pricemanager/internal/lane"
	"pricemanager/internal/price"
	"pricemanager/internal/privacy"
	"pricemanager/internal/tenant"
)

// batchList writes every batch with how many of its rows came how far. The rows
// themselves batchRows writes.
type batchList struct{ batches *lane.Batches }

type batchRow struct {
	ID         string                       `json:"id"`
	State      lane.BatchState              `json:"state"`
	Plan       string                       `json:"plan"`
	File       string                       `json:"file"`
	Actor      string                       `json:"actor"`
	CreatedAt  time.Time                    `json:"createdAt"`
	FinishedAt *time.Time                   `json:"finishedAt,omitempty"`
	Rows       map[price.ConnectionID]int64 `json:"rows"` // as planned
	Counts     lane.Counts                  `json:"counts"`
	Reason     string                       `json:"reason,omitempty"` // why it was refused
	Revert     *revertRow                   `json:"revert,omitempty"` // that it is, or was, taken back by itself
	Reverts    string                       `json:"reverts,omitempty"`
}

type revertRow struct {
	At     time.Time        `json:"at"`
	By     string           `json:"by"`
	State  lane.RevertState `json:"state"`
	Batch  string           `json:"batch,omitempty"`
	Reason string           `json:"reason,omitempty"`
}

// batchStates are the states of rows that have a column of their own, in the
// order of a price's life.
var batchStates = []lane.State{
	lane.Desired, lane.Sent, lane.Accepted, lane.Observed,
	lane.Rejected, lane.Unknown, lane.Unconfirmed, lane.Held, lane.Superseded,
}

func (s batchList) export(ctx context.Context, t tenant.ID, w *privacy.Writer) error {
	columns := []string{"id", "state", "plan", "file", "actor", "created_at", "finished_at", "rows"}
	for _, state := range batchStates {
		columns = append(columns, string(state))
	}
	table, err := w.Table("batches", append(columns, "reason", "revert_at", "revert_by", "revert", "reverted_by", "revert_reason", "reverts")...)
	if err != nil {
		return err
	}
	for after := ""; ; {
		list, next, err := s.batches.List(ctx, t, after, page)
		if err != nil {
			return err
		}
		for _, b := range list {
			// The list has no counts.
			if b, err = s.batches.Get(ctx, t, b.ID); err != nil {
				return fmt.Errorf("batch %s: %w", b.ID, err)
			}
			if !w.About(b.Actor, reverter(b)) {
				continue
			}
			if err := addBatch(table, b); err != nil {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}

func addBatch(table *privacy.Table, b lane.Batch) error {
	row := batchRow{
		ID: b.ID, State: b.State, Plan: b.Plan, File: b.File, Actor: b.Actor, CreatedAt: b.Created,
		FinishedAt: optional(b.Finished), Rows: b.Rows, Counts: b.Counts, Reason: b.Reason, Reverts: b.Reverts,
	}
	cells := []string{
		b.ID, string(b.State), b.Plan, b.File, b.Actor, b.Created.Format(time.RFC3339), timeCell(b.Finished), rowsCell(b.Rows),
	}
	for _, state := range batchStates {
		cells = append(cells, strconv.FormatInt(b.Counts[state], 10))
	}
	cells = append(cells, b.Reason)
	if r := b.Revert; r != nil {
		row.Revert = &revertRow{r.At, r.By, r.State, r.Batch, r.Reason}
		cells = append(cells, timeCell(r.At), r.By, string(r.State), r.Batch, r.Reason)
	} else {
		cells = append(cells, "", "", "", "", "")
	}
	return table.Add(row, append(cells, b.Reverts)...)
}

// reverter is who wanted the batch to be taken back by itself, "" for nobody.
func reverter(b lane.Batch) string {
	if b.Revert == nil {
		return ""
	}
	return b.Revert.By
}

// rowsCell is "conn_a=2 conn_b=1": the rows of each connection.
func rowsCell(rows map[price.ConnectionID]int64) string {
	var parts []string
	for c, n := range rows {
		parts = append(parts, fmt.Sprintf("%s=%d", c, n))
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// timeCell is empty for the zero time.
func timeCell(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}
