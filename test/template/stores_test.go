package template_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"pricemanager/internal/store"
)

// encryption is where each kind of store says which key it is kept under.
var encryption = map[string][]string{
	"AWS::DynamoDB::Table":        {"SSESpecification", "KMSMasterKeyId"},
	"AWS::SQS::Queue":             {"KmsMasterKeyId"},
	"AWS::SNS::Topic":             {"KmsMasterKeyId"},
	"AWS::SecretsManager::Secret": {"KmsKeyId"},
	"AWS::Logs::LogGroup":         {"KmsKeyId"},
}

func TestNothingIsStoredInClear(t *testing.T) {
	t.Parallel()
	key := func(id string, v any) {
		if k := names(v); k != "DataKey" && k != "TokenKey" && k != "NotificationsKey" {
			t.Errorf("%s is not encrypted with a key of ours", id)
		}
	}
	for kind, where := range encryption {
		for _, r := range resources(t, kind) {
			key(r.id, at(r.props, where...))
		}
	}
	for _, b := range resources(t, "AWS::S3::Bucket") {
		rules := list(at(b.props, "BucketEncryption", "ServerSideEncryptionConfiguration"))
		if len(rules) != 1 || at(rules[0], "ServerSideEncryptionByDefault", "SSEAlgorithm") != "aws:kms" || at(rules[0], "BucketKeyEnabled") != "true" {
			t.Errorf("%s: want aws:kms with a bucket key", b.id)
			continue
		}
		key(b.id, at(rules[0], "ServerSideEncryptionByDefault", "KMSMasterKeyID"))
	}
	// A kind of store that this test has not heard of must not slip through.
	stores := []string{"::Bucket", "::Table", "::GlobalTable", "::Queue", "::Topic", "::Secret", "::LogGroup", "::Stream", "::DBCluster", "::FileSystem", "::Domain"}
	for id, body := range load(t)["Resources"].(object) {
		kind := body.(object)["Type"].(string)
		holds := slices.ContainsFunc(stores, func(s string) bool { return strings.HasSuffix(kind, s) })
		if _, known := encryption[kind]; holds && !known && kind != "AWS::S3::Bucket" {
			t.Errorf("%s is a store (%s) that no rule here covers", id, kind)
		}
	}
}

func TestKeysRotateAndNobodyUsesThemByDefault(t *testing.T) {
	t.Parallel()
	for _, k := range resources(t, "AWS::KMS::Key") {
		// KMS rotates no HMAC keys; a new one would not find what was indexed before.
		if k.props["EnableKeyRotation"] != "true" && k.props["KeySpec"] != "HMAC_256" {
			t.Errorf("%s does not rotate", k.id)
		}
		for _, s := range list(at(k.props["KeyPolicy"], "Statement")) {
			sid := text(at(s, "Sid"))
			if at(s, "Principal") == "*" || at(s, "Principal", "AWS") == "*" {
				t.Errorf("%s/%s is open to everybody", k.id, sid)
			}
			for _, a := range list(at(s, "Action")) {
				use := slices.ContainsFunc([]string{"Encrypt", "Decrypt", "DataKey", "Sign", "Grant", "Mac"}, func(u string) bool { return strings.Contains(a.(string), u) })
				if strings.Contains(a.(string), "*") {
					t.Errorf("%s/%s allows %s", k.id, sid, a)
				}
				if use && sid != "Administration" && at(s, "Condition") == nil {
					t.Errorf("%s/%s allows %s without a condition", k.id, sid, a)
				}
				if use && sid == "Administration" && !slices.Contains([]string{"kms:ListGrants", "kms:RevokeGrant", "kms:RetireGrant"}, a.(string)) {
					t.Errorf("%s: administration includes %s", k.id, a)
				}
			}
		}
	}
}

