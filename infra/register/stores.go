package main

// store says what one or several stores of the template are for.
type store struct {
	ids   []string // resources of the template
	holds string   // categories of data
	about string   // categories of people; "" when it holds nothing about people
	use   string   // the purpose
	basis string   // the legal ground; "" when it holds nothing about people
	left  string   // why the export of everything does not have it; "" of tables and buckets, see internal/privacy/kept
}

const (
	contract   = "contract"
	legitimate = "legitimate interest: security and proof"
	legal      = "legal obligation: Art. 12 to 17"

	underWay = "ids on their way, for days; what they name is exported from where it is kept"
	ours     = "nothing of a customer"

	staff  = "members of the customer"
	seller = "the customer as a seller, who may be a natural person"
)

// known lists what every store is for.
var known = []store{
	{ids: []string{"OffersTable"}, holds: "offers and prices, plans, batches, settings, suspicious changes; who made them, by id", about: staff, use: "managing prices", basis: contract},
	{ids: []string{"IdentityTable"}, holds: "companies, members, API keys as hashes; which of our operators were let look, and why; keyed hashes of network addresses that operators block for a time", about: staff + "; whoever misuses the interface", use: "signing in, limits of use, turning misuse away", basis: contract + "; " + legitimate},
	{ids: []string{"ConnectionsTable"}, holds: "authorisations at Amazon with the seller's id; access tokens of an hour, sealed under the company's own key", about: seller, use: "acting for the seller at Amazon", basis: contract},
	{ids: []string{"LimitsTable"}, holds: "counters of requests, for minutes, by ids and by keyed hashes of network addresses", about: staff + "; whoever calls the interface", use: "limits of use, turning misuse away", basis: legitimate},
	{ids: []string{"LedgerTable"}, holds: "the history of every price and setting, who changed it and from where, sealed under the company's own key", about: staff, use: "proof of what was done, noticing misuse", basis: legitimate},
	{ids: []string{"PrivacyTable"}, holds: "requests for exports and erasures, and their receipts; incidents", about: staff, use: "answering requests by people about their data", basis: legal},
	{ids: []string{"KeysTable"}, holds: "data keys, wrapped by KMS; no personal data", use: "encryption of sealed fields; destroying a company's keys erases what is sealed"},

	{ids: []string{"FilesBucket"}, holds: "price files as uploaded, with whatever columns they have, for 7 days; plans and their rows, which hold of a column that is not read nothing but the shape of some values", about: "whoever a customer names in a file, which needs nobody", use: "managing prices", basis: contract},
	{ids: []string{"HistoryBucket"}, holds: "earlier prices of offers; digests of what items said when they were last compared with the ledger", use: "showing how prices went"},
	{ids: []string{"DownloadsBucket"}, holds: "tables of offers, history and rows that somebody asked for", use: "handing them over"},
	{ids: []string{"ExportsBucket"}, holds: "archives of everything about a customer", about: staff + "; " + seller, use: "answering requests for access and portability", basis: legal},
	{ids: []string{"ArchiveBucket"}, holds: "hashes of the ledger's tree and signed checkpoints; no personal data", use: "proof that the ledger was not rewritten"},

	{ids: []string{"DoorbellQueue", "DoorbellDeadLetters"}, holds: "ids of lanes that have work", use: "managing prices", left: underWay},
	{ids: []string{"PlanQueue", "PlanDeadLetters"}, holds: "ids of plans to compute", use: "managing prices", left: underWay},
	{ids: []string{"PullQueue", "PullDeadLetters"}, holds: "ids of files to fetch", use: "managing prices", left: underWay},
	{ids: []string{"DownloadQueue", "DownloadDeadLetters"}, holds: "ids of tables to make", use: "handing them over", left: underWay},
	{ids: []string{"NoticeQueue", "NoticeDeadLetters"}, holds: "ids of companies whose guards may have been changed, and when", use: "telling their owners", left: underWay},
	{ids: []string{"PrivacyQueue", "PrivacyDeadLetters"}, holds: "ids of requests", use: "answering requests by people about their data", left: underWay},
	{ids: []string{"ErasureQueue", "ErasureDeadLetters"}, holds: "ids of erasures", use: "erasing what people ask to have erased", left: underWay},
	{ids: []string{"AuditDeadLetters"}, holds: "positions in streams that could not be processed", use: "repairing the ledger", left: underWay},
	{ids: []string{"AmazonNotificationsQueue", "AmazonNotificationsDeadLetters"}, holds: "Amazon's notices with the seller's id and changed SKUs; a new secret of our application", about: seller, use: "noticing at once that a price changed at Amazon", basis: contract, left: underWay},
	{ids: []string{"AlarmTopic"}, holds: "names of alarms; no personal data", use: "telling the operator", left: ours},

	{ids: []string{"UserPool"}, holds: "ids of members with their password and authenticator; no name, no address", about: staff, use: "signing in", basis: contract,
		left: "nobody can read passwords and authenticators out, and there is nothing else"},

	{ids: []string{"LwaSecret"}, holds: "our application's credentials at Amazon", use: "acting for sellers at Amazon", left: ours},
	{ids: []string{"PepperSecret"}, holds: "what API keys are hashed with", use: "signing in", left: ours},
	{ids: []string{"LedgerSignerSecret"}, holds: "what the ledger's signing key comes from", use: "proof that the ledger was not rewritten", left: ours},

	{ids: []string{
		"AccountLog", "OAuthLog", "TokenBrokerLog", "PriceUploadLog", "PricePlanLog", "PricePullLog", "PriceExportLog", "PriceSyncLog",
		"AuditStreamLog", "GdprExportLog", "GdprErasureLog", "AmazonEventsLog", "SchedulerLog", "SecretRotationLog",
	}, holds: "what functions did, with ids of tenants and requests; no names or credentials; of callers' addresses a keyed hash", about: staff, use: "finding faults, noticing misuse", basis: legitimate, left: "ids and times for finding faults; who did what is in the ledger, which is exported"},
	{ids: []string{"WebAclLog"}, holds: "requests that the firewall blocked: time, path, address they came from; no credentials, no query", about: "whoever calls the interface", use: "turning misuse away", basis: legitimate, left: "requests that were turned away, by no name"},
	{ids: []string{"AccessLog"}, holds: "every call of the interface: time, route, status; no address, no headers, no query", about: "whoever calls the interface", use: "noticing misuse", basis: legitimate, left: "calls by route and time, by no name; who did what is in the ledger, which is exported"},
}
