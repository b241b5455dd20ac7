package awskms_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"pgregory.net/rapid"

	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/awskms"
	"pricemanager/internal/envelope/memkms"
)

// macs is KMS with one HMAC key.
type macs struct {
	key   []byte
	err   error
	short bool
	asked *kms.GenerateMacInput
}

func (m *macs) GenerateMac(_ context.Context, in *kms.GenerateMacInput, _ ...func(*kms.Options)) (*kms.GenerateMacOutput, error) {
	m.asked = in
	h := hmac.New(sha256.New, m.key)
	h.Write(in.Message)
	mac := h.Sum(nil)
	if m.short {
		mac = mac[:16]
	}
	return &kms.GenerateMacOutput{Mac: mac}, m.err
}

func TestBothIndexesAreTheSameFunctionOfKeyKindAndValue(t *testing.T) {
	t.Parallel()
	key := bytes.Repeat([]byte{7}, 32)
	aws1 := awskms.NewIndex(&macs{key: key}, "key-1")
	other := awskms.NewIndex(&macs{key: bytes.Repeat([]byte{8}, 32)}, "key-1")
	twin, err := memkms.NewIndex(bytes.NewReader(key))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	text := rapid.StringOfN(rapid.Rune(), 1, 60, 4000)
	rapid.Check(t, func(rt *rapid.T) {
		kind, value := rapid.SampledFrom([]string{"mail", "device", "address", "m", "mail2"}).Draw(rt, "kind"), text.Draw(rt, "value")
		a, err1 := aws1.Of(t.Context(), kind, value)
		b, err2 := twin.Of(t.Context(), kind, value)
		c, err3 := other.Of(t.Context(), kind, value)
		if err := errors.Join(err1, err2, err3); err != nil || a != b || len(a) != 32 || a == c || strings.Contains(a, value) && len(value) > 4 {
			rt.Fatalf("%q %q %q, %v", a, b, c, err)
		}
		of := kind + "\x00" + value
		if before, ok := seen[a]; ok && before != of {
			rt.Fatalf("%q and %q have one index", before, of)
		}
		seen[a] = of
	})
}

func TestTheKeyOfAnIndexStaysInKMS(t *testing.T) {
	t.Parallel()
	m := &macs{key: []byte("k")}
	if _, err := awskms.NewIndex(m, "key-1").Of(t.Context(), "mail", "ann@example.com"); err != nil {
		t.Fatal(err)
	}
	if aws.ToString(m.asked.KeyId) != "key-1" || m.asked.MacAlgorithm != types.MacAlgorithmSpecHmacSha256 || string(m.asked.Message) != "index/1/mail/ann@example.com" {
		t.Errorf("asked with %+v", m.asked)
	}
}

// No index is better than one that two values share, or none was asked for.
func TestWhatHasNoIndexIsAnError(t *testing.T) {
	t.Parallel()
	twin, err := memkms.NewIndex(bytes.NewReader(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{{"", "x"}, {"a/b", "x"}, {"a\n", "x"}, {strings.Repeat("k", 65), "x"}, {"mail", ""}, {"mail", strings.Repeat("x", 4001)}} {
		for _, of := range []func(context.Context, string, string) (string, error){twin.Of, awskms.NewIndex(&macs{}, "key-1").Of} {
			if got, err := of(t.Context(), c[0], c[1]); !errors.Is(err, envelope.ErrNotIndexed) || got != "" {
				t.Errorf("%.20q of kind %q: %q, %v", c[1], c[0], got, err)
			}
		}
	}
	down := &types.KMSInternalException{}
	if _, err := awskms.NewIndex(&macs{err: down}, "key-1").Of(t.Context(), "mail", "x"); !errors.Is(err, down) {
		t.Error(err)
	}
	if got, err := awskms.NewIndex(&macs{short: true}, "key-1").Of(t.Context(), "mail", "x"); err == nil {
		t.Errorf("a short MAC became %q", got)
	}
	twin.Fail = func() error { return down }
	if _, err := twin.Of(t.Context(), "mail", "x"); !errors.Is(err, down) {
		t.Error(err)
	}
	if _, err := memkms.NewIndex(bytes.NewReader(nil)); err == nil {
		t.Error("a key was made of no random bytes")
	}
}
