package main

import (
	"cmp"
	"context"
	"debug/buildinfo"
	"debug/elf"
	"fmt"
	"os"
	"slices"
	"strings"
)

// module is how much of a binary's symbols one Go module makes up.
type module struct {
	Path  string  `json:"path"` // "std" is Go itself, with its tables for all code
	Share float64 `json:"share"`
}

// weigh returns the deployed binary's size and, from a build of the same
// package with symbols, its three largest modules.
func weigh(ctx context.Context, pkg, binary string) (result, error) {
	info, err := os.Stat(binary)
	if err != nil {
		return result{}, err
	}
	full := binary + ".symbols"
	if err := build(ctx, pkg, full, false); err != nil {
		return result{}, err
	}
	bi, err := buildinfo.ReadFile(full)
	if err != nil {
		return result{}, fmt.Errorf("build info: %w", err)
	}
	f, err := elf.Open(full)
	if err != nil {
		return result{}, err
	}
	defer func() { _ = f.Close() }()
	symbols, err := f.Symbols()
	if err != nil {
		return result{}, fmt.Errorf("symbols of %s: %w", pkg, err)
	}
	modules := []string{bi.Main.Path}
	for _, d := range bi.Deps {
		modules = append(modules, d.Path)
	}
	sizes, total := map[string]uint64{}, uint64(0)
	for _, s := range symbols {
		// .bss takes no room in the file.
		if int(s.Section) >= len(f.Sections) || f.Sections[s.Section].Type == elf.SHT_NOBITS {
			continue
		}
		sizes[moduleOf(s.Name, modules)] += s.Size
		total += s.Size
	}
	r := result{BinaryMB: round(float64(info.Size()) / 1e6)}
	for path, n := range sizes {
		r.Largest = append(r.Largest, module{path, round(float64(n) / float64(total))})
	}
	slices.SortFunc(r.Largest, func(a, b module) int {
		return cmp.Or(cmp.Compare(b.Share, a.Share), strings.Compare(a.Path, b.Path))
	})
	r.Largest = r.Largest[:min(3, len(r.Largest))]
	return r, nil
}

// moduleOf finds the module of a symbol such as
// "github.com/aws/smithy-go/middleware.(*Stack).Add" or
// "type:.eq.pricemanager/internal/price.Money": the longest module path in it.
func moduleOf(symbol string, modules []string) string {
	best := "std"
	// The linker writes dots in the last part of a path as %2e.
	symbol = strings.ReplaceAll(symbol, "%2e", ".")
	symbol, _, _ = strings.Cut(symbol, "[") // type arguments belong to others
	for _, m := range modules {
		at := strings.Index(symbol, m)
		if at < 0 || best != "std" && len(m) < len(best) {
			continue
		}
		if rest := symbol[at+len(m):]; rest == "" || rest[0] == '/' || rest[0] == '.' {
			best = m
		}
	}
	return best
}
