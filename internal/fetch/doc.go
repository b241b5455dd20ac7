// Package fetch gets files from addresses that customers name, and nothing else:
// it is the one place where what a customer typed decides whom the system calls.
//
// What it promises: only https to a public DNS name on port 443, with TLS 1.2 or
// later and a valid certificate; every address of the name is checked, one that is
// not of the public internet refuses them all, and the connection goes to the very
// address that was checked, so that a name which changes its mind between check
// and connection gains nothing; a redirect is checked like the first address and
// is told neither where it came from nor any credential; what comes back is
// bounded in bytes and time, whatever its headers say, and is never unpacked here.
//
// When something fails the error is a *fault.Fault that says what to do and does
// not say what was found inside a network: a name that does not exist and one that
// leads somewhere private read the same. No error holds the address that was asked
// for, since an address may hold a key in its query.
//
// It keeps nothing, retries nothing, knows no file format, and uses no proxy from
// the environment.
package fetch
