package dynamo

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

func partition(t tenant.ID, pk string) types.AttributeValue {
	return &types.AttributeValueMemberS{Value: string(t) + "#" + pk}
}

func encodeKey(t tenant.ID, k store.Key) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"pk": partition(t, k.PK),
		"sk": &types.AttributeValueMemberS{Value: k.SK},
	}
}

func encode(t tenant.ID, it store.Item) map[string]types.AttributeValue {
	m := encodeKey(t, it.Key)
	for name, v := range it.Attrs {
		m[name] = encodeValue(v)
	}
	return m
}

// encodeValue encodes what store's checks have let through.
func encodeValue(v any) types.AttributeValue {
	switch v := v.(type) {
	case string:
		return &types.AttributeValueMemberS{Value: v}
	case int64:
		return &types.AttributeValueMemberN{Value: strconv.FormatInt(v, 10)}
	case bool:
		return &types.AttributeValueMemberBOOL{Value: v}
	case []byte:
		if v == nil {
			v = []byte{} // nil would be left out of the request
		}
		return &types.AttributeValueMemberB{Value: v}
	}
	panic(fmt.Sprintf("dynamo: unchecked attribute of type %T", v))
}

// decode reads an item of tenant t. One that is not the tenant's, or is not
// shaped like ours, was put there by something else and is an error.
func decode(t tenant.ID, raw map[string]types.AttributeValue) (store.Item, error) {
	pk, ok1 := raw["pk"].(*types.AttributeValueMemberS)
	sk, ok2 := raw["sk"].(*types.AttributeValueMemberS)
	if !ok1 || !ok2 {
		return store.Item{}, fmt.Errorf("dynamo: item without pk and sk")
	}
	owner, key, err := splitKey(pk.Value, sk.Value)
	if err != nil {
		return store.Item{}, err
	}
	if owner != t {
		return store.Item{}, fmt.Errorf("dynamo: item of another tenant")
	}
	it := store.Item{Key: key, Attrs: make(map[string]any, len(raw)-2)}
	for name, av := range raw {
		if name == "pk" || name == "sk" {
			continue
		}
		if it.Attrs[name], err = decodeValue(av); err != nil {
			return store.Item{}, fmt.Errorf("dynamo: attribute %q: %w", name, err)
		}
	}
	return it, nil
}

func decodeValue(av types.AttributeValue) (any, error) {
	switch av := av.(type) {
	case *types.AttributeValueMemberS:
		return av.Value, nil
	case *types.AttributeValueMemberN:
		return strconv.ParseInt(av.Value, 10, 64)
	case *types.AttributeValueMemberBOOL:
		return av.Value, nil
	case *types.AttributeValueMemberB:
		return append([]byte{}, av.Value...), nil
	}
	return nil, fmt.Errorf("unexpected type %T", av)
}

func splitKey(pk, sk string) (tenant.ID, store.Key, error) {
	owner, rest, ok := strings.Cut(pk, "#")
	t, err := tenant.Parse(owner)
	if !ok || err != nil {
		return "", store.Key{}, fmt.Errorf("dynamo: pk does not begin with a tenant and '#'")
	}
	return t, store.Key{PK: rest, SK: sk}, nil
}
