package main

import "testing"

func TestSymbolsBelongToTheLongestModuleInTheirName(t *testing.T) {
	t.Parallel()
	modules := []string{"pricemanager", "github.com/aws/aws-sdk-go-v2", "github.com/aws/aws-sdk-go-v2/service/s3", "github.com/aws/aws-sdk-go", "gopkg.in/yaml.v3"}
	for symbol, want := range map[string]string{
		"runtime.mallocgc": "std", "type:.eq.pricemanager/internal/price.Money": "pricemanager",
		"github.com/aws/aws-sdk-go-v2/service/s3.(*Client).PutObject": "github.com/aws/aws-sdk-go-v2/service/s3",
		"github.com/aws/aws-sdk-go-v2/aws.String":                     "github.com/aws/aws-sdk-go-v2",
		"github.com/aws/aws-sdk-go/aws.String":                        "github.com/aws/aws-sdk-go",
		"gopkg.in/yaml%2ev3.Unmarshal":                                "gopkg.in/yaml.v3",
		"slices.SortFunc[go.shape.pricemanager/x.T]":                  "std",
	} {
		if got := moduleOf(symbol, modules); got != want {
			t.Errorf("%s is counted to %s, want %s", symbol, got, want)
		}
	}
}

func TestMedianIsTheMiddle(t *testing.T) {
	t.Parallel()
	if median([]float64{9, 1, 5}) != 5 || median([]float64{4, 1, 2, 9}) != 3 {
		t.Error("wrong")
	}
}
