package template_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// source is a queue or stream that drives a function.
type source struct {
	fn    resource
	event string
	props object
}

func sources(t *testing.T, kind string) []source {
	t.Helper()
	var all []source
	for _, f := range functions(t) {
		for name, e := range events(f) {
			if e["Type"] == kind {
				all = append(all, source{f, name, e["Properties"].(object)})
			}
		}
	}
	if len(all) == 0 {
		t.Fatalf("no function has a source of type %s", kind)
	}
	return all
}

func queues(t *testing.T) map[string]resource {
	t.Helper()
	all := map[string]resource{}
	for _, q := range resources(t, "AWS::SQS::Queue") {
		all[q.id] = q
	}
	return all
}

func TestQueuesWaitSixTimesAsLongAsTheirFunction(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t, "SQS") {
		q := queues(t)[names(s.props["Queue"])]
		if visibility, timeout := number(t, q.props["VisibilityTimeout"]), number(t, s.fn.props["Timeout"]); visibility < 6*timeout {
			t.Errorf("%s: visibility %d s, its function runs up to %d s", q.id, visibility, timeout)
		}
	}
}

func TestWhatFailsIsKept(t *testing.T) {
	t.Parallel()
	all := queues(t)
	for _, s := range sources(t, "SQS") {
		q := all[names(s.props["Queue"])]
		dead := names(at(q.props["RedrivePolicy"], "deadLetterTargetArn"))
		if all[dead].id == "" {
			t.Errorf("%s has no dead-letter queue", q.id)
			continue
		}
		if n := number(t, at(q.props["RedrivePolicy"], "maxReceiveCount")); n < 2 {
			t.Errorf("%s gives up after %d tries", q.id, n)
		}
		if number(t, all[dead].props["MessageRetentionPeriod"]) <= number(t, q.props["MessageRetentionPeriod"]) {
			t.Errorf("%s keeps messages no longer than %s", dead, q.id)
		}
		from := list(at(all[dead].props["RedriveAllowPolicy"], "sourceQueueArns"))
		if len(from) != 1 || !strings.HasSuffix(text(from[0]), ":"+text(q.props["QueueName"])) {
			t.Errorf("%s takes dead letters from %v, want only %s", dead, from, q.id)
		}
	}
	for _, s := range sources(t, "DynamoDB") {
		if dead := names(at(s.props["DestinationConfig"], "OnFailure", "Destination")); all[dead].id == "" {
			t.Errorf("%s.%s forgets what it gives up", s.fn.id, s.event)
		}
		if s.props["BisectBatchOnFunctionError"] != "true" {
			t.Errorf("%s.%s gives up whole batches", s.fn.id, s.event)
		}
	}
	for _, s := range append(sources(t, "SQS"), sources(t, "DynamoDB")...) {
		if !slices.Equal(list(s.props["FunctionResponseTypes"]), []any{"ReportBatchItemFailures"}) {
			t.Errorf("%s.%s: one bad record takes its batch along", s.fn.id, s.event)
		}
	}
}

func TestQueuesRefusePlainHTTP(t *testing.T) {
	t.Parallel()
	covered := map[string]bool{}
	for _, p := range resources(t, "AWS::SQS::QueuePolicy") {
		if refusesPlainHTTP(p.props) {
			for _, q := range list(p.props["Queues"]) {
				covered[names(q)] = true
			}
		}
	}
	for id := range queues(t) {
		if !covered[id] {
			t.Errorf("%s answers without TLS", id)
		}
	}
	for _, p := range resources(t, "AWS::SNS::TopicPolicy") {
		if !refusesPlainHTTP(p.props) {
			t.Errorf("%s answers without TLS", p.id)
		}
	}
}

// TestAuditStreamHearsEveryStreamedTable and nothing else.
func TestAuditStreamHearsEveryStreamedTable(t *testing.T) {
	t.Parallel()
	var heard, streamed []string
	for _, s := range sources(t, "DynamoDB") {
		if function(s.fn) != "audit-stream" {
			t.Errorf("%s reads a stream", s.fn.id)
		}
		heard = append(heard, names(s.props["Stream"]))
		if s.props["StartingPosition"] != "TRIM_HORIZON" {
			t.Errorf("%s: changes made before the function was there would be lost", s.event)
		}
	}
	for _, r := range resources(t, "AWS::DynamoDB::Table") {
		if r.props["StreamSpecification"] != nil {
			streamed = append(streamed, r.id)
		}
	}
	slices.Sort(heard)
	if !slices.Equal(heard, streamed) {
		t.Errorf("audit-stream hears %v, streamed are %v", heard, streamed)
	}
}

// TestWhatGoesOnByItselfMayRingItsOwnBell: AWS stops a function that triggers itself through
// a queue after about 16 times, unless it is told that this is meant.
func TestWhatGoesOnByItselfMayRingItsOwnBell(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t, "SQS") {
		rings := slices.Contains(may(t, "sqs:SendMessage", on(names(s.props["Queue"]))), function(s.fn))
		if rings && slices.Contains([]string{"price-sync", "price-plan", "price-export", "gdpr-erasure"}, function(s.fn)) && s.fn.props["RecursiveLoop"] != "Allow" {
			t.Errorf("%s would be stopped by AWS's loop detection", s.fn.id)
		}
	}
}

var (
	rate = regexp.MustCompile(`^rate\((?:1 (?:minute|hour|day)|(?:[2-9]|[1-9][0-9]+) (?:minutes|hours|days))\)$`)
	// Minute, hour, day of month, month, day of week, year; one of the two days
	// is "?" (EventBridge Scheduler, cron-based schedules).
	cron = regexp.MustCompile(`^cron\([0-9*/,-]+ [0-9*/,-]+ (?:\? [0-9A-Z*/,-]+ [0-9A-Z*/,#L-]+|[0-9*/,LW-]+ [0-9A-Z*/,-]+ \?) [0-9*/,-]+\)$`)
)

func TestSchedulesAreWellFormedAndStartKnownJobs(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"rate(1 minutes)", "rate(5 minute)", "rate(0 minutes)", "cron(0 3 * * * *)", "cron(0 3 * * ?)", "every day"} {
		if rate.MatchString(bad) || cron.MatchString(bad) {
			t.Errorf("%q would pass", bad)
		}
	}
	jobs := map[string]string{"sweep": "rate(1 minute)", "refresh": "cron(15 3 * * ? *)", "checkpoint": "rate(1 hour)", "reconcile": "rate(1 hour)", "incidents": "rate(5 minutes)", "erasures": "rate(15 minutes)", "secrets": "rate(1 hour)", "access-reviews": "cron(30 6 * * ? *)"}
	for _, s := range sources(t, "ScheduleV2") {
		expression := text(s.props["ScheduleExpression"])
		if !rate.MatchString(expression) && !cron.MatchString(expression) {
			t.Errorf("%s: %q is no schedule", s.event, expression)
		}
		job := strings.TrimSuffix(strings.TrimPrefix(text(s.props["Input"]), `{"job":"`), `"}`)
		if jobs[job] != expression {
			t.Errorf("job %q runs at %q, want %q", job, expression, jobs[job])
		}
		delete(jobs, job)
		if names(s.props["RoleArn"]) != "ScheduleRole" {
			t.Errorf("%s starts its function with another role", s.event)
		}
	}
	for job := range jobs {
		t.Errorf("nothing starts job %s", job)
	}
}
