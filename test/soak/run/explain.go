package main

import (
	"fmt"
	"os"
	"strconv"

	"pricemanager/test/soak"
)

// explain prints what was broken, and the shortest history found that shows it.
func explain(o soak.Options, r soak.Result) {
	for _, b := range r.Breaches {
		fmt.Println("broken:", b)
	}
	if os.Getenv("SHRINK") == "no" {
		return
	}
	o.Seed = r.Seed
	short, ops := soak.Shrink(o)
	fmt.Printf("seed %d breaks a promise with %d operations:\n", r.Seed, ops)
	for _, l := range append(short.Lines, short.Breaches...) {
		fmt.Println(l)
	}
}

func setting(name string, otherwise int64) int64 {
	if n, err := strconv.ParseInt(os.Getenv(name), 10, 64); err == nil && n > 0 {
		return n
	}
	return otherwise
}
