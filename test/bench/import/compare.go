package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// result is what one process tells about one part.
type result struct {
	// Seconds are those of the processor, not of the clock: rates are per core,
	// whatever else runs on the machine.
	Seconds float64 `json:"seconds"`
	PeakKiB int     `json:"peakKiB"` // resident, of the whole process
}

// compare runs all parts and gathers the report.
func compare(ctx context.Context, rows, runs int) (map[string]any, error) {
	report, details := map[string]any{}, map[string]any{}
	report["rows"], report["parts"] = rows, details
	dir, err := os.MkdirTemp("", "bench-import-")
	if err != nil {
		return report, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	files := map[string]string{}
	peak, growth := 0.0, 0.0
	for _, p := range parts {
		var large, small []result
		for _, size := range []struct {
			rows int
			to   *[]result
		}{{rows / 10, &small}, {rows, &large}} {
			path, err := input(dir, p.input, size.rows, files)
			if err != nil {
				return report, fmt.Errorf("%s: %w", p.key, err)
			}
			for range runs {
				r, err := process(ctx, p.key, path, size.rows)
				if err != nil {
					return report, fmt.Errorf("%s with %d rows: %w", p.key, size.rows, err)
				}
				*size.to = append(*size.to, r)
			}
		}
		rate := float64(rows) / median(large, func(r result) float64 { return r.Seconds })
		kib := func(r result) float64 { return float64(r.PeakKiB) }
		mib := median(large, kib) / 1024
		perRow := (median(large, kib) - median(small, kib)) * 1024 / float64(rows-rows/10)
		fmt.Printf("%-22s %9.0f   %5.1f MiB, %5.1f bytes a row\n", p.key, rate, mib, perRow)
		report[p.key] = math.Round(rate)
		details[p.key] = map[string]any{"peakMiB": round(mib), "bytesPerRow": round(perRow)}
		if !p.yardstick {
			peak, growth = max(peak, mib), max(growth, perRow)
		}
	}
	report["peakMiB"], report["bytesPerRow"] = round(peak), round(growth)
	if csv, bare := report["csvRowsPerSecond"].(float64), report["bareCsvRowsPerSecond"].(float64); bare > 0 {
		report["ratio"] = math.Round(csv/bare*1000) / 1000
	}
	return report, nil
}

func round(f float64) float64 { return math.Round(f*10) / 10 }

func median(rs []result, of func(result) float64) float64 {
	var out []float64
	for _, r := range rs {
		out = append(out, of(r))
	}
	slices.Sort(out)
	return out[len(out)/2]
}

// input makes a part's file, once for all parts that read the same.
func input(dir string, kind inputKind, rows int, made map[string]string) (string, error) {
	name := kind.name + "-" + strconv.Itoa(rows)
	if path, ok := made[name]; ok {
		return path, nil
	}
	path := filepath.Join(dir, name)
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	if err := kind.write(w, rows); err != nil {
		return "", err
	}
	if err := w.Flush(); err != nil {
		return "", err
	}
	made[name] = path
	return path, f.Close()
}

// process measures a part in a process of its own, on one core.
func process(ctx context.Context, key, path string, rows int) (r result, err error) {
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	cmd := exec.CommandContext(ctx, self, "-child", key, "-file", path, "-rows", strconv.Itoa(rows))
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(out, &r)
}

// measure is the process of one part.
func measure(key, path string, rows int) error {
	i := slices.IndexFunc(parts, func(p part) bool { return p.key == key })
	if i < 0 {
		return fmt.Errorf("no part %q", key)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if runtime.GOMAXPROCS(0) != 1 {
		return fmt.Errorf("GOMAXPROCS is %d, want 1", runtime.GOMAXPROCS(0))
	}
	if prepare := parts[i].prepare; prepare != nil {
		if err := prepare(); err != nil {
			return err
		}
	}
	begin, err := processorTime()
	if err != nil {
		return err
	}
	n, err := parts[i].run(content{f, info.Size()})
	if err != nil {
		return err
	}
	end, err := processorTime()
	if err != nil {
		return err
	}
	if n != rows {
		return fmt.Errorf("%d rows were read, want %d", n, rows)
	}
	kib, err := peak()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result{Seconds: (end - begin).Seconds(), PeakKiB: kib})
}

// content is a file of known size.
type content struct {
	*os.File
	size int64
}

func (c content) Size() int64 { return c.size }

// processorTime is what this process has used so far, in the kernel included.
func processorTime() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// peak is the most that this process ever had in memory, from the kernel.
func peak() (kib int, err error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
		}
	}
	return 0, fmt.Errorf("the kernel does not tell VmHWM")
}
