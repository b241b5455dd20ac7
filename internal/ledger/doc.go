// Package ledger is the append-only record of everything that happened in a
// tenant: an RFC 6962 Merkle tree per tenant whose head is signed as a
// checkpoint, with the values sealed beside it. It owns the closed list of
// event types, the append from the tables' streams, the export that a tenant
// can take away, and the verification of that export without us.
//
// A leaf holds no value. It is a commitment, SHA-256 over a secret 32-byte
// salt and the event; event and salt are kept encrypted beside the tree and
// given out in exports. When erasure destroys the tenant's data key the tree
// still verifies and says nothing.
//
// What is promised when things fail: an append happened wholly or not at all;
// repeating one with the same sources and sequence numbers adds nothing; two
// appenders at once never write over each other (one conditional write decides,
// the other reads again); an entry that cannot be written is an error that the
// caller reports, never dropped. Verify names the first entry that is not as it
// was written.
//
// What it does not do: it does not decide what is worth recording (the rooms
// export Mappers), it does not search, and it never changes or deletes an item.
package ledger
