// Package kept lists what the stores hold of a tenant, by kind of item and of object,
// and where each is in the export of everything (Files) or why it is not (Why). The
// register of processing prints it.
//
// What is promised: test/personal fails when the code makes a key of a kind that is
// not here, and functions/gdpr-export when the export lacks a kind that is here.
//
// What it does not do: it is a list; it reads nothing.
package kept

import (
	"strings"

	"pricemanager/internal/store"
)

// Kind is one kind of item or object.
type Kind struct {
	Table  store.Table  // of an item
	Bucket store.Bucket // of an object
	// Name is the item's PK or the beginning of the object's name; a * at its end
	// stands for anything.
	Name string
	// Directory: it is no tenant's, but in the directory, and may name tenants.
	Directory bool
	// Files of the archive that hold it; none, with the reason in Why. A / at the end
	// is a folder.
	Files []string
	Why   string
}

// Reasons that several kinds share.
const (
	guarded = "a secret, or what one could be tried out against"
	pointer = "finds the tenant of what is in the export under its own kind"
	work    = "what is still to be done, and how far it is; what it is about is in the export"
)

func item(table store.Table, name string, files ...string) Kind {
	return Kind{Table: table, Name: name, Files: files}
}

func not(table store.Table, name, why string) Kind { return Kind{Table: table, Name: name, Why: why} }

func directory(table store.Table, name, why string) Kind {
	return Kind{Table: table, Name: name, Directory: true, Why: why}
}

func object(bucket store.Bucket, name string, files ...string) Kind {
	return Kind{Bucket: bucket, Name: name, Files: files}
}

func notObject(bucket store.Bucket, name, why string) Kind {
	return Kind{Bucket: bucket, Name: name, Why: why}
}

