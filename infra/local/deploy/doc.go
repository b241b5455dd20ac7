// Package deploy puts the application on a local AWS: it builds the functions,
// zips them so that the same source gives the same bytes, uploads what changed
// and creates or updates the CloudFormation stack of template.yaml. It does with
// nothing but Go what `sam build`, `sam package` and `sam deploy` do for AWS.
//
// A failed deployment is an error that carries CloudFormation's own reasons,
// resource by resource. What the stack held before is then CloudFormation's
// business, which rolls back. Nothing is deleted here.
package deploy
