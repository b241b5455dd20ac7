package awskms_test

import (
	"context"
	"errors"
	"maps"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"pricemanager/internal/envelope"
	"pricemanager/internal/envelope/awskms"
)

// api answers with err, or with fixed bytes, and keeps what it was asked.
type api struct {
	err      error
	generate *kms.GenerateDataKeyInput
	decrypt  *kms.DecryptInput
	rewrap   *kms.ReEncryptInput
}

func (a *api) ReEncrypt(_ context.Context, in *kms.ReEncryptInput, _ ...func(*kms.Options)) (*kms.ReEncryptOutput, error) {
	a.rewrap = in
	return &kms.ReEncryptOutput{CiphertextBlob: []byte("anew"), KeyId: aws.String("arn:new")}, a.err
}

func (a *api) GenerateDataKey(_ context.Context, in *kms.GenerateDataKeyInput, _ ...func(*kms.Options)) (*kms.GenerateDataKeyOutput, error) {
	a.generate = in
	return &kms.GenerateDataKeyOutput{Plaintext: make([]byte, 32), CiphertextBlob: []byte("wrapped"), KeyId: aws.String("arn:key")}, a.err
}

func (a *api) Decrypt(_ context.Context, in *kms.DecryptInput, _ ...func(*kms.Options)) (*kms.DecryptOutput, error) {
	a.decrypt = in
	return &kms.DecryptOutput{Plaintext: make([]byte, 32)}, a.err
}

func TestContextAndKeyGoToKMS(t *testing.T) {
	t.Parallel()
	a := &api{}
	k := awskms.New(a, "key-1")
	want := map[string]string{"tenant": "t_aaaaaa", "purpose": "members"}
	_, wrapped, id, err := k.GenerateDataKey(t.Context(), want)
	if err != nil || string(wrapped) != "wrapped" || id != "arn:key" {
		t.Fatalf("%q, %q, %v", wrapped, id, err)
	}
	if !maps.Equal(a.generate.EncryptionContext, want) || aws.ToString(a.generate.KeyId) != "key-1" || a.generate.KeySpec != types.DataKeySpecAes256 {
		t.Errorf("generate asked with %+v", a.generate)
	}
	if _, err := k.Decrypt(t.Context(), wrapped, want); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(a.decrypt.EncryptionContext, want) || aws.ToString(a.decrypt.KeyId) != "key-1" || string(a.decrypt.CiphertextBlob) != "wrapped" {
		t.Errorf("decrypt asked with %+v", a.decrypt)
	}
}

func TestRewrappingKeepsTheContextAndThePlainKeyInKMS(t *testing.T) {
	t.Parallel()
	a := &api{}
	want := map[string]string{"tenant": "t_aaaaaa", "purpose": "members"}
	anew, id, err := awskms.New(a, "key-2").From("key-1").Rewrap(t.Context(), []byte("wrapped"), want)
	if err != nil || string(anew) != "anew" || id != "arn:new" {
		t.Fatalf("%q, %q, %v", anew, id, err)
	}
	in := a.rewrap
	if !maps.Equal(in.SourceEncryptionContext, want) || !maps.Equal(in.DestinationEncryptionContext, want) ||
		aws.ToString(in.SourceKeyId) != "key-1" || aws.ToString(in.DestinationKeyId) != "key-2" || string(in.CiphertextBlob) != "wrapped" {
		t.Errorf("asked with %+v", in)
	}
	if a.decrypt != nil || a.generate != nil {
		t.Error("the data key left KMS")
	}
}

func TestOnlyARefusalIsAVerdict(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err     error
		refused bool
	}{
		{&types.InvalidCiphertextException{}, true},
		{&types.IncorrectKeyException{}, true},
		{&types.KMSInternalException{}, false},
		{&types.KeyUnavailableException{}, false},
		{context.DeadlineExceeded, false},
	} {
		_, err := awskms.New(&api{err: c.err}, "key-1").Decrypt(t.Context(), nil, nil)
		if errors.Is(err, envelope.ErrRefused) != c.refused || !errors.Is(err, c.err) {
			t.Errorf("%T: %v", c.err, err)
		}
		_, _, err = awskms.New(&api{err: c.err}, "key-1").Rewrap(t.Context(), nil, nil)
		if errors.Is(err, envelope.ErrRefused) != c.refused || !errors.Is(err, c.err) {
			t.Errorf("rewrapping, %T: %v", c.err, err)
		}
	}
}
