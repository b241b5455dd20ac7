// Command lane measures the sync engine: how much of Amazon's budget it uses,
// how fairly it shares it, what a change costs (units of DynamoDB as DynamoDB
// Local counts them, too), and how it compares with the client libraries that one
// would use instead. The last line of its output is JSON for machines; it exits 1
// when a promise is not kept. A figure that was not measured is absent.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	prices := flag.Int("prices", 60, "prices in the batch of the comparison with peers")
	parts := flag.String("parts", "virtual,units,peers", "what to measure")
	flag.Parse()
	report, err := run(context.Background(), strings.Split(*parts, ","), *prices)
	report["ok"] = err == nil
	if err != nil {
		report["error"] = err.Error()
	}
	line, jerr := json.Marshal(report)
	if jerr != nil {
		line = []byte(`{"ok":false}`)
	}
	fmt.Println(string(line))
	if err != nil || jerr != nil {
		os.Exit(1)
	}
}
