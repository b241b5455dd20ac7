// Package canary proves that secrets and personal data are nowhere in clear. It
// owns the values that tests plant where such data enters (see Planted), and the
// Scanner that looks for them in whatever a run leaves behind: tables, objects,
// queues, logs, metrics, the state directory, answers.
//
// A Scanner finds a value as it is, in base64 of any alignment and either
// alphabet, in hexadecimal, escaped for a URL or in JSON, and in all of these
// inside gzip, zip and base64. It says where and in which form, never what. It
// sees no value that is encrypted, hashed or cut to less than what is planted,
// and programs are passed over: they were built before there was a secret.
//
// A scan that finds nothing proves something only when the values were there and
// the places were read: Places tells where a value was found that belongs there,
// and the fake Amazon counts what it has sent.
package canary
