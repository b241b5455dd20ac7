// Package guard owns a tenant's guard settings: which limits bind which offers,
// when a whole batch is held back, who may release what was held, and above which
// size a plan needs a second person. It also keeps what SKUs cost, the notices that
// tell a tenant's members who changed either, and the message that has its owners told.
//
// A Set is the settings and costs as they were read at one moment. Set.For gives
// the rules for one offer, which package price judges by; plans and lanes ask it
// for each row. Its hash is in every plan, so that a plan made under other
// settings is noticed.
//
// What is promised when things fail: settings that cannot be read are an error
// and never the defaults, so that nothing is judged by rules that the tenant did
// not choose. Settings are written whole, by one conditional write that names the
// settings it replaces. A tenant that never chose has Default.
//
// It judges no price (price does), holds no row (plan and lane do), and does not
// know who is asking (identity does).
package guard
