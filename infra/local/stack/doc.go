// Package stack runs the whole product on this machine: a local AWS with
// template.yaml deployed to it, the fake Amazon beside it, and one address in
// front of both. `make run` shows it to people, tests start as many isolated
// ones as they like, on free ports and with a directory of their own.
//
// Up returns a stack that answers, or an error that says what to do, and then
// nothing is left running. A stack with a StateDir comes back as it was left;
// one that is killed has lost what happened since it started, and what is
// missing afterwards (the stack itself, the tenant, its key) is made anew.
//
// Everything listens on 127.0.0.1 only: the local AWS and the fake Amazon ask
// nobody for a credential.
package stack