// TestSealedFieldsOpenForTheirFunctionsAlone: the data key makes and unwraps data
// keys only for roles that reach the table of wrapped keys, and only with the
// tenant in the encryption context.
func TestSealedFieldsOpenForTheirFunctionsAlone(t *testing.T) {
	t.Parallel()
	var got []string
	for _, k := range resources(t, "AWS::KMS::Key") {
		for _, s := range list(at(k.props["KeyPolicy"], "Statement")) {
			if at(s, "Sid") != "SealedFields" && at(s, "Sid") != "SealedTokens" && at(s, "Sid") != "SealedLedger" && at(s, "Sid") != "SealedSources" && at(s, "Sid") != "SealedOrigins" {
				continue
			}
			if at(s, "Sid") == "SealedLedger" && (at(s, "Action") != "kms:Decrypt" || at(s, "Condition", "StringEquals", "kms:EncryptionContext:purpose") != "ledger") {
				t.Error("who reads the ledger's events may do more")
			}
			if at(s, "Sid") == "SealedTokens" && at(s, "Condition", "StringEquals", "kms:EncryptionContext:purpose") != "tokens" {
				t.Error("who keeps access tokens may open more")
			}
			if at(s, "Sid") == "SealedSources" && at(s, "Condition", "StringEquals", "kms:EncryptionContext:purpose") != "sources" {
				t.Error("who keeps addresses of price files may open more")
			}
			if at(s, "Sid") == "SealedOrigins" && at(s, "Condition", "StringEquals", "kms:EncryptionContext:purpose") != "origins" {
				t.Error("who notes where requests come from may open more")
			}
			if at(s, "Condition", "Null", "kms:EncryptionContext:tenant") != "false" {
				t.Error("a data key can be made without a tenant")
			}
			for _, r := range list(at(s, "Condition", "ArnEquals", "aws:PrincipalArn")) {
				_, name, _ := strings.Cut(text(r), "role/pm-${Stage}-")
				got = append(got, strings.TrimSuffix(name, "-${AWS::Region}"))
			}
		}
	}
	slices.Sort(got)
	got = slices.Compact(got) // one may have several purposes
	if want := may(t, "dynamodb:GetItem", on("KeysTable")); !slices.Equal(got, want) {
		t.Errorf("the key policy names %v, the table of data keys is read by %v", got, want)
	}
}

