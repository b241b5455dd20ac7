// Package erasure_test erases a tenant on the local AWS, through the public API and
// with every role enforced, and searches what is left on disk: all tables, objects,
// queues, secrets, logs and metrics of the local AWS, and the state directory.
// Another tenant, whose id begins with the first one's and who sells the same SKUs,
// is not changed by a byte. Then a backup is restored and erased again by pmctl.
//
// What may stay of the tenant is its opaque id: in the erasure and the mark that it
// began, the keys of its ledger, the marks that no data key is made, and the
// tombstone; and in messages and log lines, which expire.
//
// Two differences from AWS: the tenant has to be quiet for seconds at the end and not
// for 70 minutes, and a backup is what the test has copied item by item.
package erasure_test
