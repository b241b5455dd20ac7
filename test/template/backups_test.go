package template_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/privacy"
	"pricemanager/internal/store"
)

// What an erasure receipt says of backups is what the template keeps: days of
// recovery, and no other copy of a table or of a deleted object.
func TestNoBackupOutlivesTheDatesOfAnErasureReceipt(t *testing.T) {
	t.Parallel()
	for _, table := range resources(t, "AWS::DynamoDB::Table") {
		said := privacy.TablesInBackups
		name, _ := at(table.props, "TableName", "Fn::Sub").(string)
		if strings.HasSuffix(name, "-"+string(store.Keys)) {
			said = privacy.KeysInBackups
		}
		if recovery := at(table.props, "PointInTimeRecoverySpecification"); recovery != nil { // without it there is none
			text, _ := at(recovery, "RecoveryPeriodInDays").(string)
			days, err := strconv.Atoi(text)
			if kept := time.Duration(days) * 24 * time.Hour; err != nil || kept != said {
				t.Errorf("%s: backups go back %s, %v; a receipt says %s", table.id, kept, err, said)
			}
		}
		for _, copies := range []string{"ImportSourceSpecification", "KinesisStreamSpecification", "Replicas"} {
			if at(table.props, copies) != nil {
				t.Errorf("%s has %s: a copy that no receipt knows of", table.id, copies)
			}
		}
	}
	for id, body := range load(t)["Resources"].(object) {
		kind, _ := at(body, "Type").(string)
		if strings.HasPrefix(kind, "AWS::Backup::") || kind == "AWS::DynamoDB::GlobalTable" {
			t.Errorf("%s is a %s: a copy that no receipt knows of", id, kind)
		}
	}
	for _, b := range resources(t, "AWS::S3::Bucket") {
		// A version that a deletion leaves behind would be a backup too. The archive has
		// nothing that could be read: hashes and signed tree heads.
		if b.id != "ArchiveBucket" && (at(b.props, "VersioningConfiguration") != nil || at(b.props, "ReplicationConfiguration") != nil) {
			t.Errorf("%s keeps what was deleted", b.id)
		}
	}
}
