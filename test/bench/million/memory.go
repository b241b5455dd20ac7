package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"pricemanager/infra/local/localaws"
	"pricemanager/internal/clock"
)

// functions are those that take part.
func functions() []string { return []string{"price-plan", "price-upload", "price-sync"} }

// peaks are the largest resident sets of each function's processes, in MiB, and
// the processor time that each process has taken, in seconds.
type peaks struct {
	mu   sync.Mutex
	most map[string]float64
	cpu  map[string]map[int]float64
	err  error
}

// watchMemory looks at the processes until ctx ends. Linux keeps the highest
// resident set of a process itself, so that nothing is missed between two looks
// but the last instants of one that ends.
func (w *world) watchMemory(ctx context.Context) (p *peaks, done <-chan struct{}) {
	p = &peaks{most: map[string]float64{}, cpu: map[string]map[int]float64{}}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			for _, f := range functions() {
				if err := p.look(f, w.Function(f), aws.ToString(w.Config().BaseEndpoint)); err != nil {
					p.fail(err)
					return
				}
			}
			if (clock.Real{}).Sleep(ctx, 500*time.Millisecond) != nil {
				return
			}
		}
	}()
	return p, ended
}

func (p *peaks) look(name, function, endpoint string) error {
	found, err := localaws.Workers(function, endpoint)
	if err != nil {
		return err
	}
	for _, process := range found {
		pid := process.Pid
		_ = process.Release()
		mib, seconds, ok := usage(pid)
		if !ok {
			continue // it has ended
		}
		p.mu.Lock()
		p.most[name] = max(p.most[name], mib)
		if p.cpu[name] == nil {
			p.cpu[name] = map[int]float64{}
		}
		p.cpu[name][pid] = seconds
		p.mu.Unlock()
	}
	return nil
}

// usage is the highest resident set of a process and its processor time, as Linux
// tells: VmHWM of proc_pid_status(5), and utime and stime of proc_pid_stat(5) in
// hundredths of a second.
func usage(pid int) (mib, seconds float64, ok bool) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	stat, err2 := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, hwm, there := bytes.Cut(status, []byte("VmHWM:"))
	// What follows the name in parentheses begins with the third field.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if err != nil || err2 != nil || !there || len(fields) < 13 {
		return 0, 0, false
	}
	number := func(b []byte) float64 {
		n, err := strconv.ParseFloat(string(b), 64)
		ok = ok && err == nil
		return n
	}
	ok = true
	return number(bytes.Fields(hwm)[0]) / 1024, (number(fields[11]) + number(fields[12])) / 100, ok
}

// seconds is the processor time of all processes of a function.
func (p *peaks) seconds(name string) (sum float64) {
	for _, s := range p.cpu[name] {
		sum += s
	}
	return tenths(sum)
}

func (p *peaks) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

// limits are what the template gives a function.
type limits struct {
	memoryMiB int32
	timeout   float64 // in seconds
}

func (w *world) limits(ctx context.Context, function string) (limits, error) {
	out, err := lambda.NewFromConfig(w.Config()).GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: aws.String(w.Function(function))})
	if err != nil {
		return limits{}, err
	}
	return limits{aws.ToInt32(out.MemorySize), float64(aws.ToInt32(out.Timeout))}, nil
}