// Kinds lists all kinds. Of an object the longest name that fits counts.
func Kinds() []Kind {
	return []Kind{
		item(store.Offers, "offer#*", "offers.csv", "offers.json", "prices.csv"),
		item(store.Offers, "plans", "plans.csv", "plans.json"),
		item(store.Offers, "uploads", "uploads.csv", "uploads.json"),
		item(store.Offers, "mappings", "mappings.json"),
		item(store.Offers, "batches", "batches.csv", "batches.json"),
		item(store.Offers, "pulls", "pulls.csv", "pulls.json"),
		item(store.Offers, "guards", "guards.json"),
		item(store.Offers, "costs#*", "costs.csv"),
		item(store.Offers, "guard-notices", "guard-notices.csv", "guard-notices.json"),
		item(store.Offers, "previews", "previews.csv", "previews.json"),
		item(store.Offers, "fx", "links.json", "rates.json"),
		item(store.Offers, "downloads", "downloads.csv", "downloads.json"),
		item(store.Offers, "stop", "stops.csv", "stops.json"),
		item(store.Offers, "visibility", "visibility.csv", "visibility.json"),
		item(store.Offers, "suspicions", "suspicions.csv", "suspicions.json"),
		not(store.Offers, "watch", "sums over the ledger, which is in the export, by which suspicions are found"),
		not(store.Offers, "ref#*", "an index of the offers"),
		not(store.Offers, "lane#*", work),
		not(store.Offers, "feeds", work),
		not(store.Offers, "requests", "hashes of idempotency keys with the plan each led to, for a week"),
		not(store.Offers, "outbox", "events on their way into the ledger, which is in the export; gone after a week"),
		not(store.Offers, "previewed", work),
		not(store.Offers, "downloads-running", work),
		directory(store.Offers, "previewed", work),
		directory(store.Offers, "open", work),
		directory(store.Offers, "due", work),
		directory(store.Offers, "pulls-due", work),
		directory(store.Offers, "lanes", work),
		directory(store.Offers, "window", "how many calls our application makes, of nobody"),

		item(store.Identity, "tenant", "company.json"),
		item(store.Identity, "members", "members.csv", "members.json"),
		item(store.Identity, "sessions", "sessions.csv", "sessions.json"),
		item(store.Identity, "apikey", "apikeys.csv", "apikeys.json"),
		not(store.Identity, "mails", "keyed hashes of members' addresses, which are in members.csv"),
		not(store.Identity, "recovery", guarded+": hashes of recovery codes"),
		not(store.Identity, "devices", "keyed hashes of devices that members signed in with"),
		not(store.Identity, "tickets", guarded+": links that were mailed, for days; whom one was for is in members.csv once it was used"),
		not(store.Identity, "guard-mails", "until when notices were mailed to owners; the notices are in guard-notices.csv"),
		not(store.Identity, "nobody", "of no tenant: what keeps an unknown address from taking another time than a known one"),
		not(store.Identity, "support", "which of our operators were let look, until when and why: it is in the ledger, which is in the export"),
		not(store.Identity, "advice", "which advice the company says it follows: it is in the ledger, which is in the export"),
		not(store.Identity, "access-review", "when somebody looked through who has access: it is in the ledger, which is in the export"),
		directory(store.Identity, "tenants", "which companies there are, and when each one reviews its access"),
		directory(store.Identity, "mail#*", pointer),
		directory(store.Identity, "session#*", pointer),
		directory(store.Identity, "apikey#*", pointer),
		directory(store.Identity, "edge", "hashes of addresses that operators block, of no tenant"),

		item(store.Connections, "connections", "connections.csv", "connections.json"),
		item(store.Connections, "health", "connections.json"),
		not(store.Connections, "token", guarded+": access tokens of an hour"),
		not(store.Connections, "outbox", "events on their way into the ledger, which is in the export; gone after a week"),
		directory(store.Connections, "state#*", guarded+": consents that are under way"),
		directory(store.Connections, "seller#*", pointer),
		directory(store.Connections, "destination#*", "our own queues at Amazon, of no tenant"),
		directory(store.Connections, "application", "our own application at Amazon, of no tenant"),

		item(store.Ledger, "log", "ledger.jsonl", "history.csv"),

		item(store.Privacy, "export", "exports.csv", "exports.json"),
		item(store.Privacy, "erasure", "erasures.csv", "erasures.json"),
		item(store.Privacy, "legal-hold", "erasures.csv", "erasures.json"),
		not(store.Privacy, "erasing", "the mark that an erasure has begun: no export is made after it"),
		not(store.Privacy, "recipients", "not stored by any function"),
		{Table: store.Privacy, Name: "incident", Directory: true, Files: []string{"incidents.json"}},
		directory(store.Privacy, "erasure", pointer),
		directory(store.Privacy, "erasure-open", pointer),

		not(store.Keys, "datakey", guarded),

		not(store.Limits, "tries", "counts of wrong codes"),
		not(store.Limits, "codes", "hashes of codes that were used, for minutes"),
		not(store.Limits, "*", "counts of requests, for minutes"),
		directory(store.Limits, "*", "counts of requests, for minutes, by keyed hashes of addresses"),

		object(store.Files, "uploads/", "files/uploads/"),
		object(store.Files, "plans/", "plans/", "files/plans/"),
		object(store.Files, "batches/", "batches/"),
		notObject(store.Files, "feeds/", "which offers are in which of Amazon's feeds: "+work),
		notObject(store.Files, "imports/", "lists of SKUs that are still to be read: "+work),
		notObject(store.Downloads, "", "copies of what is in the export, for a day; who took them is in downloads.csv"),
		notObject(store.History, "", "copies of the ledger's events, which are in the export, and digests of items"),
		notObject(store.Exports, "", "exports, for a day; who asked for them is in exports.csv"),
		notObject(store.Archive, "", "hashes of the ledger's tree and signed checkpoints, which the ledger in the export contains"),
	}
}

// Fits reports whether an item's PK is of the kind.
func (k Kind) Fits(pk string) bool {
	if prefix, ok := strings.CutSuffix(k.Name, "*"); ok {
		return strings.HasPrefix(pk, prefix)
	}
	return pk == k.Name
}

// Item is the kind of an item.
func Item(table store.Table, pk string, inDirectory bool) (Kind, bool) {
	for _, k := range Kinds() {
		if k.Table == table && k.Directory == inDirectory && k.Fits(pk) {
			return k, true
		}
	}
	return Kind{}, false
}

// Object is the kind of an object.
func Object(bucket store.Bucket, name string) (found Kind, ok bool) {
	for _, k := range Kinds() {
		if k.Bucket == bucket && strings.HasPrefix(name, k.Name) && (!ok || len(k.Name) > len(found.Name)) {
			found, ok = k, true
		}
	}
	return found, ok
}
