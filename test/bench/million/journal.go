package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"sync"
	"time"
)

// journal is the stack's log: it keeps what the functions say of their runs, and
// leaves out the line that the local AWS writes for each request.
type journal struct {
	mu   sync.Mutex
	file *os.File
	rest []byte // a line that has no end yet
	runs map[string][]time.Duration
	cut  []string // runs that were cut off at their time limit
}

func openJournal(path string) (*journal, error) {
	f, err := os.Create(path)
	return &journal{file: f, runs: map[string][]time.Duration{}}, err
}

var timedOut = regexp.MustCompile(`Lambda (\S+): Task timed out after \S+ seconds`)

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.rest = append(j.rest, p...)
	for {
		end := bytes.IndexByte(j.rest, '\n')
		if end < 0 {
			return len(p), nil
		}
		line := j.rest[:end+1]
		if !bytes.Contains(line, []byte(" INFO aiohttp.access ")) {
			j.note(line)
			if _, err := j.file.Write(line); err != nil {
				return 0, err
			}
		}
		j.rest = j.rest[end+1:]
	}
}

// note keeps what a line says of a run.
func (j *journal) note(line []byte) {
	if m := timedOut.FindSubmatch(line); m != nil {
		j.cut = append(j.cut, string(m[1]))
	}
	var in struct {
		Msg       string
		Took      time.Duration
		Kind      string `json:"kind"`
		DriveTime *float64
	}
	at := bytes.IndexByte(line, '{')
	if at < 0 || json.Unmarshal(line[at:], &in) != nil {
		return
	}
	switch {
	case in.Msg == "plan worked on":
		j.runs["plan"] = append(j.runs["plan"], in.Took)
	case in.DriveTime != nil:
		j.runs[in.Kind] = append(j.runs[in.Kind], time.Duration(*in.DriveTime*float64(time.Millisecond)))
	}
}

// of is how many runs of a kind there were, and how long the longest took.
func (j *journal) of(kind string) (n int, longest float64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, d := range j.runs[kind] {
		longest = max(longest, d.Seconds())
	}
	return len(j.runs[kind]), tenths(longest)
}

// inTime refuses runs that were cut off.
func (j *journal) inTime() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.cut) > 0 {
		return broken("functions were cut off at their time limit: %v", j.cut)
	}
	return nil
}

func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.file.Close(); err != nil {
		return fmt.Errorf("log: %w", err)
	}
	return nil
}
