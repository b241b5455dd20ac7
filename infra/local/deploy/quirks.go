package deploy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// binaryMediaTypes lists the media types that the template's API passes on as
// bytes, as API Gateway spells them ("*/*", where the template says "*~1*").
func (t *Template) binaryMediaTypes() []string {
	var types []string
	resources := child(t.root.Content[0], "Resources")
	for _, body := range resources.Content {
		if kind := child(body, "Type"); kind == nil || kind.Value != "AWS::Serverless::Api" {
			continue
		}
		if list := child(child(body, "Properties"), "BinaryMediaTypes"); list != nil {
			for _, n := range list.Content {
				types = append(types, strings.ReplaceAll(n.Value, "~1", "/"))
			}
		}
	}
	return types
}

// setBinaryMediaTypes tells the local API Gateway about binary media types. SAM
// writes them into the OpenAPI body, where AWS reads them and ministack 1.5.33
// does not; without this every upload that is not UTF-8 arrives damaged. The
// SDK cannot send it, since ministack wants the whole list as one value.
func setBinaryMediaTypes(ctx context.Context, cfg aws.Config, api string, types []string, now time.Time) error {
	return callGateway(ctx, cfg, http.MethodPatch, "/restapis/"+api, map[string]any{
		"patchOperations": []map[string]any{{"op": "replace", "path": "/binaryMediaTypes", "value": types}},
	}, now)
}

// callGateway asks the local API Gateway's own API for a change.
func callGateway(ctx context.Context, cfg aws.Config, method, path string, change map[string]any, now time.Time) error {
	body, err := json.Marshal(change)
	if err != nil {
		return fmt.Errorf("deploy: %w", err)
	}
	url := strings.TrimSuffix(aws.ToString(cfg.BaseEndpoint), "/") + path
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("deploy: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	credentials, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("deploy: %w", err)
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, credentials, req, hex.EncodeToString(sum[:]), "apigateway", cfg.Region, now); err != nil {
		return fmt.Errorf("deploy: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("deploy: %s %s: %w", method, path, err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusCreated {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
		return fmt.Errorf("deploy: %s %s: %s: %s", method, path, res.Status, text)
	}
	return nil
}
