// Package privacy answers what the law lets people ask of their data. It owns
// the export: the request, the job that gathers everything of a tenant, or what is
// about one of its members, into one locked archive that a person can read and a
// machine can check, and the short-lived link and the password for who asked. It owns the erasure: the request that can be taken back for a while,
// the job that deletes everything of a tenant wherever it is and destroys its
// keys, the tombstone by which a restored backup is erased again, and the signed
// receipt.
//
// What is promised when things fail: a request is kept before anything is
// started, so none is lost; a job can be cut off at any point and repeated,
// and however often its message is delivered one archive is handed out and one
// receipt signed; an archive is only ever whole (a source that fails fails the
// job); an erasure is done when a whole pass over every table and bucket finds
// nothing, and not before, and what derives something from changes by itself is told
// by Doors to stop when it begins; nothing of another tenant is reachable, since every
// source and every sweep is asked for one tenant.
//
// What it does not do: it does not know what an offer or a connection is. The
// rooms hand in Sources and decide what is personal, what is secret (secrets
// and hashes of secrets are in no archive) and how their rows look; an erasure
// deletes by whose an item is, not by what it is. Backups are not changed: the
// receipt says until when they exist.
package privacy
