package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

const model = `{"consumes":["application/json"],"paths":{"/things/{id}":{"get":{"operationId":"getThing",
"description":"Prose.\n\n| Rate (requests per second) | Burst |\n| ---- | ---- |\n| 0.0167 | 15 |\n\nMore prose.",
"parameters":[{"name":"id","in":"path","required":true,"type":"string","description":"prose"},
 {"name":"kinds","in":"query","type":"array","collectionFormat":"csv","maxItems":2,"items":{"type":"string","enum":["a","b"]}}],
"responses":{"200":{"description":"prose","headers":{"x-amzn-RequestId":{"type":"string"}},"schema":{"$ref":"#/definitions/Thing"}}}}}},
"definitions":{"Thing":{"type":"object","description":"prose","properties":{"description":{"type":"string","title":"prose"},"self":{"$ref":"#/definitions/Thing"},"n":{"type":"number","maximum":0.10}}},
"Unused":{"type":"string"}}}`

const document = `{"$schema":"prose","$comment":"prose","type":"object","properties":{"id":{"type":"integer","examples":["prose"]},"rest":false},
"oneOf":[{"$comment":"prose","properties":{"kind":{"const":"KIND"}}}]}`

func models(text string) fstest.MapFS {
	return fstest.MapFS{"COMMIT": {Data: []byte("abc\n")}, "m.json": {Data: []byte(text)}, "d.json": {Data: []byte(document)}}
}

func TestDeriveKeepsRulesAndDropsProse(t *testing.T) {
	t.Parallel()
	got, err := derive(models(model), map[string][]string{"m.json": {"getThing"}}, map[string]string{"doc": "d.json"})
	if err != nil {
		t.Fatal(err)
	}
	text := string(got)
	if strings.Contains(strings.ToLower(text), "prose") || strings.Contains(text, "Unused") {
		t.Errorf("prose or an unreached definition survived:\n%s", text)
	}
	for _, want := range []string{`"rate": 0.0167`, `"burst": 15`, `"csv": true`, `"maxItems": 2`, `"maximum": 0.10`,
		`"x-amzn-RequestId"`, `"description": {`, `"revision": "abc"`, `"consumes"`, `"required": true`,
		`"doc": {`, `"oneOf": [`, `"const": "KIND"`, `"rest": false`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing:\n%s", want, text)
		}
	}
}

func TestDeriveRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ from, to, want string }{
		"keyword":            {`"maximum":0.10`, `"multipleOf":2`, `schema keyword "multipleOf"`},
		"collection format":  {`"csv"`, `"multi"`, "collectionFormat"},
		"dangling reference": {`"Thing":{`, `"Things":{`, "leads nowhere"},
		"no plan":            {`| Burst |`, `| Peak |`, "0 usage plan tables"},
		"no operation":       {`"getThing"`, `"getThings"`, "no operation getThing"},
	} {
		_, err := derive(models(strings.Replace(model, c.from, c.to, 1)), map[string][]string{"m.json": {"getThing"}}, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestCheckSaysExactlyWhatDiffers(t *testing.T) {
	t.Parallel()
	ops := map[string][]string{"m.json": {"getThing"}}
	have, err := derive(models(model), ops, nil)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(`"maxItems":2`, `"maxItems":3`, `,"n":{"type":"number","maximum":0.10}`, "",
		`[{"name":"id"`, `[{"name":"new","in":"query","type":"string"},{"name":"id"`, "| 15 |", "| 10 |").Replace(model)
	want, err := derive(models(changed), ops, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := report(&out, have, want); !errors.Is(err, errDiffers) {
		t.Errorf("report returned %v, want errDiffers", err)
	}
	const lines = `/apis/m.json/definitions/Thing/properties/n: only the file has it: {"maximum":0.10,"type":"number"}
/apis/m.json/operations/getThing/burst: the file has 15, the models 10
/apis/m.json/operations/getThing/parameters/kinds/schema/maxItems: the file has 2, the models 3
/apis/m.json/operations/getThing/parameters/new: only the models have it: {"in":"query","name":"new","required":false,"schema":{"type":"string"}}
`
	if out.String() != lines {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), lines)
	}
}

func TestCommandWritesAndThenChecks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out := filepath.Join(dir, "out.json")
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("COMMIT", "abc")
	for file, ids := range wanted { // models with just the names of the real ones
		var paths []string
		for _, id := range ids {
			paths = append(paths, strings.NewReplacer("getThing", id, "/things/", "/"+id+"/").Replace(pathOf(t)))
		}
		write(file, `{"consumes":["application/json"],"paths":{`+strings.Join(paths, ",")+`},"definitions":{"Thing":{"type":"object"}}}`)
	}
	for _, file := range wantedDocuments {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o700); err != nil {
			t.Fatal(err)
		}
		write(file, document)
	}
	var said strings.Builder
	if err := run([]string{"-models", dir, "-out", out}, &said); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{"-models", dir, "-out", out, "-check"}, &said); err != nil || said.Len() != 0 {
		t.Errorf("checking what was just written: %v %s", err, said.String())
	}
	write("COMMIT", "def")
	err := run([]string{"-models", dir, "-out", out, "-check"}, &said)
	if !errors.Is(err, errDiffers) || said.String() != "/revision: the file has \"abc\", the models \"def\"\n" {
		t.Errorf("after a new revision: %v %s", err, said.String())
	}
	if err := run(nil, &said); err == nil {
		t.Error("no flags were taken")
	}
}

// pathOf returns the only member of the test model's paths.
func pathOf(t *testing.T) string {
	t.Helper()
	_, rest, _ := strings.Cut(model, `"paths":{`)
	path, _, ok := strings.Cut(rest, "},\n\"definitions\"")
	if !ok {
		t.Fatal("the test model moved")
	}
	return path
}
