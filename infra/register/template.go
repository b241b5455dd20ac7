package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// resource is one store of the template.
type resource struct {
	id, kind string
	props    map[string]any
}

// kinds are the types of resources that keep data, with their names in the register.
var kinds = map[string]string{
	"AWS::DynamoDB::Table":        "table",
	"AWS::S3::Bucket":             "bucket",
	"AWS::SQS::Queue":             "queue",
	"AWS::SNS::Topic":             "topic",
	"AWS::Logs::LogGroup":         "log",
	"AWS::SecretsManager::Secret": "secret",
	"AWS::Cognito::UserPool":      "user pool",
}

// keeping are the last parts of types that keep data. One that kinds lacks is an
// error: a new kind of store must not slip through.
var keeping = []string{
	"Table", "GlobalTable", "Bucket", "Queue", "Topic", "LogGroup", "Secret", "Stream", "DBCluster", "DBInstance",
	"FileSystem", "Domain", "UserPool", "BackupVault", "DeliveryStream", "CacheCluster", "Parameter", "Archive",
}

// stores reads the stores of the template, by kind and id.
func stores(path string) ([]resource, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var doc struct {
		Parameters map[string]struct {
			Default any `yaml:"Default"`
		} `yaml:"Parameters"`
		Resources map[string]struct {
			Type       string    `yaml:"Type"`
			Properties yaml.Node `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defaults := map[string]string{}
	for name, p := range doc.Parameters {
		defaults[name] = fmt.Sprint(p.Default)
	}
	var all []resource
	for id, r := range doc.Resources {
		if _, ok := kinds[r.Type]; !ok {
			if slices.Contains(keeping, r.Type[strings.LastIndex(r.Type, ":")+1:]) {
				return nil, fmt.Errorf("%s: %s is a %s, a kind of store that the register does not know", path, id, r.Type)
			}
			continue
		}
		props, _ := value(&r.Properties, defaults).(map[string]any)
		all = append(all, resource{id: id, kind: kinds[r.Type], props: props})
	}
	slices.SortFunc(all, func(a, b resource) int { return strings.Compare(a.kind+a.id, b.kind+b.id) })
	return all, nil
}

// value is the node as plain Go. A reference to a parameter with a default is
// that; any other intrinsic function is its argument, so !GetAtt DataKey.Arn is
// "DataKey.Arn".
func value(n *yaml.Node, defaults map[string]string) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = value(n.Content[i+1], defaults)
		}
		return m
	case yaml.SequenceNode:
		var list []any
		for _, c := range n.Content {
			list = append(list, value(c, defaults))
		}
		return list
	case yaml.ScalarNode:
		if d, ok := defaults[n.Value]; ok && n.Tag == "!Ref" {
			return d
		}
		return n.Value
	}
	return nil
}

// at follows keys, and through lists all elements; the first text found, or "".
func at(v any, keys ...string) string {
	if l, ok := v.([]any); ok {
		for _, e := range l {
			if s := at(e, keys...); s != "" {
				return s
			}
		}
		return ""
	}
	if len(keys) == 0 {
		s, _ := v.(string)
		return s
	}
	m, _ := v.(map[string]any)
	return at(m[keys[0]], keys[1:]...)
}

// kept says how long the store keeps things by itself, as the template sets it.
func (r resource) kept() string {
	switch r.kind {
	case "table":
		until := "until it is deleted"
		if attr := at(r.props, "TimeToLiveSpecification", "AttributeName"); attr != "" {
			until = "until it is deleted, or its own time is up"
		}
		return until + "; in backups another " + at(r.props, "PointInTimeRecoverySpecification", "RecoveryPeriodInDays") + " days"
	case "bucket":
		if d := at(r.props, "LifecycleConfiguration", "Rules", "ExpirationInDays"); d != "" {
			return d + " days"
		}
		if d := at(r.props, "ObjectLockConfiguration", "Rule", "DefaultRetention", "Days"); d != "" {
			return "locked for " + d + " days, then until it is deleted"
		}
		return "until it is deleted"
	case "queue":
		seconds, err := strconv.Atoi(at(r.props, "MessageRetentionPeriod"))
		if err != nil {
			return "4 days at most" // the service's default
		}
		return fmt.Sprintf("%d days at most", (seconds+86399)/86400)
	case "log":
		if d := at(r.props, "RetentionInDays"); d != "" {
			return d + " days"
		}
		return "for ever"
	case "topic":
		return "until it is delivered"
	case "user pool":
		return "until the member leaves"
	}
	return "until it is replaced or destroyed"
}

// key is the KMS key that the store is encrypted under.
func (r resource) key() string {
	if r.kind == "user pool" {
		return "Cognito's own" // it takes no other
	}
	for _, where := range [][]string{
		{"SSESpecification", "KMSMasterKeyId"},
		{"KmsMasterKeyId"}, {"KmsKeyId"},
		{"BucketEncryption", "ServerSideEncryptionConfiguration", "ServerSideEncryptionByDefault", "KMSMasterKeyID"},
	} {
		if k := at(r.props, where...); k != "" {
			name, _, _ := strings.Cut(k, ".")
			return name
		}
	}
	return "none"
}
