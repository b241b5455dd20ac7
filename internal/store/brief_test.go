package store

import "testing"

func TestFilesAsUploadedAreKeptBrieflyAndNothingElse(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"uploads/upl_a": true, "plans/plan_a/file": true, "plans/plan_a/marked.csv": true,
		"plans/plan_a/rows-0.json": false, "plans/plan_a/task.json": false, "batches/uploads/x": false, "file": false, "": false,
	} {
		if Brief(Files, name) != want {
			t.Errorf("%q: %t", name, !want)
		}
		for _, b := range []Bucket{Exports, Archive, History, Downloads} {
			if Brief(b, name) {
				t.Errorf("%q in %s", name, b)
			}
		}
	}
}
