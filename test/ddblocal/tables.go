package ddblocal

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"go.yaml.in/yaml/v4"

	"pricemanager/infra/local/localaws"
	"pricemanager/internal/store"
)

// declaration is a table of template.yaml, as far as it decides what a call
// costs. Time to live is left out: the server would delete what is old by the
// machine's clock, which is not the clock of a simulation.
type declaration struct {
	Type       string `yaml:"Type"`
	Properties struct {
		TableName              string    `yaml:"TableName"`
		AttributeDefinitions   []attr    `yaml:"AttributeDefinitions"`
		KeySchema              []keyPart `yaml:"KeySchema"`
		LocalSecondaryIndexes  []index   `yaml:"LocalSecondaryIndexes"`
		GlobalSecondaryIndexes []index   `yaml:"GlobalSecondaryIndexes"`
	} `yaml:"Properties"`
}

type attr struct {
	Name string                    `yaml:"AttributeName"`
	Type types.ScalarAttributeType `yaml:"AttributeType"`
}

type keyPart struct {
	Name string        `yaml:"AttributeName"`
	Type types.KeyType `yaml:"KeyType"`
}

type index struct {
	Name       string    `yaml:"IndexName"`
	Keys       []keyPart `yaml:"KeySchema"`
	Projection struct {
		Type types.ProjectionType `yaml:"ProjectionType"`
		Also []string             `yaml:"NonKeyAttributes"`
	} `yaml:"Projection"`
}

// Tables makes the product's tables with the keys and indexes that template.yaml
// gives them, and returns their names. A table of the store that the template
// does not have is an error.
func Tables(ctx context.Context, client *dynamodb.Client) (map[store.Table]string, error) {
	root, err := localaws.ProjectRoot()
	if err != nil {
		return nil, fmt.Errorf("ddblocal: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		return nil, fmt.Errorf("ddblocal: %w", err)
	}
	var template struct {
		Resources map[string]yaml.Node `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(text, &template); err != nil {
		return nil, fmt.Errorf("ddblocal: template.yaml: %w", err)
	}
	names := map[store.Table]string{}
	for id, node := range template.Resources {
		var kind struct {
			Type string `yaml:"Type"`
		}
		if err := node.Decode(&kind); err != nil {
			return nil, fmt.Errorf("ddblocal: template.yaml: %s: %w", id, err)
		}
		if kind.Type != "AWS::DynamoDB::Table" {
			continue
		}
		var d declaration
		if err := node.Decode(&d); err != nil {
			return nil, fmt.Errorf("ddblocal: template.yaml: %s: %w", id, err)
		}
		_, name, _ := strings.Cut(d.Properties.TableName, "${Stage}-")
		names[store.Table(name)] = "pm-" + name
		if _, err := client.CreateTable(ctx, d.input("pm-"+name)); err != nil {
			return nil, fmt.Errorf("ddblocal: make %s: %w", id, err)
		}
	}
	for _, t := range store.Tables() {
		if names[t] == "" {
			return nil, fmt.Errorf("ddblocal: template.yaml has no table %q", t)
		}
	}
	return names, nil
}

func (d declaration) input(name string) *dynamodb.CreateTableInput {
	p := d.Properties
	in := &dynamodb.CreateTableInput{TableName: aws.String(name), BillingMode: types.BillingModePayPerRequest, KeySchema: keys(p.KeySchema)}
	for _, a := range p.AttributeDefinitions {
		in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{AttributeName: aws.String(a.Name), AttributeType: a.Type})
	}
	for _, i := range p.LocalSecondaryIndexes {
		in.LocalSecondaryIndexes = append(in.LocalSecondaryIndexes,
			types.LocalSecondaryIndex{IndexName: aws.String(i.Name), KeySchema: keys(i.Keys), Projection: i.projection()})
	}
	for _, i := range p.GlobalSecondaryIndexes {
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes,
			types.GlobalSecondaryIndex{IndexName: aws.String(i.Name), KeySchema: keys(i.Keys), Projection: i.projection()})
	}
	return in
}

func (i index) projection() *types.Projection {
	return &types.Projection{ProjectionType: i.Projection.Type, NonKeyAttributes: i.Projection.Also}
}

func keys(parts []keyPart) (schema []types.KeySchemaElement) {
	for _, p := range parts {
		schema = append(schema, types.KeySchemaElement{AttributeName: aws.String(p.Name), KeyType: p.Type})
	}
	return schema
}
