package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestAnOperatorIsLetInByTheFunctionOnly(t *testing.T) {
	t.Parallel()
	var asked string
	answers := func(body string, err error) invoker {
		return func(_ context.Context, payload []byte) ([]byte, error) {
			asked = string(payload)
			return []byte(body), err
		}
	}
	var out bytes.Buffer
	v, stage, err := readVisit("operator-enter", []string{"t_lantern01", "--stage", "prod", "--operator", "olga", "--emergency", "prices at one cent"})
	if err != nil || stage != "prod" {
		t.Fatal(v, stage, err)
	}
	if err := v.do(t.Context(), answers(`{"done":1,"session":"s1","cookie":"pms_s1_x","until":"2026-11-22T10:00:00Z"}`, nil), &out); err != nil {
		t.Fatal(err)
	}
	if want := `{"job":"operator-enter","tenant":"t_lantern01","operator":"olga","emergency":"prices at one cent"}`; asked != want {
		t.Errorf("asked %s", asked)
	}
	if !strings.Contains(out.String(), "until 2026-11-22T10:00:00Z") || !strings.HasSuffix(out.String(), "\n__Host-pm-session=pms_s1_x\n") {
		t.Errorf("printed %q", out.String())
	}
	for name, no := range map[string]invoker{
		"refused": answers("", functionError([]byte(`{"errorMessage":"Ask an owner"}`))), "nothing": answers(`{}`, nil), "no answer": answers("", errors.New("timeout")), "nonsense": answers("x", nil),
	} {
		out.Reset()
		if err := v.do(t.Context(), no, &out); err == nil || out.Len() != 0 {
			t.Errorf("%s: %v, %q", name, err, out.String())
		}
	}
	if err := functionError(nil); err == nil {
		t.Error("no error")
	}

	left, _, err := readVisit("operator-leave", []string{"t_lantern01", "s1", "--stage", "prod", "--operator", "olga"})
	if err != nil {
		t.Fatal(err)
	}
	if err := left.do(t.Context(), answers(`{"done":1}`, nil), &out); err != nil || !json.Valid([]byte(asked)) || !strings.Contains(asked, `"session":"s1"`) {
		t.Error(err, asked)
	}
}

func TestAVisitSaysWhoAndWhere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		job  string
		args string
	}{
		{"operator-enter", "--stage prod --operator olga"},
		{"operator-enter", "t_lantern01 --operator olga"},
		{"operator-enter", "t_lantern01 --stage prod"},
		{"operator-enter", "t_lantern01 s1 --stage prod --operator olga"},
		{"operator-enter", "nobody --stage prod --operator olga"},
		{"operator-enter", "t_lantern01 --stage prod --operator olga --grant g --emergency now"},
		{"operator-leave", "t_lantern01 --stage prod --operator olga"},
		{"operator-leave", "t_lantern01 s1 --stage prod --operator olga --grant g"},
	} {
		if v, _, err := readVisit(c.job, strings.Fields(c.args)); err == nil {
			t.Errorf("%s %s: taken as %+v", c.job, c.args, v)
		}
	}
}
