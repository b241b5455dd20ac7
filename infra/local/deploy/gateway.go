package deploy

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// gatewayResponses are what the template has API Gateway say when it answers by
// itself, by type, as API Gateway's own API takes them.
func (t *Template) gatewayResponses() (map[string]map[string]any, error) {
	all := map[string]map[string]any{}
	resources := child(t.root.Content[0], "Resources")
	for _, body := range resources.Content {
		if kind := child(body, "Type"); kind == nil || kind.Value != "AWS::Serverless::Api" {
			continue
		}
		said := child(child(body, "Properties"), "GatewayResponses")
		if said == nil {
			continue
		}
		var types map[string]struct {
			StatusCode         string                       `yaml:"StatusCode"`
			ResponseTemplates  map[string]string            `yaml:"ResponseTemplates"`
			ResponseParameters map[string]map[string]string `yaml:"ResponseParameters"`
		}
		if err := said.Decode(&types); err != nil {
			return nil, fmt.Errorf("deploy: gateway responses: %w", err)
		}
		for name, r := range types {
			headers := map[string]string{}
			for header, value := range r.ResponseParameters["Headers"] {
				headers["gatewayresponse.header."+header] = value
			}
			all[name] = map[string]any{"statusCode": r.StatusCode, "responseTemplates": r.ResponseTemplates, "responseParameters": headers}
		}
	}
	return all, nil
}

// setGatewayResponses tells the local API Gateway what to answer by itself. As with
// the binary media types, SAM writes it into the OpenAPI body, which AWS reads and
// ministack 1.5.33 does not. They count from the next deployment of a stage on, so
// this ends with one.
func setGatewayResponses(ctx context.Context, cfg aws.Config, api, stage string, types map[string]map[string]any, now time.Time) error {
	for name, response := range types {
		if err := callGateway(ctx, cfg, http.MethodPut, "/restapis/"+api+"/gatewayresponses/"+name, response, now); err != nil {
			return err
		}
	}
	return callGateway(ctx, cfg, http.MethodPost, "/restapis/"+api+"/deployments", map[string]any{"stageName": stage}, now)
}
