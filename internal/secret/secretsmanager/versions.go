package secretsmanager

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"pricemanager/internal/secret"
)

// VersionsAPI is the part of the SDK's client that a rotation uses.
type VersionsAPI interface {
	GetSecretValue(context.Context, *sm.GetSecretValueInput, ...func(*sm.Options)) (*sm.GetSecretValueOutput, error)
	PutSecretValue(context.Context, *sm.PutSecretValueInput, ...func(*sm.Options)) (*sm.PutSecretValueOutput, error)
	DescribeSecret(context.Context, *sm.DescribeSecretInput, ...func(*sm.Options)) (*sm.DescribeSecretOutput, error)
	UpdateSecretVersionStage(context.Context, *sm.UpdateSecretVersionStageInput, ...func(*sm.Options)) (*sm.UpdateSecretVersionStageOutput, error)
}

var _ VersionsAPI = (*sm.Client)(nil)

// Versions rotates secrets that exist; it neither makes nor destroys any.
type Versions struct{ api VersionsAPI }

var _ secret.Versions = Versions{}

// NewVersions returns the versions of the secrets that api reaches.
func NewVersions(api VersionsAPI) Versions { return Versions{api} }

// At returns the version at a stage.
func (v Versions) At(ctx context.Context, name string, s secret.Stage) (secret.Version, error) {
	out, err := v.api.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: &name, VersionStage: aws.String(string(s))})
	if err == nil {
		return secret.Version{ID: aws.ToString(out.VersionId), Value: secret.New(aws.ToString(out.SecretString))}, nil
	}
	if !isA[*types.ResourceNotFoundException](err) {
		return secret.Version{}, wrap("get", name, err)
	}
	if s == secret.Pending { // one that was announced has a label and no value
		ids, err := v.pending(ctx, name)
		if err != nil {
			return secret.Version{}, err
		}
		if len(ids) > 0 {
			return secret.Version{ID: ids[0]}, nil
		}
	}
	return secret.Version{}, fmt.Errorf("%w: %s at %s", secret.ErrNotFound, name, s)
}

// Propose makes a pending version.
func (v Versions) Propose(ctx context.Context, name string, in secret.Version) error {
	has, err := v.has(ctx, name, in)
	if err != nil || has {
		return err
	}
	// The label is taken from whoever has it: from a rotation that was overtaken,
	// or from a version that is current. A crash after this leaves none pending,
	// and the rotation begins anew.
	ids, err := v.pending(ctx, name)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if id == in.ID {
			continue
		}
		if err := v.move(ctx, name, secret.Pending, nil, &id); err != nil {
			return err
		}
	}
	_, err = v.api.PutSecretValue(ctx, &sm.PutSecretValueInput{
		SecretId: &name, ClientRequestToken: &in.ID, SecretString: aws.String(in.Value.Reveal()), VersionStages: []string{string(secret.Pending)},
	})
	switch {
	case isA[*types.ResourceNotFoundException](err):
		return fmt.Errorf("%w: %s", secret.ErrNotFound, name)
	case isA[*types.ResourceExistsException](err): // made meanwhile, with other content
		return fmt.Errorf("%w: %s", secret.ErrMoved, name)
	}
	return wrap("put", name, err)
}

// has reports whether the version is there with that content.
func (v Versions) has(ctx context.Context, name string, in secret.Version) (bool, error) {
	out, err := v.api.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: &name, VersionId: &in.ID})
	switch {
	case isA[*types.ResourceNotFoundException](err):
		return false, nil
	case err != nil:
		return false, wrap("get", name, err)
	case aws.ToString(out.SecretString) == in.Value.Reveal():
		return true, nil
	case aws.ToString(out.SecretString) == "":
		return false, nil
	}
	return false, fmt.Errorf("%w: %s", secret.ErrMoved, name)
}

// Promote makes a version current: Secrets Manager refuses when from is not.
func (v Versions) Promote(ctx context.Context, name, id, from string) error {
	current, err := v.At(ctx, name, secret.Current)
	if err != nil || current.ID == id {
		return err
	}
	if current.ID != from {
		return fmt.Errorf("%w: %s", secret.ErrMoved, name)
	}
	return v.move(ctx, name, secret.Current, &id, &from)
}

func (v Versions) move(ctx context.Context, name string, s secret.Stage, to, from *string) error {
	_, err := v.api.UpdateSecretVersionStage(ctx, &sm.UpdateSecretVersionStageInput{
		SecretId: &name, VersionStage: aws.String(string(s)), MoveToVersionId: to, RemoveFromVersionId: from,
	})
	switch {
	case isA[*types.InvalidParameterException](err): // the label was moved meanwhile
		return fmt.Errorf("%w: %s", secret.ErrMoved, name)
	case isA[*types.ResourceNotFoundException](err):
		return fmt.Errorf("%w: %s version %s", secret.ErrNotFound, name, aws.ToString(to))
	}
	return wrap("stage", name, err)
}

// pending lists the versions with that label: one or none, but for stand-ins of
// the service that leave it behind.
func (v Versions) pending(ctx context.Context, name string) ([]string, error) {
	out, err := v.api.DescribeSecret(ctx, &sm.DescribeSecretInput{SecretId: &name})
	if isA[*types.ResourceNotFoundException](err) {
		return nil, fmt.Errorf("%w: %s", secret.ErrNotFound, name)
	}
	if err != nil {
		return nil, wrap("describe", name, err)
	}
	var ids []string
	for id, stages := range out.VersionIdsToStages {
		if slices.Contains(stages, string(secret.Pending)) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}
