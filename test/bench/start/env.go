package main

// environment is a function's environment as in a deployment, with made-up
// values: enough to start, useless to reach anything. Tracing is on, as in
// Lambda, so that its share of the start is measured.
func environment() []string {
	return []string{
		"STAGE=prod", "LOG_LEVEL=ERROR", "SERVICE_VERSION=bench",
		"AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=bench", "AWS_SECRET_ACCESS_KEY=bench", "AWS_SESSION_TOKEN=bench",
		"AWS_LAMBDA_FUNCTION_NAME=bench", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512", "AWS_LAMBDA_FUNCTION_VERSION=1",
		"AWS_LAMBDA_LOG_GROUP_NAME=bench", "AWS_LAMBDA_LOG_STREAM_NAME=bench", "AWS_XRAY_DAEMON_ADDRESS=127.0.0.1:2000", "AWS_EC2_METADATA_DISABLED=true",
		"TABLE_OFFERS=pm-offers", "TABLE_IDENTITY=pm-identity", "TABLE_CONNECTIONS=pm-connections",
		"TABLE_LEDGER=pm-ledger", "TABLE_PRIVACY=pm-privacy", "TABLE_KEYS=pm-keys", "TABLE_LIMITS=pm-limits",
		"BUCKET_FILES=pm-files", "BUCKET_EXPORTS=pm-exports", "BUCKET_ARCHIVE=pm-archive",
		"QUEUE_DOORBELL=https://sqs.eu-west-1.amazonaws.com/000000000000/doorbell", "QUEUE_PRIVACY=https://sqs.eu-west-1.amazonaws.com/000000000000/privacy",
		"KMS_DATA_KEY=arn:aws:kms:eu-west-1:000000000000:key/00000000-0000-4000-8000-000000000000",
		"SECRET_LWA=pm/lwa", "SECRET_PEPPER=pm/pepper", "SECRET_LEDGER_SIGNER=pm/signer", "SECRET_CONNECTION_PREFIX=pm/connection/",
		"TOKEN_BROKER=pm-token-broker", "COOLING_OFF=168h", "USER_POOL=eu-central-1_x", "SETTLE=70m",
		"QUEUE_ERASURES=https://sqs.eu-west-1.amazonaws.com/000000000000/erasures",
		// Amazon's addresses stay unset: the defaults are the only ones that
		// STAGE=prod takes.
		"PUBLIC_URL=https://api.example.com", "APPLICATION_ID=amzn1.sellerapps.app.bench", "APPLICATION_DRAFT=false",
		"SECURITY_CONTACT=mailto:security@example.com",
	}
}
