package main

import (
	"fmt"
	"path/filepath"
	"strconv"

	"pricemanager/infra/local/localaws"
	"pricemanager/infra/local/stack"
)

// optionsFrom reads the settings from the environment.
func optionsFrom(getenv func(string) string) (stack.Options, error) {
	root, err := localaws.ProjectRoot()
	if err != nil {
		return stack.Options{}, err
	}
	// Checking IAM costs nothing that can be measured, and a role that lacks
	// something shows here first.
	o := stack.Options{Root: root, StateDir: getenv("STATE"), EnforceIAM: true}
	if o.StateDir == "" {
		o.StateDir = filepath.Join(root, ".local", "state")
	}
	for _, n := range []struct {
		name     string
		to       *int
		usual    int
		min, max int
	}{
		{"PORT", &o.Port, 8080, 1, 65535},
		{"AWS_PORT", &o.AWSPort, 4566, 1, 65535},
		{"AMAZON_PORT", &o.AmazonPort, 8090, 1, 65535},
		{"SPEED", &o.Speed, 1, 1, 1000},
	} {
		if *n.to, err = number(n.name, getenv(n.name), n.usual, n.min, n.max); err != nil {
			return stack.Options{}, err
		}
	}
	return o, nil
}

func number(name, text string, usual, from, to int) (int, error) {
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < from || n > to {
		return 0, fmt.Errorf("%s is %q: want a number from %d to %d", name, text, from, to)
	}
	return n, nil
}
