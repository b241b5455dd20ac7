package dynamo

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"pricemanager/internal/store"
)

// Record reads one record of a table's stream, which must carry both images.
// names are the physical names that New takes. An error means that the record
// is not one of this product's tables as it writes them, and will not become so
// by repeating.
func Record(names map[store.Table]string, r events.DynamoDBEventRecord) (store.Record, error) {
	rec := store.Record{Seq: r.Change.SequenceNumber, At: r.Change.ApproximateCreationDateTime.UTC()}
	fail := func(format string, args ...any) (store.Record, error) {
		return store.Record{}, fmt.Errorf("dynamo: stream record %s: %s", r.Change.SequenceNumber, fmt.Sprintf(format, args...))
	}
	physical := tableOf(r.EventSourceArn)
	for t, name := range names {
		if name == physical {
			rec.Table = t
		}
	}
	if rec.Table == "" {
		return fail("of a table %q that is not known here", physical)
	}
	if r.Change.StreamViewType != string(events.DynamoDBStreamViewTypeNewAndOldImages) {
		return fail("the stream shows %q: want NEW_AND_OLD_IMAGES", r.Change.StreamViewType)
	}
	if seq := r.Change.SequenceNumber; seq == "" || strings.Trim(seq, "0123456789") != "" {
		return fail("its number is not one")
	}
	pk, sk := r.Change.Keys["pk"], r.Change.Keys["sk"]
	if pk.DataType() != events.DataTypeString || sk.DataType() != events.DataTypeString {
		return fail("without pk and sk")
	}
	var err error
	if rec.Tenant, rec.Key, err = splitKey(pk.String(), sk.String()); err != nil {
		return fail("%v", err)
	}
	if rec.Old, err = image(rec.Key, r.Change.OldImage); err != nil {
		return fail("old image: %v", err)
	}
	if rec.New, err = image(rec.Key, r.Change.NewImage); err != nil {
		return fail("new image: %v", err)
	}
	wantOld := r.EventName != string(events.DynamoDBOperationTypeInsert)
	wantNew := r.EventName != string(events.DynamoDBOperationTypeRemove)
	if wantOld != (rec.Old != nil) || wantNew != (rec.New != nil) {
		return fail("a %s with the wrong images", r.EventName)
	}
	rec.Expired = r.UserIdentity != nil && r.UserIdentity.PrincipalID == "dynamodb.amazonaws.com"
	return rec, nil
}

// tableOf is NAME in arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/stream/LABEL.
func tableOf(arn string) string {
	_, rest, _ := strings.Cut(arn, ":table/")
	name, _, _ := strings.Cut(rest, "/")
	return name
}

func image(key store.Key, raw map[string]events.DynamoDBAttributeValue) (*store.Item, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	it := &store.Item{Key: key, Attrs: make(map[string]any, len(raw))}
	for name, av := range raw {
		if name == "pk" || name == "sk" {
			continue
		}
		switch av.DataType() {
		case events.DataTypeString:
			it.Attrs[name] = av.String()
		case events.DataTypeNumber:
			n, err := strconv.ParseInt(av.Number(), 10, 64)
			if err != nil {
				return nil, fmt.Errorf("attribute %q is not an int64", name)
			}
			it.Attrs[name] = n
		case events.DataTypeBoolean:
			it.Attrs[name] = av.Boolean()
		case events.DataTypeBinary:
			it.Attrs[name] = append([]byte{}, av.Binary()...)
		default:
			return nil, fmt.Errorf("attribute %q has an unexpected type", name)
		}
	}
	return it, nil
}
