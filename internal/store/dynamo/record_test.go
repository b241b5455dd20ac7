package dynamo_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/store"
	"pricemanager/internal/store/dynamo"
)

// modified is a record as Lambda delivers it.
const modified = `{
  "eventID": "1", "eventName": "MODIFY", "eventVersion": "1.1", "eventSource": "aws:dynamodb", "awsRegion": "eu-central-1",
  "dynamodb": {
    "ApproximateCreationDateTime": 1795334400,
    "Keys": {"pk": {"S": "t_aaaaaa#offer#conn"}, "sk": {"S": "sku#1"}},
    "OldImage": {"pk": {"S": "t_aaaaaa#offer#conn"}, "sk": {"S": "sku#1"}, "v": {"N": "9007199254740993"}},
    "NewImage": {"pk": {"S": "t_aaaaaa#offer#conn"}, "sk": {"S": "sku#1"}, "v": {"N": "-2"}, "on": {"BOOL": true}, "b": {"B": "AAH/"}, "s": {"S": ""}},
    "SequenceNumber": "4421584500000000017450439091", "SizeBytes": 100, "StreamViewType": "NEW_AND_OLD_IMAGES"
  },
  "eventSourceARN": "arn:aws:dynamodb:eu-central-1:123456789012:table/pm-offers/stream/2026-11-22T08:00:00.000"
}`

func event(t *testing.T, text string) events.DynamoDBEventRecord {
	t.Helper()
	var r events.DynamoDBEventRecord
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAStreamRecordIsReadWhole(t *testing.T) {
	t.Parallel()
	got, err := dynamo.Record(names, event(t, modified))
	if err != nil {
		t.Fatal(err)
	}
	key := store.Key{PK: "offer#conn", SK: "sku#1"}
	want := store.Record{
		Table: store.Offers, Tenant: "t_aaaaaa", Key: key, Seq: "4421584500000000017450439091",
		At:  time.Unix(1795334400, 0).UTC(),
		Old: &store.Item{Key: key, Attrs: map[string]any{"v": int64(9007199254740993)}},
		New: &store.Item{Key: key, Attrs: map[string]any{"v": int64(-2), "on": true, "b": []byte{0, 1, 255}, "s": ""}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// remove turns modified into the record of a deletion by the given identity.
func remove(identity string) string {
	head, rest, _ := strings.Cut(modified, `    "NewImage"`)
	_, tail, _ := strings.Cut(rest, "\n")
	text := strings.Replace(head+tail, "MODIFY", "REMOVE", 1)
	return strings.Replace(text, `"eventID"`, `"userIdentity": `+identity+`, "eventID"`, 1)
}

func TestOnlyDynamoDBItselfExpiresItems(t *testing.T) {
	t.Parallel()
	for identity, want := range map[string]bool{
		`{"type": "Service", "principalId": "dynamodb.amazonaws.com"}`: true,
		`{"type": "Service", "principalId": "someone.else"}`:           false,
		`null`: false,
	} {
		got, err := dynamo.Record(names, event(t, remove(identity)))
		if err != nil || got.Expired != want || got.Old == nil || got.New != nil {
			t.Errorf("%s: %+v, %v; want a deletion with Expired %t", identity, got, err, want)
		}
	}
}

func TestAForeignStreamRecordIsRefused(t *testing.T) {
	t.Parallel()
	for what, change := range map[string][2]string{
		"another table":      {"table/pm-offers/", "table/pm-offers-2/"},
		"no images":          {"NEW_AND_OLD_IMAGES", "KEYS_ONLY"},
		"no tenant":          {`"Keys": {"pk": {"S": "t_aaaaaa#`, `"Keys": {"pk": {"S": "`},
		"a key of bytes":     {`"Keys": {"pk": {"S": "t_aaaaaa#offer#conn"}`, `"Keys": {"pk": {"B": "AAAA"}`},
		"a fraction":         {`{"N": "-2"}`, `{"N": "-2.5"}`},
		"a list":             {`{"N": "-2"}`, `{"L": []}`},
		"no number":          {`"4421584500000000017450439091"`, `""`},
		"a text as number":   {`"4421584500000000017450439091"`, `"44x"`},
		"a wrong event name": {"MODIFY", "INSERT"},
		"an unknown event":   {"MODIFY", "REMOVE"},
	} {
		if !strings.Contains(modified, change[0]) {
			t.Fatalf("%s changes nothing", what)
		}
		if got, err := dynamo.Record(names, event(t, strings.Replace(modified, change[0], change[1], 1))); err == nil {
			t.Errorf("%s: read as %+v", what, got)
		}
	}
}

// FuzzRecord: whatever arrives, it is an error or a record that is whole.
func FuzzRecord(f *testing.F) {
	f.Add(modified)
	f.Add(remove("null"))
	f.Fuzz(func(t *testing.T, text string) {
		var r events.DynamoDBEventRecord
		if json.Unmarshal([]byte(text), &r) != nil {
			return
		}
		rec, err := dynamo.Record(names, r)
		if err != nil {
			return
		}
		if !rec.Tenant.Valid() || rec.Table != store.Offers || rec.Seq == "" || rec.Old == nil && rec.New == nil {
			t.Errorf("accepted %+v", rec)
		}
		for _, it := range []*store.Item{rec.Old, rec.New} {
			if it != nil && it.Key != rec.Key {
				t.Errorf("image of %v in a record of %v", it.Key, rec.Key)
			}
		}
	})
}
