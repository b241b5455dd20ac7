package localaws

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Workers finds the processes of a function of one stack, by the endpoint that
// only its functions have. A process is opened first and looked at afterwards:
// the handle stays with it when its number is given to another. It needs /proc.
func Workers(function, endpoint string) (found []*os.Process, err error) {
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	for _, dir := range all {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		p, err := os.FindProcess(pid)
		if err != nil {
			continue
		}
		environ, _ := os.ReadFile(filepath.Join(dir, "environ")) // a process of somebody else's cannot be read
		variables := strings.Split(string(environ), "\x00")
		if slices.Contains(variables, "AWS_LAMBDA_FUNCTION_NAME="+function) && slices.Contains(variables, "AWS_ENDPOINT_URL="+endpoint) {
			found = append(found, p)
			continue
		}
		_ = p.Release()
	}
	return found, nil
}
