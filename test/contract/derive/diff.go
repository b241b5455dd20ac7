package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
)

// report writes one line for each place where have and want differ, with the
// place as a path, and returns errDiffers.
func report(w io.Writer, have, want []byte) error {
	var h, d any
	if err := decode(have, &h); err != nil {
		return fmt.Errorf("the contract file is not JSON: %w", err)
	}
	if err := decode(want, &d); err != nil {
		return err
	}
	lines := diff("", h, d)
	if len(lines) == 0 {
		lines = []string{"only the layout of the file differs"}
	}
	for _, line := range lines {
		fmt.Fprintln(w, line)
	}
	return errDiffers
}

func decode(raw []byte, to *any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	return dec.Decode(to)
}

func diff(at string, have, want any) []string {
	switch h := have.(type) {
	case object:
		if w, ok := want.(object); ok {
			return diffObjects(at, h, w)
		}
	case []any:
		if w, ok := want.([]any); ok {
			return diffArrays(at, h, w)
		}
	default:
		if have == want {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s: the file has %s, the models %s", at, text(have), text(want))}
}

func diffObjects(at string, have, want object) []string {
	keys := map[string]bool{}
	for k := range have {
		keys[k] = true
	}
	for k := range want {
		keys[k] = true
	}
	var lines []string
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		h, inFile := have[k]
		w, inModels := want[k]
		switch {
		case !inFile:
			lines = append(lines, fmt.Sprintf("%s/%s: only the models have it: %s", at, k, text(w)))
		case !inModels:
			lines = append(lines, fmt.Sprintf("%s/%s: only the file has it: %s", at, k, text(h)))
		default:
			lines = append(lines, diff(at+"/"+k, h, w)...)
		}
	}
	return lines
}

// diffArrays matches operations and parameters by their id or name, so that an
// added one does not make all that follow it look changed.
func diffArrays(at string, have, want []any) []string {
	if h, ok := named(have); ok {
		if w, ok := named(want); ok {
			lines := diffObjects(at, h, w)
			if len(lines) == 0 && !slices.Equal(names(have), names(want)) {
				lines = []string{at + ": the order differs"}
			}
			return lines
		}
	}
	var lines []string
	for i := range max(len(have), len(want)) {
		here := fmt.Sprintf("%s/%d", at, i)
		switch {
		case i >= len(have):
			lines = append(lines, fmt.Sprintf("%s: only the models have it: %s", here, text(want[i])))
		case i >= len(want):
			lines = append(lines, fmt.Sprintf("%s: only the file has it: %s", here, text(have[i])))
		default:
			lines = append(lines, diff(here, have[i], want[i])...)
		}
	}
	return lines
}

func names(list []any) []string {
	var out []string
	for _, v := range list {
		o, _ := v.(object)
		for _, key := range []string{"id", "name", "model"} {
			if s, ok := o[key].(string); ok {
				out = append(out, s)
				break
			}
		}
	}
	return out
}

func named(list []any) (object, bool) {
	keys := names(list)
	out := object{}
	if len(keys) != len(list) {
		return nil, false
	}
	for i, key := range keys {
		out[key] = list[i]
	}
	return out, len(out) == len(list)
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(b) > 200 {
		return string(b[:200]) + "..."
	}
	return string(b)
}
