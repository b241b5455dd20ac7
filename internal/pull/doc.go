// Package pull has price files, and tables of exchange rates, fetched from the
// addresses that tenants name, on the schedules that they set, and plans made of the
// files; of a table it makes the tenant's rates.
//
// A source that comes due is found by the minute's sweep in a list of what is due
// when, and a message has it run. A run asks for the file, and when it changed
// keeps it as an upload and begins a plan; the plan then waits for somebody to
// apply it, like any other. A file is told from the one before by the server's word
// (ETag, Last-Modified) and by its SHA-256. Whether a table is fit to be taken unseen
// fx decides; one that is not is the source's problem.
//
// What is promised when things fail: a run that dies is repeated, and what it had
// begun is found and not begun again, because the ids of upload and plan follow
// from the source, the count of its files and the file's digest. Rates are taken in
// the write that ends the run. What the other
// server does wrong is the source's problem, shown with it and tried again later
// and later; after mostFailures in a row the source pauses until somebody changes
// it. What we do wrong is an error, and the message comes again. A source that was
// changed or deleted while it ran is left as it is then.
//
// Addresses may be the key to what is there: they rest sealed under the tenant's key,
// with the hosts alone in clear. It sends no other credentials and keeps none. It does not read prices (plan
// does) and does not decide whom the system may call (fetch does).
package pull
