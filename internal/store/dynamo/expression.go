package dynamo

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"pricemanager/internal/store"
)

// expression collects the placeholders of one request. Every name and value is
// a placeholder, so that no attribute can collide with DynamoDB's reserved words
// and no value is ever part of an expression's text.
type expression struct {
	names  map[string]string // placeholder -> attribute
	values map[string]types.AttributeValue
	known  map[string]string // attribute -> placeholder
}

func newExpression() *expression {
	return &expression{known: map[string]string{}}
}

func (e *expression) name(attr string) string {
	if p, ok := e.known[attr]; ok {
		return p
	}
	p := "#n" + strconv.Itoa(len(e.known))
	e.known[attr] = p
	if e.names == nil { // DynamoDB refuses an empty map
		e.names = map[string]string{}
	}
	e.names[p] = attr
	return p
}

func (e *expression) value(v any) string {
	if e.values == nil {
		e.values = map[string]types.AttributeValue{}
	}
	p := ":v" + strconv.Itoa(len(e.values))
	e.values[p] = encodeValue(v)
	return p
}

// condition is the text of conds, all of which must hold; nil when there are none.
func (e *expression) condition(conds []store.Cond) *string {
	if len(conds) == 0 {
		return nil
	}
	return aws.String(e.join(conds, " AND "))
}

func (e *expression) join(conds []store.Cond, with string) string {
	parts := make([]string, len(conds))
	for i, c := range conds {
		parts[i] = e.cond(c)
	}
	return strings.Join(parts, with)
}

func (e *expression) cond(c store.Cond) string {
	switch c.Op {
	case store.OpAbsent:
		return "attribute_not_exists(pk)"
	case store.OpExists:
		return "attribute_exists(pk)"
	case store.OpMissing:
		return "attribute_not_exists(" + e.name(c.Attr) + ")"
	case store.OpHas:
		return "attribute_exists(" + e.name(c.Attr) + ")"
	case store.OpAnyOf:
		return "(" + e.join(c.Any, " OR ") + ")"
	case store.OpNe:
		n := e.name(c.Attr)
		return "(attribute_not_exists(" + n + ") OR " + n + " <> " + e.value(c.Value) + ")"
	}
	return e.name(c.Attr) + " " + operator[c.Op] + " " + e.value(c.Value)
}

var operator = map[store.CondOp]string{
	store.OpEq: "=", store.OpLt: "<", store.OpLe: "<=", store.OpGt: ">", store.OpGe: ">=",
}

// update is the text of what u changes, attributes in order of name so that a
// request is the same every time.
func (e *expression) update(u store.Update) *string {
	var clauses, parts []string
	end := func(verb string) {
		if len(parts) > 0 {
			clauses = append(clauses, verb+" "+strings.Join(parts, ", "))
			parts = nil
		}
	}
	for _, name := range slices.Sorted(maps.Keys(u.Set)) {
		parts = append(parts, e.name(name)+" = "+e.value(u.Set[name]))
	}
	end("SET")
	for _, name := range slices.Sorted(maps.Keys(u.Add)) {
		parts = append(parts, e.name(name)+" "+e.value(u.Add[name]))
	}
	end("ADD")
	for _, name := range u.Remove {
		parts = append(parts, e.name(name))
	}
	end("REMOVE")
	return aws.String(strings.Join(clauses, " "))
}
