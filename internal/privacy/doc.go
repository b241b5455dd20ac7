// Package privacy answers what the law lets people ask of their data. It owns
// the export: the request, the job that gathers everything of a tenant into one
// archive that a person can read and a machine can check, and the short-lived
// link to it.
//
// What is promised when things fail: a request is kept before anything is
// started, so none is lost; the job can be cut off at any point and repeated,
// and however often its message is delivered one archive is handed out; an
// archive is only ever whole (a source that fails fails the job); nothing of
// another tenant is reachable, since every source is asked for one tenant.
//
// What it does not do: it does not know what an offer or a connection is. The
// rooms hand in Sources and decide what is personal, what is secret (secrets
// and hashes of secrets are in no archive) and how their rows look.
package privacy