func TestTablesAreThoseOfTheCode(t *testing.T) {
	t.Parallel()
	found := map[string]resource{}
	for _, r := range resources(t, "AWS::DynamoDB::Table") {
		found[text(r.props["TableName"])] = r
	}
	if len(found) != len(store.Tables()) {
		t.Errorf("the template has %d tables, the code %d", len(found), len(store.Tables()))
	}
	for _, table := range store.Tables() {
		r, ok := found["pm-${Stage}-"+string(table)]
		if !ok {
			t.Errorf("the template lacks table %s", table)
			continue
		}
		streamed := slices.Contains(store.Streamed(), table)
		if got := at(r.props, "StreamSpecification", "StreamViewType") == "NEW_AND_OLD_IMAGES"; got != streamed {
			t.Errorf("%s: stream with both images %t, want %t", table, got, streamed)
		}
		// The empty index keeps a partition key's items, and so their changes, in order.
		if got := len(list(r.props["LocalSecondaryIndexes"])) == 1; got != streamed {
			t.Errorf("%s: ordering index %t, want %t", table, got, streamed)
		}
		if got, want := at(r.props, "TimeToLiveSpecification", "AttributeName") == "ttl", streamed || table == store.Limits; got != want {
			t.Errorf("%s: expiry %t, want %t (the ledger and data keys never expire)", table, got, want)
		}
		days := "35"
		if table == store.Keys {
			days = "7" // a destroyed data key must not come back for longer
		}
		if table == store.Limits {
			if at(r.props, "PointInTimeRecoverySpecification") != nil {
				t.Errorf("%s: counters of minutes are kept for restoring", table)
			}
		} else if at(r.props, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled") != "true" ||
			at(r.props, "PointInTimeRecoverySpecification", "RecoveryPeriodInDays") != days {
			t.Errorf("%s: want recovery to any point of %s days", table, days)
		}
		if r.props["BillingMode"] != "PAY_PER_REQUEST" {
			t.Errorf("%s is not on demand", table)
		}
	}
}

func TestBucketsAreClosedAndForget(t *testing.T) {
	t.Parallel()
	policies := map[string]resource{}
	for _, p := range resources(t, "AWS::S3::BucketPolicy") {
		policies[names(p.props["Bucket"])] = p
	}
	for _, b := range resources(t, "AWS::S3::Bucket") {
		for _, block := range []string{"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"} {
			if at(b.props, "PublicAccessBlockConfiguration", block) != "true" {
				t.Errorf("%s: %s is off", b.id, block)
			}
		}
		if !refusesPlainHTTP(policies[b.id].props) {
			t.Errorf("%s answers without TLS", b.id)
		}
		if len(list(at(b.props, "LifecycleConfiguration", "Rules"))) == 0 {
			t.Errorf("%s keeps everything for ever", b.id)
		}
		locked := at(b.props, "ObjectLockConfiguration", "Rule", "DefaultRetention", "Days") != nil && b.props["ObjectLockEnabled"] == "true"
		if locked != (b.id == "ArchiveBucket") {
			t.Errorf("%s: object lock is %t", b.id, locked)
		}
	}
}

// Price files as they were uploaded may have columns that are nobody's business here:
// they go after a week, by the tag that they are stored with, and whoever stores them
// may set it.
func TestFilesAsUploadedAreForgottenAfterAWeek(t *testing.T) {
	t.Parallel()
	var days []string
	for _, b := range resources(t, "AWS::S3::Bucket") {
		for _, rule := range list(at(b.props, "LifecycleConfiguration", "Rules")) {
			for _, tag := range list(at(rule, "TagFilters")) {
				if b.id == "FilesBucket" && at(tag, "Key") == store.BriefTag && at(tag, "Value") == store.BriefValue && at(rule, "Status") == "Enabled" {
					days = append(days, text(at(rule, "ExpirationInDays")))
				}
			}
		}
	}
	if !slices.Equal(days, []string{"7"}) {
		t.Errorf("they go after %v days", days)
	}
	if got, want := may(t, "s3:PutObjectTagging", on("FilesBucket")), []string{"price-pull", "price-upload"}; !slices.Equal(got, want) {
		t.Errorf("tags are set by %v, want %v", got, want)
	}
}

// refusesPlainHTTP reports whether a policy denies everything that comes
// without TLS.
func refusesPlainHTTP(props object) bool {
	return slices.ContainsFunc(list(at(props, "PolicyDocument", "Statement")), func(s any) bool {
		return at(s, "Effect") == "Deny" && at(s, "Principal") == "*" && at(s, "Condition", "Bool", "aws:SecureTransport") == "false"
	})
}

// TestDataOutlivesItsStack: deleting or replacing a resource by mistake must not
// delete what it holds.
// A year of history is promised: neither the archive nor the ledger's table may
// forget earlier.
func TestTheLedgersArchiveIsLockedForAYear(t *testing.T) {
	t.Parallel()
	days, err := strconv.Atoi(text(at(load(t), "Parameters", "ArchiveLockDays", "Default")))
	if err != nil || days < 365 {
		t.Errorf("the archive is locked for %d days, %v", days, err)
	}
	for _, b := range resources(t, "AWS::S3::Bucket") {
		if b.id != "ArchiveBucket" {
			continue
		}
		if names(at(b.props, "ObjectLockConfiguration", "Rule", "DefaultRetention", "Days")) != "ArchiveLockDays" {
			t.Error("the archive's lock does not last as long as its parameter says")
		}
		for _, rule := range list(at(b.props, "LifecycleConfiguration", "Rules")) {
			for name := range rule.(object) {
				if strings.Contains(name, "Expiration") {
					t.Errorf("the archive forgets: %s", name)
				}
			}
		}
	}
	for _, r := range resources(t, "AWS::DynamoDB::Table") {
		if r.id == "LedgerTable" && at(r.props, "TimeToLiveSpecification") != nil {
			t.Error("items of the ledger expire")
		}
	}
}

func TestDataOutlivesItsStack(t *testing.T) {
	t.Parallel()
	for _, r := range resources(t, "AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key", "AWS::SecretsManager::Secret", "AWS::Logs::LogGroup") {
		if r.body["DeletionPolicy"] != "Retain" || r.body["UpdateReplacePolicy"] != "Retain" {
			t.Errorf("%s would be deleted with its content", r.id)
		}
	}
}

func TestLogsAreKeptLongEnoughAndApart(t *testing.T) {
	t.Parallel()
	groups := map[string]bool{}
	for _, g := range resources(t, "AWS::Logs::LogGroup") {
		if number(t, g.props["RetentionInDays"]) < 365 {
			t.Errorf("%s keeps logs less than a year", g.id)
		}
		groups[g.id] = true
	}
	for _, f := range functions(t) {
		g := names(at(f.props["LoggingConfig"], "LogGroup"))
		if !groups[g] || !slices.Equal(may(t, "logs:PutLogEvents", on(g)), []string{function(f)}) {
			t.Errorf("%s writes to %q, which is not its own", f.id, g)
		}
	}
}

func TestTheStageIsInEveryName(t *testing.T) {
	t.Parallel()
	for id, body := range load(t)["Resources"].(object) {
		props, _ := body.(object)["Properties"].(object)
		for _, key := range []string{"TableName", "BucketName", "QueueName", "TopicName", "FunctionName", "RoleName", "AlarmName", "LogGroupName", "AliasName", "Name"} {
			if v, ok := props[key]; ok && !strings.Contains(text(v), "${Stage}") {
				t.Errorf("%s: %s %q lacks the stage", id, key, text(v))
			}
		}
	}
}
